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

    def __init__(self, overdue: Callable[[bytes], None], may_answer: Callable[[], bool]) -> None:
        """Call `overdue` with a request's line, on a thread of the watch's own, when its deadline passes.

        Unless it `may_answer` by then: such a request stays with the recorder.
        """
        self._overdue = overdue
        self._may_answer = may_answer
        self.hung: Callable[[], None] | None = None
        """Called when a deadline passes, whoever answers then."""
        self._lock = threading.Lock()
        self._waiting: dict[bytes, list[float]] = {}
        self._patience = PATIENCE_SECONDS
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def arrived(self, line: bytes) -> None:
        """Begin to wait for the answer to a request; called by whoever reads the wire."""
        with self._lock:
            self._waiting.setdefault(line, []).append(time.monotonic() + self._patience)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
                self._thread.start()

    def taken(self, line: bytes) -> bool:
        """Tell the recorder, when it is ready to answer, whether the answer is still wanted."""
        with self._lock:
            deadlines = self._waiting.get(line)
            if not deadlines:
                return False
            deadlines.pop(0)
            if not deadlines:
                del self._waiting[line]
            return True

    def stop(self) -> None:
        """End the watch's thread."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(self._patience / 4):
            with self._lock:
                late = [line for line, deadlines in self._waiting.items() if deadlines[0] < time.monotonic()]
                answering = late if self._may_answer() else []
                for line in answering:
                    del self._waiting[line]
                    self._patience = LESS_PATIENCE_SECONDS
            if late and self.hung is not None:
                self.hung()
            for line in answering:  # it may take its time, for which whoever reads the wire must not wait
                self._overdue(line)
