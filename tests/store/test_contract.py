"""The contract that every store keeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.histories import (
    T0,
    completes,
    facts,
    fails,
    histories,
    history,
    holds,
    releases,
    restarts,
    starts,
)  # fmt: skip
from tests.store.beginning import begin, of, on_one_store
from toolkit.core import events as ev
from toolkit.core.progress import Progress, fold
from toolkit.errors import BadInput, BuildLeased, NotFound, Refused, StoreUnavailable
from toolkit.store import Store, open_store

Open = Callable[..., Store]
SUPERVISED = "builder1/boot/1/2"


@on_one_store
@given(events=histories(), cuts=st.lists(st.integers(1, 30), max_size=5))
def test_what_is_appended_is_what_is_read(store: Store, events: list[ev.Event], cuts: list[int]) -> None:
    """Facts come back as they were, in order, however they were grouped; the writer's progress is their fold."""
    writer = begin(store, events[:2])
    for low, high in zip([2, *sorted(cuts)], [*sorted(cuts), len(events)], strict=True):
        writer.append(*of(writer.build, events[max(2, low) : max(2, high)]))

    assert store.events(writer.build) == of(writer.build, events)
    assert store.progress(writer.build) == writer.progress == fold(of(writer.build, events))


def test_a_fold_that_goes_on_is_the_fold_of_everything(opened: Open) -> None:
    """Whoever asks again reads only what is new, and gets what a fresh look gives, whatever was asked in between."""
    writing, reading = opened(), opened()
    told = history(fails(5), completes(5), restarts(), completes(5), completes(10))
    writers = [begin(writing, told[:2]) for _ in range(2)]
    for event in told[2:]:
        for writer in writers:
            writer.append(*of(writer.build, [event]))
            assert reading.progress(writer.build) == opened().progress(writer.build) == writer.progress
            assert reading.progress(writer.build) == fold(reading.events(writer.build))


@on_one_store
@given(strange=st.lists(facts(), min_size=1, max_size=8))
def test_any_fact_can_be_kept(store: Store, strange: list[ev.Event]) -> None:
    """Whatever a build printed or somebody typed, NUL and broken Unicode included, is kept as it was."""
    writer = begin(store, strange)

    assert store.events(writer.build) == of(writer.build, strange)
    assert store.latest_any() is not None


@on_one_store
@given(events=histories())
def test_a_builds_line_says_what_its_progress_says(store: Store, events: list[ev.Event]) -> None:
    """The list of builds never disagrees with the facts, after each of them."""
    writer = begin(store, events[:2])
    for event in events[2:]:
        writer.append(event.but(build=writer.build))
    [row] = [row for row in store.builds() if row.build == writer.build]
    progress = store.progress(writer.build)

    assert {name: getattr(row, name) for name in row.fields if name not in {"runs", "holder"}} == {
        name: getattr(progress, name) for name in row.fields if name not in {"runs", "holder"}
    }
    assert row.runs == progress.run
    assert row.holder == (progress.holder if progress.run_open else None)


def test_ids_are_given_in_order(store: Store) -> None:
    """The first build is b-0001; an id that was taken or imported is not given again."""
    assert [begin(store, history()).build for _ in range(2)] == ["b-0001", "b-0002"]
    store.import_builds([("b-0041", history(build="b-0041"))])
    begin(store, history(), "nightly")

    assert begin(store, history()).build == "b-0042"


def test_a_build_begins_once(store: Store) -> None:
    """An id can be chosen, and chosen only once; nothing of the second attempt is recorded."""
    begin(store, history(completes(5)), "nightly")

    with pytest.raises(Refused, match="build nightly exists already"):
        begin(store, history(), "nightly")
    assert len(store.events("nightly")) == 4


@pytest.mark.parametrize("name", ["", "@project", "a\nb", "a\0b", "\ud800"])
def test_an_id_must_be_readable(store: Store, name: str) -> None:
    """What cannot be typed again is no id."""
    with pytest.raises(BadInput, match="cannot be a build's id"):
        begin(store, history(), name)
    assert store.builds() == []


