"""Looking at real histories: what runs, what is held, what died, and when it will be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.histories import (
    MINUTE,
    Step,
    abandons,
    completes,
    decides,
    ends,
    fails,
    history,
    holds,
    releases,
    starts,
)
from toolkit.errors import NotFound, StoreUnavailable
from toolkit.live.eyes import Eyes
from toolkit.store import Store, open_store
from toolkit.supervise.holder import HERE, this_process
from toolkit.supervise.ledger import now_ms

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from toolkit.live.view import LiveBuild

DEAD = f"{HERE}/another-boot/1/1"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path}/history.db")
    yield opened
    opened.close()


@pytest.fixture
def eyes(store: Store, tmp_path: Path) -> Iterator[Eyes]:
    """Give eyes on the same history, with a store of their own."""
    looking = Eyes(store.url, str(tmp_path))
    yield looking
    looking.close()


def add(
    store: Store, name: str, *steps: Step, ago: float = 10, holder: str | None = None, target: str | None = None
) -> None:
    """Record a build that began so many minutes ago, each word of it a minute long."""
    facts = history(
        *steps, build=name, start_ms=now_ms() - round(ago * MINUTE), target=target,
        holder=this_process() if holder is None else holder,
    )  # fmt: skip
    store.begin(lambda _: facts, build=name).close()


def one(eyes: Eyes) -> LiveBuild:
    (build,) = eyes.look().builds
    return build


def test_nothing_goes_on(store: Store, eyes: Eyes, tmp_path: Path) -> None:
    """Without a history, and with one in which all is over, the view is empty and not an error."""
    assert Eyes(f"sqlite:///{tmp_path}/none.db", str(tmp_path)).look().builds == ()
    add(store, "b-1", completes(5), ends("completed"))
    assert eyes.look().builds == ()
    with pytest.raises(NotFound):
        eyes.look("b-9")


def test_what_runs(store: Store, eyes: Eyes) -> None:
    """A running build is at the state of its last attempt; earlier completed runs say when it will be done."""
    for number in range(6):
        add(store, f"b-{number}", completes(5), completes(70), ends("completed"), ago=600 - number)
    add(store, "b-now", completes(5, name="kickstart"), starts(70, name="tests"), ago=1.25)
    build = one(eyes)

    assert (build.doing, build.state, build.name, build.attempt) == ("running", 70, "tests", 1)
    assert build.done is not None
    assert build.done.median == pytest.approx(45, abs=10)
    assert (build.done.n, build.done.completed) == (6, 6)


def test_runs_for_the_same_target_are_found_among_many_others(store: Store, eyes: Eyes) -> None:
    """A target that is built seldom is compared with its own runs, however many others were built since."""
    for number in range(19):
        add(store, f"g-{number}", completes(5), ends("completed"), ago=9000 - number, target="green")
    for number in range(35):
        add(store, f"r-{number}", completes(5), completes(70), ends("completed"), ago=5000 - number, target="red")
    add(store, "b-now", starts(5), ago=0.1, target="green")
    done = one(eyes).done
    assert done is not None
    assert (done.n, done.same_target) == (19, True)
    assert done.median == pytest.approx(54, abs=6)


def test_a_wait_is_told_until_it_is_over(store: Store, eyes: Eyes) -> None:
    """After a failure that will be retried the view says why it waits and until when."""
    add(store, "b-1", fails(5, "net.timeout"), decides(5, "retry", wait=3600, reason="worth it"), ago=1)
    build = one(eyes)
    assert (build.doing, build.error) == ("waiting", "net.timeout")
    assert build.waiting is not None
    assert build.waiting.reason == "worth it"
    assert build.waiting.until_ms == pytest.approx(now_ms() + 3_600_000, abs=60_000)
    add(store, "b-2", fails(5, "net.timeout"), decides(5, "retry", wait=3600, reason="worth it"), ago=90)
    again = eyes.look("b-2").builds[0]
    assert (again.doing, again.waiting) == ("running", None)


def test_held_builds_wait_for_a_person(store: Store, eyes: Eyes) -> None:
    """A hold shows with its reason until somebody releases or abandons the build."""
    add(store, "b-1", fails(5), holds(5), ends("failed"), holder=DEAD)
    add(store, "b-2", fails(5), holds(5), ends("failed"), releases(), holder=DEAD)
    add(store, "b-3", fails(5), holds(5), ends("failed"), abandons(), holder=DEAD)
    build = one(eyes)

    assert (build.build, build.doing, build.held, build.done) == ("b-1", "held", True, None)
    assert build.held_why
    assert [eyes.look(name).builds[0].doing for name in ("b-2", "b-3")] == ["over", "over"]


def test_a_dead_supervisor_is_found_out(store: Store, eyes: Eyes) -> None:
    """A build whose supervisor is gone is interrupted, in the view and in the history."""
    add(store, "b-1", starts(5), holder=DEAD)

    assert eyes.look("b-1").builds[0].doing == "over"
    assert store.progress("b-1").status == "interrupted"


def test_a_supervisor_elsewhere_is_named(store: Store, eyes: Eyes) -> None:
    """What another host runs is shown as running there, and is left alone as long as its lease may hold."""
    add(store, "b-1", starts(5), ago=1, holder="builder9/boot/1/1")
    for _ in range(2):
        build = one(eyes)
        assert (build.doing, build.elsewhere) == ("running", "builder9")
    assert store.progress("b-1").run_open


def test_a_decision_of_the_same_moment_is_not_missed(store: Store, eyes: Eyes) -> None:
    """What is recorded in the millisecond of the last look shows in the next one."""
    facts = history(fails(5, "net.timeout"), decides(5, "retry", wait=3600), build="b-1", start_ms=now_ms() - MINUTE,
                    holder=this_process())  # fmt: skip
    store.begin(lambda _: facts[:-1], build="b-1").close()
    assert one(eyes).doing == "running"
    store.writer("b-1").append(facts[-1])
    assert facts[-1].ts_ms == facts[-2].ts_ms
    assert one(eyes).doing == "waiting"


def test_a_build_that_ends_is_seen_once_more(store: Store, eyes: Eyes) -> None:
    """The end of a build that was watched shows in the next view, and not in those after."""
    add(store, "b-1", starts(5), ago=1)
    writer = store.writer("b-1")
    assert one(eyes).doing == "running"
    writer.append(*history(completes(5), ends("completed"), build="b-1", start_ms=now_ms())[3:])
    build = one(eyes)
    assert (build.doing, build.status) == ("over", "completed")
    assert eyes.look().builds == ()


def test_between_two_runs_a_build_is_not_over(store: Store, eyes: Eyes) -> None:
    """As long as the supervisor of the failed run lives, it may begin the next one."""
    add(store, "b-1", fails(5), ends("failed"), ago=3)
    add(store, "b-2", fails(5), ends("failed"), ago=3, holder=DEAD)
    assert [eyes.look(name).builds[0].doing for name in ("b-1", "b-2")] == ["between", "over"]


def test_recent_builds_are_shown_on_request(store: Store, eyes: Eyes) -> None:
    """The newest builds that are over come with the others, oldest first."""
    for number in range(4):
        add(store, f"b-{number}", completes(5), ends("completed"), ago=100 - number)
    assert [each.build for each in eyes.look(recent=2).builds] == ["b-2", "b-3"]


def test_a_history_that_is_away_is_said(store: Store, eyes: Eyes, tmp_path: Path) -> None:
    """When the history cannot be read for a while, what was known stays, with the reason; then it goes on."""
    add(store, "b-1", starts(5), ago=1)
    assert one(eyes).build == "b-1"
    eyes.close()
    store.close()
    database = (tmp_path / "history.db").read_bytes()
    (tmp_path / "history.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreUnavailable):
        eyes.look()
    view = eyes.try_look()
    assert [each.build for each in view.builds] == ["b-1"]
    assert view.trouble.startswith("the history cannot be read: ")
    (tmp_path / "history.db").write_bytes(database)
    assert eyes.try_look().trouble == ""
