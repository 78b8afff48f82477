"""The breaker across builds is read from their history: who waits, who tries, and when all may go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.histories import Step, completes, fails, history
from toolkit.core.policy import Budget
from toolkit.store import open_store
from toolkit.supervise.holder import this_process
from toolkit.supervise.incidents import breaker_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from toolkit.store import Store

NOW = 1_772_360_100_000
MINUTE = 60_000
DEAD = this_process().rsplit("/", 1)[0] + "/1"
BUDGET = Budget(breaker=3)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Give an empty store."""
    kept = open_store(f"sqlite:///{tmp_path}/history.db")
    yield kept
    kept.close()


def lives(store: Store, name: str, *steps: Step, minutes_ago: float, holder: str = "elsewhere/boot/1/2") -> None:
    """Let a build begin so long ago; it is being run by `holder`."""
    start = NOW - round(minutes_ago * MINUTE)
    events = history(*steps, build=name, holder=holder, start_ms=start)
    store.begin(lambda _: events, build=name)


def stands(store: Store, name: str, budget: Budget = BUDGET) -> str:
    """Ask how the breaker stands for the last failure of a build."""
    progress = store.progress(name)
    failed = [each for each in progress.attempts if each.status == "failed"][-1]
    return breaker_for(store, progress, failed, budget, now_ms=NOW)


DOWN = fails(5, "net.timeout")


def test_few_failures_are_no_outage(store: Store) -> None:
    """Below the limit everybody retries as its rule says."""
    lives(store, "b-1", DOWN, minutes_ago=20)
    lives(store, "b-2", DOWN, minutes_ago=10)
    assert [stands(store, each) for each in ("b-1", "b-2")] == ["closed", "closed"]


def test_one_probes_and_the_others_wait(store: Store) -> None:
    """From the limit on the build that failed first tries, however often it fails meanwhile, and all others wait."""
    lives(store, "b-1", DOWN, DOWN, DOWN, minutes_ago=30)
    lives(store, "b-2", DOWN, DOWN, minutes_ago=20)
    lives(store, "b-3", DOWN, minutes_ago=10)
    assert [stands(store, each) for each in ("b-1", "b-2", "b-3")] == ["probe", "open", "open"]
    assert stands(store, "b-2", Budget(breaker=0)) == "closed"


def test_who_died_does_not_probe(store: Store) -> None:
    """A build whose supervisor is dead tries nothing more: the next one does."""
    lives(store, "b-1", DOWN, minutes_ago=30, holder=DEAD)
    lives(store, "b-2", DOWN, minutes_ago=20)
    lives(store, "b-3", DOWN, minutes_ago=10)
    assert [stands(store, each) for each in ("b-2", "b-3")] == ["probe", "open"]


def test_the_first_success_ends_it_for_all(store: Store) -> None:
    """When one build came through, what failed before is forgotten; what fails after it counts anew."""
    lives(store, "b-1", DOWN, completes(5), minutes_ago=8)
    for number, ago in ((2, 30), (3, 20), (4, 15)):
        lives(store, f"b-{number}", DOWN, minutes_ago=ago)
    assert {stands(store, f"b-{number}") for number in (2, 3, 4)} == {"closed"}
    for number in (5, 6, 7):
        lives(store, f"b-{number}", DOWN, minutes_ago=3 - number / 10)
    assert [stands(store, f"b-{number}") for number in (4, 5, 6, 7)] == ["closed", "probe", "open", "open"]


def test_an_hour_ago_is_another_outage(store: Store) -> None:
    """Failures that are older than the window count no more."""
    for number in (1, 2, 3):
        lives(store, f"b-{number}", DOWN, minutes_ago=90)
    lives(store, "b-4", DOWN, minutes_ago=5)
    assert stands(store, "b-4") == "closed"


def test_another_signature_is_another_outage(store: Store) -> None:
    """Only builds that fail alike count together."""
    for number, signature in enumerate(("net.timeout", "http.503", "dns.failed"), 1):
        lives(store, f"b-{number}", fails(5, signature), minutes_ago=10)
    assert stands(store, "b-1") == "closed"
