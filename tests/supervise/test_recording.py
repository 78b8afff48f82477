"""The recorder's thread and the wire: it reads what comes, and sleeps over what is not its own any more."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from toolkit.supervise.recording import Nobody, Recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE_SECONDS = 20.0


@contextmanager
def wire() -> Iterator[tuple[int, int]]:
    """Give the two ends of something that requests come through."""
    ends = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    yield ends
    for each in ends:
        os.close(each)


def comes_true(what: Callable[[], bool]) -> bool:
    """Tell whether something comes true in time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not what() and time.monotonic() < deadline:
        time.sleep(0.001)
    return what()


def test_a_request_wakes_the_recorder() -> None:
    """Each request is fetched once, on no matter how long a silence it comes."""
    with wire() as (reading, writing):
        fetched: list[bytes] = []
        recording = Recording(Nobody())
        recording.start(reading, lambda: fetched.append(os.read(reading, 100)))
        for number in range(3):
            assert comes_true(lambda: not recording.busy)
            os.write(writing, b"%d" % number)
            assert comes_true(lambda: len(fetched) == number + 1)  # noqa: B023 - called at once

        assert fetched == [b"0", b"1", b"2"]
        assert recording.finish(PATIENCE_SECONDS)


def test_what_others_read_keeps_nobody_awake() -> None:
    """Once the wire is left to somebody else, a request that waits there does not turn the recorder round and round."""
    with wire() as (reading, writing):
        recording = Recording(Nobody())
        recording.start(reading, lambda: None)
        recording.leave_the_wire()
        os.write(writing, b"late")
        assert comes_true(lambda: not recording.busy)
        before = time.process_time()
        time.sleep(1)

        assert time.process_time() - before < 0.03
        assert recording.finish(PATIENCE_SECONDS)


def test_a_fetch_that_fails_is_trouble_and_no_more() -> None:
    """What goes wrong while the wire is read is told once, and what comes after it is recorded."""
    told: list[str] = []

    class Telling(Nobody):
        def request(self, payload: bytes) -> None:
            told.append(payload.decode())

        def trouble(self, what: str) -> None:
            told.append(what)

    with wire() as (reading, writing):
        recording = Recording(Telling())

        def fetch() -> None:
            os.read(reading, 100)
            raise ValueError("torn")

        recording.start(reading, fetch)
        os.write(writing, b"x")
        assert comes_true(lambda: told == ["ValueError: torn"])
        recording.request(b"after")

        assert recording.finish(PATIENCE_SECONDS)
        assert told == ["ValueError: torn", "after"]
