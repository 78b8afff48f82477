"""Types `toolkit …` where waits take a fraction of their time: `hurried.py BEGIN SPEED ARGUMENT…`.

The wall clock begins at BEGIN (RFC 3339; `-` for now) and advances by what was not waited for. Nothing else is hurried.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from datetime import datetime
from typing import Any

BEGIN, SPEED = sys.argv[1], float(sys.argv[2])

_now_ns = time.time_ns
_behind = 0 if BEGIN == "-" else int(datetime.fromisoformat(BEGIN).timestamp() * 1e9) - _now_ns()
_saved = 0.0


def _hurried_ns() -> int:
    return _now_ns() + _behind + int(_saved * 1e9)


class Timer(threading.Timer):
    """A timer that goes off early, and puts the clock forward when it does."""

    def __init__(self, interval: float, function: Any, *arguments: Any) -> None:
        self._spared = interval * (1 - 1 / SPEED) if SPEED else interval
        super().__init__(interval - self._spared, function, *arguments)

    def run(self) -> None:
        global _saved  # noqa: PLW0603 - there is one clock
        self.finished.wait(self.interval)
        if BEGIN != "-":
            _saved += self._spared
        super().run()


_wait_for_signals = signal.sigtimedwait


def _sigtimedwait(numbers: Any, seconds: float) -> Any:
    return _wait_for_signals(numbers, seconds / SPEED if SPEED else 0)


signal.sigtimedwait = _sigtimedwait
time.time_ns = _hurried_ns
time.time = lambda: _hurried_ns() / 1e9
threading.Timer = Timer  # type: ignore[assignment, misc]
sys.argv = ["toolkit", *sys.argv[3:]]

from toolkit.__main__ import main  # noqa: E402 - after the clock

main()
