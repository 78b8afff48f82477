"""Between the loop and whoever records: a queue that is never waited for long, and a thread that may fail or hang."""

from __future__ import annotations

import threading
import time
from queue import SimpleQueue
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

CAPACITY_BYTES = 64 << 20
BRAKE_SECONDS = 2.0
"""How long, in all, a flood may be slowed down to the pace of a recorder that keeps working."""
IDLE_SECONDS = 0.05
"""A recorder that took nothing for so long while the queue is full is not waited for."""
NAP_SECONDS = 0.002


class Recorder(Protocol):
    """Who is told what the build says; on one thread, strictly in order, and nothing it does reaches the build."""

    def output(self, stream: int, data: bytes, at: float) -> None:
        """A piece of stdout (1) or stderr (2), read at the monotonic second `at`."""

    def announce(self, payload: bytes) -> None:
        """A request came in; called on the loop's own thread before the request is queued, so it must not wait."""

    def request(self, payload: bytes) -> None:
        """A line from the wire, without its newline, after all output that was written before it."""

    def trouble(self, what: str) -> None:
        """Recording fell behind, left something out, or failed."""


class Nobody:
    """A recorder that takes everything and keeps nothing."""

    def output(self, stream: int, data: bytes, at: float) -> None:
        pass

    def announce(self, payload: bytes) -> None:
        pass

    def request(self, payload: bytes) -> None:
        pass

    def trouble(self, what: str) -> None:
        pass


class Recording:
    """The queue and the thread."""

    def __init__(self, recorder: Recorder, capacity: int | None = None) -> None:
        """Hold at most `capacity` bytes (default: CAPACITY_BYTES) of output that the recorder has not taken yet."""
        self._recorder = recorder
        self._capacity = CAPACITY_BYTES if capacity is None else capacity
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        # Each is written by one thread only.
        self._put = 0
        self._done = 0
        self._left_out = 0
        self._brake_left = BRAKE_SECONDS
        self._told: set[str] = set()
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def room(self) -> bool:
        """Whether the recorder keeps up well enough for more that can wait."""
        return self._put - self._done <= self._capacity // 2

    def wait_for_room(self, seconds: float) -> None:
        """Wait until the recorder has caught up a little, at most so long."""
        self._thread.join(min(seconds, 0.01))

    def output(self, stream: int, data: bytes, at: float) -> None:
        """Queue a piece; while the queue is full, leave it out."""
        if not self._left_out and self._put - self._done + len(data) > self._capacity:
            self._brake(len(data))
        waiting = self._put - self._done
        if waiting + len(data) > self._capacity or (self._left_out and waiting > self._capacity // 2):
            if not self._left_out:
                self._queue.put(lambda: self._trouble("recording fell behind, so output is missing from the log"))
            self._left_out += len(data)
            return
        self._left_out = 0
        self._put += len(data)
        self._queue.put(lambda: self._output(stream, data, at))

    def _brake(self, needed: int) -> None:
        """Give a recorder that works, only slower than a flood comes in, a little time; one that hangs gets none."""
        done, idle = self._done, 0.0
        while self._brake_left > 0 and idle < IDLE_SECONDS and self._put - self._done + needed > self._capacity:
            time.sleep(NAP_SECONDS)
            self._brake_left -= NAP_SECONDS
            idle = 0.0 if self._done != done else idle + NAP_SECONDS
            done = self._done

    def request(self, payload: bytes) -> None:
        """Queue a request; none is ever left out."""
        try:
            self._recorder.announce(payload)
        except Exception as error:  # noqa: BLE001 - whatever it is, the build goes on
            self.trouble(_sentence(error))
        self._queue.put(lambda: self._recorder.request(payload))

    def trouble(self, what: str) -> None:
        self._queue.put(lambda: self._trouble(what))

    def finish(self, seconds: float) -> bool:
        """Wait for the recorder to take everything, at most so long; tell whether it did."""
        self._queue.put(None)
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (work := self._queue.get()) is not None:
            try:
                work()
            except Exception as error:  # noqa: BLE001 - the same
                self._failed(error)

    def _output(self, stream: int, data: bytes, at: float) -> None:
        try:
            self._recorder.output(stream, data, at)
        finally:
            self._done += len(data)

    def _trouble(self, what: str) -> None:
        if what not in self._told:
            self._told.add(what)
            self._recorder.trouble(what)

    def _failed(self, error: Exception) -> None:
        try:
            self._trouble(_sentence(error))
        except Exception:  # noqa: BLE001 - then there is nobody left to tell
            return


def _sentence(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if not isinstance(error, OSError) else str(error)
