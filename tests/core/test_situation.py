"""A situation is what a build's progress says, put the way a decision needs it."""

from __future__ import annotations

import pytest

from tests.histories import (
    MINUTE,
    T0,
    completes,
    degrades,
    ends,
    fails,
    history,
    holds,
    interrupts,
    releases,
    restarts,
    starts,
    waits,
)
from toolkit.core.pipeline import StateConfig
from toolkit.core.progress import fold
from toolkit.core.situation import Diagnosis, Validity, after_failure, before_attempt

KICKSTART = StateConfig(code=5)
TIMEOUT = Diagnosis(failure_class="network", signature="net.timeout")


def test_failures_are_counted_across_runs() -> None:
    """Earlier failures of the state count whichever run they were in; those of other states count for the build."""
    events = history(fails(5, "net.timeout"), restarts(), completes(5), fails(10), restarts(), fails(5, "net.timeout"))
    situation = after_failure(fold(events), KICKSTART, now_ms=events[-1].ts_ms)

    assert (situation.failure, situation.earlier, situation.failures) == (TIMEOUT, (TIMEOUT,), 2)
    assert situation.build_failures == 3


def test_interrupted_is_never_failed() -> None:
    """An attempt cut short from outside takes nothing from the allowance."""
    events = history(interrupts(5), interrupts(5), fails(5, "net.timeout"))

    assert after_failure(fold(events), KICKSTART, now_ms=events[-1].ts_ms).failures == 1


def test_a_release_forgets_what_was_spent() -> None:
    """Failures and minutes from before a person released the build no longer count."""
    steps = [fails(5, "net.timeout"), fails(5, "net.timeout"), ends("failed"), holds(5), waits(3600), releases()]
    events = history(*steps, restarts("resume"), fails(5, "net.timeout"), holder="h/b/1/2")
    situation = after_failure(fold(events), KICKSTART, now_ms=events[-1].ts_ms)

    assert (situation.failures, situation.build_failures, situation.build_minutes) == (1, 1, 1.0)


def test_elapsed_counts_from_the_first_failure_of_this_run() -> None:
    """Time since the state first failed in this run; a day between two runs is nobody's waiting."""
    events = history(
        fails(5, "net.timeout"), ends("failed"), waits(86_400), restarts(), fails(5, "net.timeout"), waits(30),
        fails(5, "net.timeout"), holder="h/b/1/2",
    )  # fmt: skip
    situation = after_failure(fold(events), KICKSTART, now_ms=events[-1].ts_ms + 15_000)

    assert situation.elapsed_seconds == 30 + 60 + 15
    assert situation.build_minutes == pytest.approx(1 + 2.75)


def test_a_clock_that_steps_back_makes_nothing_negative() -> None:
    """Elapsed time is never negative, whatever the wall clock did."""
    events = history(fails(5, "net.timeout"), holder="h/b/1/2")
    situation = after_failure(fold(events), KICKSTART, now_ms=T0 - 5 * MINUTE)

    assert (situation.elapsed_seconds, situation.build_minutes) == (0.0, 0.0)


def test_a_failure_without_a_diagnosis_is_unknown() -> None:
    """What nobody looked at is unknown, not transient."""
    events = history(fails(5))

    assert after_failure(fold(events), KICKSTART, now_ms=T0).failure == Diagnosis()


def test_nothing_failed() -> None:
    """Who asks about a failure that never was made a mistake."""
    with pytest.raises(ValueError, match="state 5 has not failed in build b-0001"):
        after_failure(fold(history(completes(5))), KICKSTART, now_ms=T0)


def test_before_an_attempt() -> None:
    """Before an attempt the situation holds what a resume depends on."""
    progress = fold(history(completes(5), degrades(), starts(10), holder="h/b/1/2"))
    validity = Validity(ok=True, why="inputs and outputs are unchanged")
    situation = before_attempt(progress, KICKSTART, now_ms=T0 + 2 * MINUTE, validity=validity, ran_again=0)

    assert not situation.failed
    assert (situation.validity, situation.ran_again, situation.degraded) == (validity, 0, True)
    assert situation.build_minutes == 2.0
