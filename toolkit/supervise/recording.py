"""Between the loop and whoever records: a queue that is never waited for long, and a thread that may fail or hang.

A request wakes that thread alone: it looks after the wire while it has nothing else to do. Before it reads there, it
takes what the build has printed until then, so the order is that of the build whoever reads.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

CAPACITY_BYTES = 64 << 20
BRAKE_SECONDS = 2.0
"""How long, in all, a flood may be slowed down to the pace of a recorder that keeps working."""
IDLE_SECONDS = 0.05
"""A recorder that took nothing for so long while the queue is full is not waited for."""
NAP_SECONDS = 0.002
GLANCE_SECONDS = 0.005
"""How often a recorder that has much to do looks at the wire."""
HUNG_SECONDS = 1.0
"""Behind a single piece for so long, it is no longer relied on to look there."""


class Recorder(Protocol):
    """Who is told what the build says; on one thread, strictly in order, and nothing it does reaches the build."""

    def output(self, stream: int, data: bytes, at: float) -> None:
        """A piece of stdout (1) or stderr (2), read at the monotonic second `at`."""

    def when_hung(self, act: Callable[[], None]) -> None:
        """Take what is to be called, on any thread, once a request waits too long for this recorder."""

    def announce(self, payload: bytes) -> None:
        """A request was read; called by whoever reads the wire before it is queued, so it must not wait."""

    def request(self, payload: bytes) -> None:
        """A line from the wire, without its newline, after all output that was written before it."""

    def trouble(self, what: str) -> None:
        """Recording fell behind, left something out, or failed."""


class Nobody:
    """A recorder that takes everything and keeps nothing."""

    def output(self, stream: int, data: bytes, at: float) -> None:
        pass

    def when_hung(self, act: Callable[[], None]) -> None:
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
        self._queue: deque[Callable[[], None]] = deque()
        self._bell = -1
        self._wire: int | None = None
        self._fetch: Callable[[], None] | None = None
        self._ending = False
        # Each is written by one thread only.
        self._asleep = False
        self._began = 0.0
        self._put = 0
        self._done = 0
        self._left_out = 0
        self._brake_left = BRAKE_SECONDS
        self._told: set[str] = set()
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)

    def start(self, wire: int | None = None, fetch: Callable[[], None] | None = None) -> None:
        """Begin. `fetch`, called on the recorder's thread, queues what can be read from the descriptor `wire`."""
        self._wire, self._fetch = wire, fetch
        with contextlib.suppress(OSError):  # no descriptor is left: then we look now and then
            self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._began = time.monotonic()
        self._thread.start()

    def when_hung(self, act: Callable[[], None]) -> None:
        """Have `act` called, on any thread, once a request waits too long."""
        self._recorder.when_hung(act)

    @property
    def busy(self) -> bool:
        """Whether the recorder has something in hand."""
        return not self._asleep

    def hangs(self) -> bool:
        """Whether it has had one and the same thing in hand for very long."""
        return not self._asleep and time.monotonic() - self._began > HUNG_SECONDS

    def leave_the_wire(self) -> None:
        """Let somebody else read requests, from now on."""
        self._fetch = None

    def room(self) -> bool:
        """Whether the recorder keeps up well enough for more that can wait."""
        return self._put - self._done <= self._capacity // 2

    def wait_for_room(self, seconds: float) -> None:
        """Wait until the recorder has caught up a little, at most so long."""
        self._thread.join(min(seconds, 0.01))

    def output(self, stream: int, data: bytes, at: float) -> None:
        """Queue a piece; while the queue is full, leave it out."""
        mine = threading.get_ident() == self._thread.ident
        if not self._left_out and not mine and self._put - self._done + len(data) > self._capacity:
            self._brake(len(data))
        waiting = self._put - self._done
        if waiting + len(data) > self._capacity or (self._left_out and waiting > self._capacity // 2):
            if not self._left_out:
                self._put_in(lambda: self._trouble("recording fell behind, so output is missing from the log"))
            self._left_out += len(data)
            return
        self._left_out = 0
        self._put += len(data)
        self._put_in(lambda: self._output(stream, data, at))

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
        self._put_in(lambda: self._recorder.request(payload))

    def trouble(self, what: str) -> None:
        self._put_in(lambda: self._trouble(what))

    def finish(self, seconds: float) -> bool:
        """Wait for the recorder to take everything, at most so long; tell whether it did."""
        self._ending = True
        self._ring()
        self._thread.join(seconds)
        if self._thread.is_alive():
            return False
        if self._bell >= 0:
            os.close(self._bell)
        return True

    def _put_in(self, work: Callable[[], None]) -> None:
        self._queue.append(work)
        if self._asleep:
            self._ring()

    def _ring(self) -> None:
        if self._bell >= 0:
            os.eventfd_write(self._bell, 1)

    def _work(self) -> None:
        looking = select.poll()
        for fd in (self._bell, self._wire):
            if fd is not None and fd >= 0:
                looking.register(fd, select.POLLIN)
        pause = None if self._bell >= 0 else NAP_SECONDS * 1000
        while True:
            self._take_all(looking)
            if self._ending and not self._queue:
                break
            self._asleep = True
            ready = [] if self._queue or self._ending else looking.poll(pause)
            self._began = time.monotonic()
            self._asleep = False
            self._look(looking, ready)

    def _take_all(self, looking: select.poll) -> None:
        glanced = self._began
        while self._queue:
            work = self._queue.popleft()
            self._began = time.monotonic()
            try:
                work()
            except Exception as error:  # noqa: BLE001 - the same
                self._failed(error)
            if self._began - glanced > GLANCE_SECONDS:
                glanced = self._began
                self._look(looking, looking.poll(0))

    def _look(self, looking: select.poll, ready: list[tuple[int, int]]) -> None:
        """See to what woke us: a bell that has been heard, requests that can be read."""
        for fd, _ in ready:
            fetch = self._fetch  # another thread may take it away at any moment
            if fd == self._bell:
                os.eventfd_read(self._bell)
            elif fetch is None:
                looking.unregister(fd)
            else:
                try:
                    fetch()
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
