"""Where a build stands: what the fold of its facts promises, whatever the facts."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.histories import (
    BUILD,
    MINUTE,
    T0,
    abandons,
    completes,
    degrades,
    ends,
    facts,
    fails,
    gives,
    histories,
    history,
    holds,
    interrupts,
    releases,
    resets,
    restarts,
    reuses,
    skips,
    starts,
)  # fmt: skip
from toolkit.core import events as ev
from toolkit.core.progress import LEGAL, Progress, apply, fold

any_facts = st.lists(facts(), min_size=1, max_size=30)
told = st.one_of(histories(build=BUILD), any_facts)
SUPERVISED = "builder1/boot/1/2"


def each_step(events: list[ev.Event]) -> list[tuple[Progress, ev.Event, Progress]]:
    """Give `(before, fact, after)` for every fact."""
    steps, before = [], Progress(build=events[0].build)
    for event in events:
        after = apply(before, event)
        steps.append((before, event, after))
        before = after
    return steps


@given(told)
def test_every_attempt_ends_exactly_once(events: list[ev.Event]) -> None:
    """An attempt that has ended stays as it ended, and the history tells of one end for each."""
    for before, _, after in each_step(events):
        for was, now in zip(before.attempts, after.attempts, strict=False):
            assert (was.state, was.attempt, was.started_ms) == (now.state, now.attempt, now.started_ms)
            assert was.status in {"in_progress", now.status}
            assert was.ended_ms in {None, now.ended_ms}

    progress = fold(events)
    entries = Counter(
        (entry["state"], entry.get("attempt"), entry["status"] == "started") for entry in progress.history
    )
    for attempt in progress.attempts:
        assert entries[attempt.state, attempt.attempt, True] == 1
        assert entries[attempt.state, attempt.attempt, False] == (attempt.status != "in_progress")


@given(histories(), st.sampled_from(["failed", "completed", "interrupted"]))
def test_no_attempt_outlives_its_run(events: list[ev.Event], outcome: ev.RunOutcome) -> None:
    """When a run ends, or the next one begins, what is still open in it was interrupted, never failed."""
    progress = fold(events)
    end = ev.RunEnded(build=progress.build, ts_ms=T0, run=progress.run, outcome=outcome)
    following = ev.RunStarted(build=progress.build, ts_ms=T0, run=progress.run + 1)

    for fact in [following, *([end] if progress.run_open else [])]:
        after = apply(progress, fact)
        assert after.open_attempts() == ()
        for was, now in zip(progress.attempts, after.attempts, strict=True):
            assert now.status == ("interrupted" if was.status == "in_progress" else was.status)


@given(told)
def test_a_completed_state_never_becomes_runnable_by_itself(events: list[ev.Event]) -> None:
    """Only a new run, or a reset that says who and why, makes it so; or the failure of a twin of its attempt."""
    for before, event, after in each_step(events):
        for state, status in before.states.items():
            if status == "completed" and after.states.get(state) != "completed":
                assert isinstance(event, (ev.StateReset, ev.RunStarted, ev.AttemptFailed))
                if isinstance(event, ev.AttemptFailed):
                    assert any(a.state == state and a.attempt == event.attempt for a in before.open_attempts())


@given(told, st.data())
def test_folding_a_prefix_is_a_prefix_of_the_fold(events: list[ev.Event], data: st.DataObject) -> None:
    """Folding can stop anywhere and go on later: what is known only grows, and the end is the same."""
    cut = data.draw(st.integers(1, len(events)))
    early, whole = fold(events[:cut]), fold(events)

    assert fold(events[cut:], early) == whole
    assert whole.history[: len(early.history)] == early.history
    assert len(whole.attempts) >= len(early.attempts)


@given(told, facts())
def test_apply_is_total(events: list[ev.Event], event: ev.Event) -> None:
    """Any fact, after any history, gives a progress with a status; it never fails, nor edits the old one."""
    before = fold(events)
    kept = repr(before)
    after = apply(before, event)

    assert after.status in {"pending", "in_progress", "completed", "failed", "interrupted"}
    assert repr(before) == kept


@given(told, facts(build="b-9999"))
def test_a_fact_about_another_build_changes_nothing(events: list[ev.Event], stray: ev.Event) -> None:
    """Histories do not run into each other."""
    progress = fold(events)

    assert apply(progress, stray) is progress


@given(told)
def test_every_change_of_a_state_is_in_the_table(events: list[ev.Event]) -> None:
    """Within a run, a state's status changes only as the written table of transitions allows."""
    for before, event, after in each_step(events):
        if isinstance(event, ev.RunStarted) or before.run != after.run:
            continue
        for state in after.states:
            was, now = before.states.get(state, "pending"), after.states[state]
            kind = "attempt_interrupted" if isinstance(event, ev.RunEnded) else event.kind
            assert was == now or LEGAL[was, kind] == now


@given(told)
def test_attempts_are_numbered_across_runs(events: list[ev.Event]) -> None:
    """The number of the next attempt is above all that were, however often the build was started over."""
    progress = fold(events)

    for state in {attempt.state for attempt in progress.attempts}:
        numbers = [attempt.attempt for attempt in progress.attempts_at(state)]
        assert len(numbers) == len(set(numbers))
        assert progress.next_attempt(state) == max(numbers) + 1


@given(histories())
def test_time_never_runs_backwards(events: list[ev.Event]) -> None:
    """A build was last heard of when its latest fact that counts happened, and began with its first."""
    progress = fold(events)

    assert progress.started_ms == events[0].ts_ms
    assert progress.started_ms is not None
    assert progress.updated_ms is not None
    assert progress.started_ms <= progress.updated_ms <= events[-1].ts_ms


