"""A build must not wait for our disk: requests that the recorder does not get to in time are answered in its place."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_SECONDS = 5.0
LESS_PATIENCE_SECONDS = 0.2
"""Once recording has hung, each further request waits only so long."""


class Watch:
    """Keeps a deadline for every request that has arrived and has no answer yet."""

    def __init__(self, overdue: Callable[[bytes], bool]) -> None:
        """Call `overdue` with a request's line, on a thread of the watch's own, when its deadline passes.

        It tells whether it answered; a request that it left alone stays with the recorder.
        """
        self._overdue = overdue
        self._changed = threading.Condition()
        self._waiting: dict[bytes, list[float]] = {}
        self._patience = PATIENCE_SECONDS
        self._thread: threading.Thread | None = None
        self._stopped = False

    def arrived(self, line: bytes) -> None:
        """Begin to wait for the answer to a request; called by the thread that reads the wire."""
        with self._changed:
            self._waiting.setdefault(line, []).append(time.monotonic() + self._patience)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
                self._thread.start()

    def taken(self, line: bytes) -> bool:
        """Tell the recorder, when it is ready to answer, whether the answer is still wanted."""
        with self._changed:
            deadlines = self._waiting.get(line)
            if not deadlines:
                return False
            deadlines.pop(0)
            if not deadlines:
                del self._waiting[line]
            return True

    def stop(self) -> None:
        """End the watch's thread."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _run(self) -> None:
        with self._changed:
            while not self._stopped:
                self._changed.wait(self._patience / 4)
                late = [line for line, deadlines in self._waiting.items() if deadlines[0] < time.monotonic()]
                for line in late:
                    if self._overdue(line):
                        del self._waiting[line]
                        self._patience = LESS_PATIENCE_SECONDS
