"""Several processes on one store, and processes that are killed."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from itertools import pairwise
from threading import Barrier

from tests.store.processes import go, spawned
from toolkit.core import events as ev
from toolkit.store import Store, open_store

WRITERS = 8
KILLS = 12


def pairs(store: Store, build: str) -> list[tuple[int, str]]:
    return [(event.ts_ms, event.reason) for event in store.events(build) if isinstance(event, ev.RecordDegraded)]


def whole(count: int) -> list[tuple[int, str]]:
    return [(number, half) for number in range(count) for half in ("one", "two")]


def test_eight_builds_at_once_lose_nothing_and_starve_nobody(url: str) -> None:
    """Eight processes create one store and record as fast as they can: all facts are there, and all had their share."""
    with ExitStack() as stack:
        running = [stack.enter_context(spawned("write", url, "1.5")) for _ in range(WRITERS)]
        assert {process.stdout.readline() for process in running if process.stdout} == {"ready\n"}
        for process in running:
            go(process)
        told = [process.communicate(timeout=60)[0].split("\n") for process in running]
        assert [process.returncode for process in running] == [0] * WRITERS
    counts = {lines[0]: len(lines) - 3 for lines in told}
    worst = max(float(lines[-2].removeprefix("worst ")) for lines in told)

    assert sorted(counts) == [f"b-{number:04d}" for number in range(1, WRITERS + 1)]
    with closing(open_store(url)) as store:
        assert {build: pairs(store, build) for build in counts} == {build: whole(n) for build, n in counts.items()}
        assert all(before < after for (before, _), (after, _) in pairwise(store.scan()))
        assert store.check() == []
    # How much of a busy machine each gets in so short a time is the machine's affair; what one takes, others lack.
    assert max(counts.values()) <= max(WRITERS, sum(counts.values()) / 2)
    assert worst < 10


def is_said(place: int, known: list[ev.Event]) -> bool:
    return any(each.ts_ms == place for each in known)


def test_of_many_who_conclude_the_same_one_records_it(url: str) -> None:
    """All come at the same moment, to say what nobody has said yet: one does, in every round."""
    rounds, together = 10, Barrier(WRITERS)

    def conclude(name: str) -> int:
        with closing(open_store(url)) as store:
            first = 0
            for place in range(rounds):
                fact = ev.PhaseChanged(build=ev.PROJECT, ts_ms=place, phase="track-only", by=name)
                together.wait(60)
                first += store.append_project(fact, unless=partial(is_said, place))
            return first

    with ThreadPoolExecutor(WRITERS) as many:
        assert sum(many.map(conclude, map(str, range(WRITERS)))) == rounds
    with closing(open_store(url)) as store:
        assert [fact.ts_ms for fact in store.project_events()] == list(range(rounds))


def test_a_killed_writer_leaves_every_acknowledged_fact_and_no_half(url: str) -> None:
    """However often it is killed: what was acknowledged is there, what was not is there whole or not at all."""
    dice = random.Random(7)  # noqa: S311 - where to strike, not a secret
    for _ in range(KILLS):
        with spawned("write", url, "60") as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
            go(writer)
            build = writer.stdout.readline().strip()
            time.sleep(dice.uniform(0.0, 0.12))
            writer.kill()
            acknowledged = len(writer.stdout.read().split("\n")) - 1
        with closing(open_store(url)) as store:
            kept = pairs(store, build)
            assert kept == whole(len(kept) // 2)
            assert len(kept) // 2 - acknowledged in {0, 1}
    with closing(open_store(url)) as store:
        assert len(store.builds()) == KILLS
        assert store.check() == []