def test_the_design_documents_own_story() -> None:
    """A kickstart that failed and is tried again in place is in progress, with both attempts in the record."""
    progress = fold(history(fails(5, "net.timeout", "Network timeout", name="kickstart"), starts(5)))

    assert (progress.current, progress.status) == (5, "in_progress")
    assert [(each["status"], each["attempt"]) for each in progress.history] == [
        ("started", 1),
        ("failed", 1),
        ("started", 2),
    ]
    assert progress.history[1]["error"] == "Network timeout"
    assert progress.attempts[0].duration == MINUTE / 1000
    assert progress.names == {5: "kickstart"}


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        ((), "pending"),
        ((starts(5),), "in_progress"),
        ((completes(5),), "completed"),
        ((fails(5),), "failed"),
        ((fails(5), completes(5)), "completed"),
        ((interrupts(5),), "interrupted"),
        ((completes(5), fails(10), restarts()), "pending"),
        ((fails(5), restarts(), completes(5)), "completed"),
        ((skips(5),), "completed"),
    ],
)
def test_the_status_of_a_build_nobody_supervises(steps: tuple[object, ...], status: str) -> None:
    """A build known only from its facts stands as its last state does."""
    assert fold(history(*steps)).status == status  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        ((), "in_progress"),
        ((completes(5),), "in_progress"),
        ((fails(5),), "in_progress"),
        ((fails(5), ends("failed")), "failed"),
        ((completes(5), ends("completed")), "completed"),
        ((starts(5), ends("interrupted")), "interrupted"),
        ((completes(5), ends("failed")), "failed"),
    ],
)
def test_the_status_of_a_supervised_build(steps: tuple[object, ...], status: str) -> None:
    """A run that is open is in progress whatever its states; once over, it is what became of it."""
    assert fold(history(*steps, holder=SUPERVISED)).status == status  # type: ignore[arg-type]


def test_a_start_over_makes_all_states_pending() -> None:
    """A new run begins with nothing done, keeps the attempts, and remembers who completed what."""
    progress = fold(history(completes(5), fails(10), restarts()))

    assert progress.run == 2
    assert progress.states == {}
    assert progress.next_attempt(5) == 2
    assert progress.completions[5].attempt == 1


def test_a_resume_reuses_what_is_complete() -> None:
    """A state that is reused is completed without an attempt, and the record says so."""
    progress = fold(history(completes(5), fails(10), restarts("resume"), reuses(5), completes(10)))

    assert progress.states == {5: "completed", 10: "completed"}
    assert progress.history[-3]["status"] == "reused"
    assert len(progress.attempts_at(5)) == 1


def test_a_completed_state_runs_again_after_a_reset() -> None:
    """A reset in the same run makes a state pending; without it, an attempt at a completed state is not believed."""
    done = fold(history(completes(5)))
    again = ev.AttemptStarted(build=BUILD, ts_ms=T0, run=1, state=5, attempt=2)

    assert apply(done, again) is done
    assert fold(history(completes(5), resets(5), starts(5))).states == {5: "in_progress"}


def test_two_attempts_at_one_state_may_run_at_once() -> None:
    """Steps in the background overlap; each ends on its own, and the one that came through counts."""
    first, second = (ev.AttemptStarted(build=BUILD, ts_ms=T0, run=1, state=5, attempt=n) for n in (1, 2))
    ended = [ev.AttemptFailed(build=BUILD, ts_ms=T0, run=1, state=5, attempt=1),
             ev.AttemptCompleted(build=BUILD, ts_ms=T0, run=1, state=5, attempt=2)]  # fmt: skip
    progress = fold([*history(), first, second, *ended])

    assert [each.status for each in progress.attempts] == ["failed", "completed"]
    assert progress.states == {5: "completed"}


def test_a_hold_lasts_until_it_is_released() -> None:
    """A held build says so, with the reason, until a person releases it or a new run begins."""
    held = fold(history(fails(5), holds(5)))

    assert held.held
    assert held.hold is not None
    assert held.hold.reason == "wants a person"
    assert not fold(history(fails(5), holds(5), releases())).held
    assert not fold(history(fails(5), holds(5), restarts())).held
    assert not fold(history(fails(5), holds(5), abandons())).held
    assert fold(history(fails(5), abandons())).abandoned


def test_what_a_state_gave_is_kept_across_runs() -> None:
    """Values given by a state stay until it gives others, so that a reuse can give them again."""
    progress = fold(history(completes(5), gives(5, ID="1", OF="x"), gives(5, ID="2"), restarts()))

    assert progress.outputs == {5: {"ID": "2", "OF": "x"}}


def test_a_degraded_record_stays_degraded() -> None:
    """Holes in a history do not close."""
    assert fold(history(degrades(), completes(5), restarts(), completes(5))).degraded


def test_a_diagnosis_completes_the_failure_it_is_about() -> None:
    """Class, signature and evidence that are found out later stand in the failed attempt; a success has none."""
    diagnosis = ev.FailureDiagnosed(
        build=BUILD, ts_ms=T0, run=1, state=5, attempt=1, failure_class="network", signature="net.timeout",
        evidence=((812, "connection timed out"),),
    )  # fmt: skip

    failed = fold([*history(fails(5)), diagnosis]).attempts[0]
    assert (failed.failure_class, failed.signature, failed.evidence) == (
        "network", "net.timeout", ((812, "connection timed out"),),
    )  # fmt: skip
    assert fold([*history(completes(5)), diagnosis]).attempts[0].signature is None


def test_nothing_folds_to_nothing() -> None:
    """A build that never began has no progress, and asking for it is a mistake."""
    with pytest.raises(ValueError, match="no events"):
        fold([])