def test_a_build_whose_beginning_fails_does_not_exist(store: Store) -> None:
    """When the first facts cannot be made, no id is used up and nothing is left."""

    def fail(_: str) -> Sequence[ev.Event]:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        store.begin(fail)
    assert store.builds() == []
    assert begin(store, history()).build == "b-0001"


def test_a_fact_of_another_build_is_a_mistake(store: Store) -> None:
    """Facts do not end up in the wrong history."""
    writer = begin(store, history())

    with pytest.raises(ValueError, match="cannot be recorded under"):
        writer.append(*history(build="b-0002"))
    with pytest.raises(ValueError, match="cannot be recorded under"):
        store.begin(lambda _: history(build="elsewhere"))
    with pytest.raises(ValueError, match="cannot be recorded under"):
        store.append_project(*history())
    with pytest.raises(ValueError, match="cannot be recorded under"):
        store.import_builds([("b-0002", history(build="b-0003"))])


def test_whoever_takes_over_shuts_the_other_out(opened: Open) -> None:
    """The older writer is refused at its next fact, says nothing more, and leaves no trace; the newer one goes on."""
    first = begin(opened(), history(starts(5), holder=SUPERVISED))
    other = opened()
    second = other.writer(first.build)
    fact = ev.AttemptInterrupted(build=first.build, ts_ms=T0, run=1, state=5, attempt=1)

    assert second.progress == first.progress
    assert second.token > first.token
    with pytest.raises(BuildLeased, match=first.build):
        first.append(fact)
    with pytest.raises(BuildLeased, match=first.build):
        other.renew(first.build, first.token)
    second.append(fact)
    with pytest.raises(BuildLeased):
        first.append(fact.but(ts_ms=T0 + 1))
    assert other.events(first.build)[-1] == fact
    assert sum(isinstance(event, ev.AttemptInterrupted) for event in other.events(first.build)) == 1


def test_of_two_that_find_a_dead_writer_one_takes_over(opened: Open) -> None:
    """Whoever replaces the writer it saw wins once; the other is refused and does no harm."""
    dead = begin(opened(), history(starts(5), holder=SUPERVISED))
    one, other = opened(), opened()
    seen = [store.lease(dead.build).token for store in (one, other)]
    writer = one.writer(dead.build, replacing=seen[0])

    with pytest.raises(BuildLeased, match=f"build {dead.build} has another writer"):
        other.writer(dead.build, replacing=seen[1])
    with pytest.raises(NotFound):
        other.writer("b-0009", replacing=1)
    writer.append(ev.BuildAbandoned(build=dead.build, ts_ms=T0))


