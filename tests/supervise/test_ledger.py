"""What is still known of a run after its end is recorded, also when people have spoken about the build meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from phases import phase
from phases.shadow import shadow
from tests.supervise.projects import project_in
from toolkit.core import events as ev
from toolkit.store import open_store
from toolkit.supervise import wishes
from toolkit.supervise.deciding import Decider, Phases
from toolkit.supervise.diagnosing import Diagnostician
from toolkit.supervise.holder import this_process
from toolkit.supervise.ledger import Ledger, now_ms
from toolkit.supervise.notifying import Herald

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from toolkit.core.progress import Progress
    from toolkit.store import Store, Writer

BUILD = "b-0001"


def started(run: int, lease: float | None = None) -> ev.RunStarted:
    return ev.RunStarted(build=BUILD, ts_ms=now_ms(), run=run, holder=this_process(), lease=lease)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Give an empty store."""
    kept = open_store(f"sqlite:///{tmp_path}/history.db")
    yield kept
    kept.close()


class Ran:
    """A run whose only state has failed, and whose supervisor has not said yet what the failure was."""

    def __init__(self, store: Store, lease: float | None) -> None:
        self.said: list[str] = []
        self._store = store
        writer = store.begin(lambda build: (ev.BuildBegun(build=build, ts_ms=now_ms()), started(1, lease)))
        self.ledger = Ledger(writer, phase="selective-retry", host="here", warn=self.said.append)
        self.ledger.retake = self._retake
        self.ledger.start(5, "kickstart")
        self.ledger.fail(self.ledger.progress.open_attempts()[0], "exit code 7", exit_code=7)
        self.ledger.end("failed", exit_code=7)

    def _retake(self, first: Callable[[Progress], Sequence[ev.Event]]) -> Writer:
        return self._store.writer(BUILD, replacing=self._store.lease(BUILD).token, first=first)

    def diagnosed(self) -> None:
        """Say what it was."""
        fact = self.ledger.fact(
            ev.FailureDiagnosed, state=5, attempt=1, failure_class="network", signature="net.timeout"
        )
        self.ledger.record(fact)


@pytest.mark.parametrize("lease", [None, 30.0], ids=["tracked", "leased"])
def test_people_may_speak_before_a_failure_is_diagnosed(store: Store, lease: float | None) -> None:
    """A hold right after the end of a run is kept, and so is what the supervisor finds out later; nobody is warned."""
    ran = Ran(store, lease)
    wishes.say(store, BUILD, wishes.hold("alice", "looking"))
    ran.diagnosed()
    wishes.say(store, BUILD, wishes.abandon("alice", None))
    ran.ledger.record(ran.ledger.fact(ev.Notified, about="failure", incident="x"))

    assert (ran.said, ran.ledger.degraded, ran.ledger.is_lost(), ran.ledger.is_whole()) == ([], False, False, True)
    assert [each.kind for each in store.events(BUILD)][-4:] == [
        "build_held", "failure_diagnosed", "build_abandoned", "notified"
    ]  # fmt: skip
    stands = store.progress(BUILD)
    assert (stands.attempts[0].failure_class, stands.abandoned) == ("network", True)
    assert ran.ledger.progress == stands


def test_who_releases_a_build_before_its_failure_is_diagnosed_has_decided(store: Store, tmp_path: Path) -> None:
    """The diagnosis is kept, nothing else is decided about the failure, and nobody is warned."""
    ran = Ran(store, None)
    project, failed = project_in(tmp_path), ran.ledger.progress.attempts[0]
    decider = Decider(
        project, store, ran.ledger, Phases(decide=phase, shadow=shadow), Diagnostician((), store, str(tmp_path)),
        herald=Herald(project, store, ran.ledger), phase="selective-retry",
    )  # fmt: skip
    wishes.say(store, BUILD, wishes.hold("alice", "looking"))
    wishes.say(store, BUILD, wishes.release("alice", "again"))

    assert [decider.after(failed).action.name for _ in range(2)] == ["stop", "stop"]
    assert (ran.said, ran.ledger.is_whole()) == ([], True)
    kinds = [each.kind for each in store.events(BUILD)]
    assert kinds[-3:] == ["build_held", "build_released", "failure_diagnosed"]


@pytest.mark.parametrize("lease", [None, 30.0], ids=["tracked", "leased"])
def test_what_runs_again_is_not_written_into(store: Store, lease: float | None) -> None:
    """Once another run has begun it alone records, and whoever is late says so once."""
    ran = Ran(store, lease)

    def next_run(seen: Progress) -> Sequence[ev.Event]:
        return (started(seen.run + 1, lease),)

    other = store.writer(BUILD, replacing=store.lease(BUILD).token, first=next_run)
    ran.diagnosed()
    ran.diagnosed()

    assert ran.said == [f"recording is in trouble, the build goes on: build {BUILD} is being run again"]
    assert ran.ledger.is_whole() is False
    other.append(ev.RunEnded(build=BUILD, ts_ms=now_ms(), run=2, outcome="completed"))
    assert [each.kind for each in store.events(BUILD)][-2:] == ["run_started", "run_ended"]


def test_trouble_that_is_noted_while_facts_are_written_is_kept(store: Store) -> None:
    """That a store hangs is said on another thread, and stays said when the store takes the facts after all."""
    writer = store.begin(lambda build: (ev.BuildBegun(build=build, ts_ms=now_ms()), started(1)))
    ledger = Ledger(writer, phase="track-only", host="here", warn=lambda _: None)
    put = writer.append

    def late(*facts: ev.Event) -> None:
        ledger.trouble("the store does not answer")
        put(*facts)

    writer.append = late  # type: ignore[method-assign]
    ledger.start(5, "kickstart")

    assert ledger.progress.degraded
    assert ledger.is_whole()
    assert [each.kind for each in store.events(BUILD)][-2:] == ["attempt_started", "record_degraded"]