def test_taking_over_and_beginning_is_one_step(opened: Open) -> None:
    """Nobody finds a build taken and nothing begun: who looks sees both or none, and a refusal leaves neither."""
    one, other = opened(), opened()
    dead = begin(one, history(starts(5), holder=SUPERVISED))
    seen = one.lease(dead.build).token
    fact = ev.BuildAbandoned(build=dead.build, ts_ms=T0)

    def looked_at(progress: Progress) -> list[ev.Event]:
        assert progress == dead.progress
        return [fact]

    writer = one.writer(dead.build, replacing=seen, first=looked_at)
    assert writer.token == other.lease(dead.build).token == seen + 1
    assert other.progress(dead.build) == writer.progress
    assert writer.progress.abandoned
    with pytest.raises(BuildLeased):
        other.writer(dead.build, replacing=seen, first=lambda _: [fact])
    with pytest.raises(ZeroDivisionError):
        other.writer(dead.build, first=lambda _: [1 // 0])  # type: ignore[list-item]
    assert other.lease(dead.build).token == seen + 1
    writer.append(fact.but(ts_ms=T0 + 1))
    assert [event.ts_ms for event in other.events(dead.build)[-2:]] == [T0, T0 + 1]


def test_a_lease_names_the_writer(store: Store) -> None:
    """Others see who writes, with which token, and when it last said that it lives."""
    writer = begin(store, history(holder=SUPERVISED))
    assert store.lease(writer.build).renewed_ms is None
    before = store.lease(writer.build).now_ms
    store.renew(writer.build, writer.token)
    lease = store.lease(writer.build)

    assert (lease.holder, lease.token) == (SUPERVISED, writer.token)
    assert lease.renewed_ms is not None
    assert before <= lease.renewed_ms <= lease.now_ms
    writer.append(ev.RunEnded(build=writer.build, ts_ms=T0, run=1, outcome="failed"))
    assert store.lease(writer.build).holder is None
    assert store.writer(writer.build).token == lease.token + 1
    assert store.lease(writer.build).renewed_ms is None


def test_what_does_not_exist_is_not_found(store: Store) -> None:
    """A build that never was has no writer, no lease and no progress; its history is empty."""
    for ask in (store.writer, store.lease, store.progress):
        with pytest.raises(NotFound, match="there is no build b-0009"):
            ask("b-0009")
    assert store.events("b-0009") == []
    assert store.latest_any() is None
    assert store.latest("golden-image", None) is None
    assert list(store.scan()) == []


def test_builds_are_listed_and_filtered(store: Store) -> None:
    """Oldest first by when they began, not by when they were recorded; a limit keeps the newest."""
    for name, hours, pipeline, target in [
        ("c", 3, "p", "x"),
        ("a", 1, "p", None),
        ("b", 2, "q", "x"),
        ("d", 4, None, None),
    ]:
        begin(store, history(start_ms=T0 + hours * 3_600_000, pipeline=pipeline, target=target), name)
    store.writer("b").append(*history(fails(5), holds(5), build="b", start_ms=T0 + 7_200_000)[2:])

    def names(**asked: object) -> str:
        return "".join(row.build for row in store.builds(**asked))  # type: ignore[arg-type]

    assert names() == "abcd"
    assert names(limit=2) == "cd"
    assert names(pipeline="p") == "ac"
    assert names(target="x") == "bc"
    assert names(pipeline="p", target="x") == "c"
    assert (names(held=True), names(held=False), names(held=False, limit=1)) == ("b", "acd", "d")
    assert (names(status="failed"), names(status="completed")) == ("b", "")
    assert names(limit=0) == ""


def test_the_latest_build_of_a_pipeline_and_target(store: Store) -> None:
    """None matches only what has none: a build without a target is no build of every target."""
    for name, hours, pipeline, target in [
        ("a", 1, "p", "x"),
        ("b", 2, "p", None),
        ("c", 3, "p", "x"),
        ("d", 0, None, None),
    ]:
        begin(store, history(start_ms=T0 + hours * 3_600_000, pipeline=pipeline, target=target), name)

    def latest(pipeline: str | None, target: str | None) -> str | None:
        row = store.latest(pipeline, target)
        return row.build if row is not None else None

    assert [latest("p", "x"), latest("p", None), latest(None, None), latest("p", "y"), latest(None, "x")] == [
        "c", "b", "d", None, None,
    ]  # fmt: skip
    assert getattr(store.latest_any(), "build", None) == "c"


def test_scanning_goes_on_where_it_stopped(opened: Open) -> None:
    """Every fact of every build comes once, in the order of recording, however the reading is cut."""
    store, other = opened(), opened()
    one, two = begin(store, history()), begin(other, history())
    for code in (5, 10, 20):
        one.append(*of(one.build, history(completes(code))[2:]))
        two.append(*of(two.build, history(fails(code))[2:]))
    store.append_project(ev.PhaseChanged(build=ev.PROJECT, ts_ms=T0, phase="full-resume", by="ann"))
    whole = list(store.scan())

    seen: list[tuple[int, ev.Event]] = []
    while page := list(other.scan(seen[-1][0] if seen else 0, limit=3)):
        seen += page
    assert seen == whole
    assert [number for number, _ in whole] == sorted({number for number, _ in whole})
    assert [event for _, event in whole if event.build == one.build] == store.events(one.build)
    assert len(whole) == 4 + 12 + 1
    assert [(row[0], row[1], row[3], row[4]) for row in store.rows()] == [
        (number, event.build, event.ts_ms, event.kind) for number, event in whole
    ]


def test_facts_about_the_project_are_apart(store: Store) -> None:
    """A change of phase is recorded, and is no build."""
    changes = [ev.PhaseChanged(build=ev.PROJECT, ts_ms=T0 + n, phase="full-resume", by="ann") for n in range(3)]
    store.append_project(changes[0])
    store.append_project(*changes[1:])
    store.append_project()

    assert store.project_events() == changes
    assert store.builds() == []


def test_what_is_said_already_is_not_said_again(opened: Open) -> None:
    """Whoever records unless something is known sees all that others recorded, and is told whether it was needed."""
    store, other = opened(), opened()
    change = ev.PhaseChanged(build=ev.PROJECT, ts_ms=T0, phase="full-resume", by="ann")
    seen: list[list[ev.Event]] = []

    def known(facts: list[ev.Event]) -> bool:
        seen.append(facts)
        return change in facts

    assert store.append_project(change, unless=known)
    assert not other.append_project(change.but(by="bob"), unless=known)
    assert store.append_project(change.but(by="cyd"))

    assert seen == [[], [change]]
    assert [each.by for each in other.project_events() if isinstance(each, ev.PhaseChanged)] == ["ann", "cyd"]
    assert store.check() == []


def test_who_begins_a_build_may_look_at_the_others(opened: Open) -> None:
    """Of two that begin a build unless there is one, the second sees the first, which was begun as it looked."""
    one, other = opened(), opened()
    one.begin(lambda build: history(target=f"{len(one.builds())}", build=build))
    other.begin(lambda build: history(target=f"{len(other.builds())}", build=build))

    assert [(row.build, row.target) for row in one.builds()] == [("b-0001", "0"), ("b-0002", "1")]


def test_an_empty_append_is_nothing(store: Store) -> None:
    """No facts, no change."""
    writer = begin(store, history())
    writer.append()

    assert len(store.events(writer.build)) == 2


def test_a_refused_append_leaves_nothing_behind(store: Store) -> None:
    """All facts of an append are recorded, or none; the writer can go on."""
    writer = begin(store, history())
    good = ev.BuildHeld(build=writer.build, state=5, ts_ms=T0, reason="wait")
    bad = ev.StateOutputs(build=writer.build, ts_ms=T0, run=1, state=5, values={"x": object()})  # type: ignore[dict-item]

    with pytest.raises((TypeError, ValueError)):
        writer.append(good, bad)
    assert len(store.events(writer.build)) == 2
    assert not writer.progress.held
    writer.append(good)
    assert store.builds(held=True)[0].build == writer.build
    writer.append(ev.BuildReleased(build=writer.build, ts_ms=T0))
    assert store.builds(held=True) == []


def test_a_sound_store_has_no_faults(store: Store) -> None:
    """The check finds nothing where nothing is wrong."""
    begin(store, history(completes(5), fails(10), restarts(), completes(5), holds(5), releases(), holder=SUPERVISED))
    store.import_builds([("x", history(fails(5), build="x"))])
    store.append_project(ev.PhaseChanged(build=ev.PROJECT, ts_ms=T0, phase="full-resume", by="ann"))

    assert store.check() == []
    assert [event for _, event in store.readable()] == [event for _, event in store.scan()]


def test_a_reader_only_reads(opened: Open) -> None:
    """Opened for reading, a store shows everything, follows what others write, and refuses to write."""
    writer = begin(opened(), history())
    reader = opened(read_only=True)
    writer.append(*of(writer.build, history(completes(5))[2:]))

    assert reader.progress(writer.build) == writer.progress
    assert reader.check() == []
    with pytest.raises(StoreUnavailable, match="reading only"):
        reader.writer(writer.build)
    with pytest.raises(StoreUnavailable, match="reading only"):
        reader.append_project(ev.PhaseChanged(build=ev.PROJECT, ts_ms=T0, phase="full-resume", by="ann"))


def test_a_store_is_not_made_by_looking(url: str) -> None:
    """Without leave to create, a store that is not there is an error with a hint, and still not there afterwards."""
    for options in ({"create": False}, {"read_only": True}):
        with pytest.raises(StoreUnavailable, match="there is no history at") as caught:
            open_store(url, **options)
        assert "toolkit run" in caught.value.hint


def test_what_was_closed_is_there_when_opened_again(url: str) -> None:
    """A store outlives its process; closing twice is fine."""
    with closing(open_store(url)) as store:
        begin(store, history(completes(5)))
    store.close()
    with closing(open_store(url)) as store:
        assert store.builds()[0].current == 5
        assert store.writer("b-0001").token == 2
