"""The same history under another phase."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.replay import replay
from phases import phase
from tests.analysis.frames import Telling, attempts
from tests.searching import worth
from tests.worlds import STATES, Mode, World, live
from toolkit.core.action import Hold, Pause, Retry, StartOver, Stop
from toolkit.core.pipeline import StateConfig
from toolkit.core.policy import Policy

if TYPE_CHECKING:
    import polars as pl

    from toolkit.core.action import Action
    from toolkit.core.situation import Situation


def twice_in_place(situation: Situation, policy: Policy) -> Action:
    if situation.failures <= 2:
        return Retry(reason="once more", pause=Pause(least=30, most=30))
    return StartOver(reason="enough")


def always_in_place(situation: Situation, policy: Policy) -> Action:
    return Retry(reason="once more", pause=Pause(least=30, most=30))


def always_hold(situation: Situation, policy: Policy) -> Action:
    return Hold(reason="look at it")


def resumes(situation: Situation, policy: Policy) -> Action:
    return Stop(reason="to be resumed", resumable=True)


def history(kind: str = "random", builds: int = 80, **more: float) -> pl.DataFrame:
    mode = Mode(65, kind, 0.25, "net.timeout", "network", "timed out", recovers=0.9)  # type: ignore[arg-type]
    return live(World("image", STATES, (mode,), **more), builds, 3)  # type: ignore[arg-type]


steps = st.lists(
    st.sampled_from(["completes", "fails", "fails otherwise", "interrupted", "starts over"]), min_size=1, max_size=14
)


def told(number: int, words: list[str]) -> Telling:
    """Tell a build in which whatever fails is tried again by starting over."""
    build, state = Telling(f"b-{number}", at=7200.0 * number), 10
    for word in words:
        if word == "completes":
            build.completes(state)
            state += 10
        elif word == "interrupted":
            build.interrupted(state).starts_over()
            state = 10
        elif word == "starts over":
            build.starts_over()
            state = 10
        else:
            build.fails(state, "net.timeout" if word == "fails" else "disk.full").starts_over()
            state = 10
    return build if build.rows else build.completes(10)


@worth(25)
@given(st.lists(steps, min_size=1, max_size=5))
def test_history_under_its_own_phase_is_reproduced_exactly(builds: list[list[str]]) -> None:
    """Deciding as was decided gives what was recorded, to the last second, with intervals of no width."""
    preview = replay(
        attempts([told(*each) for each in enumerate(builds)]), phase("track-only"), Policy(), phase="track-only"
    )

    for compared in (preview.hours_to_green, preview.machine_hours, preview.start_overs):
        assert compared.replayed.mean == compared.recorded
        assert compared.replayed.low == compared.recorded == compared.replayed.high
    assert preview.observed_share == 1.0
    assert preview.retries == preview.held == 0


def test_retries_that_were_made_are_reproduced_exactly() -> None:
    """A history of retries in place, replayed by who made them, is the same history."""
    builds = [
        Telling(f"b-{number}", at=9000.0 * number).completes(5).fails(20).waits(30).fails(20).waits(30).completes(20)
        for number in range(4)
    ]
    preview = replay(attempts(builds), twice_in_place, Policy(), phase="selective-retry")

    assert preview.hours_to_green.replayed.mean == preview.hours_to_green.recorded
    assert preview.retries == preview.recorded_retries == 8
    assert preview.futile_retries == 4
    assert preview.observed_share == 1.0


def test_retries_save_the_way_back_where_failures_pass() -> None:
    """Failures that pass at the next attempt cost less when the next attempt is made in place."""
    preview = replay(history(builds=160), twice_in_place, Policy(), phase="selective-retry")

    assert preview.hours_to_green.replayed.high < preview.hours_to_green.recorded
    assert preview.start_overs.replayed.mean < preview.start_overs.recorded / 2
    assert preview.retries > preview.futile_retries > 0
    assert 0 < preview.observed_share < 1


def test_retries_in_vain_cost_what_they_take() -> None:
    """Where nothing passes in place, retrying makes the build later, not earlier."""
    preview = replay(history("stuck"), twice_in_place, Policy(), phase="selective-retry")

    assert preview.futile_retries > 0.7 * preview.retries
    assert preview.machine_hours.replayed.mean > preview.machine_hours.recorded - 1


def test_a_resume_goes_on_where_it_failed() -> None:
    """What is complete is not run again: fewer machine hours, and no start-over."""
    preview = replay(history(), resumes, Policy(), phase="full-resume")

    assert preview.start_overs.replayed.mean < preview.start_overs.recorded
    assert preview.machine_hours.replayed.mean < preview.machine_hours.recorded


def test_who_goes_on_does_so_when_the_next_run_began_and_fares_as_it_did() -> None:
    """Nobody comes sooner or later because a build can be resumed; what was recorded of the state then, holds."""
    builds = []
    for number in range(30):
        build = Telling(f"b-{number}", at=90000.0 * number).completes(5, 3600)
        for _ in range(number % 3):  # it fails again and again, and is started over after half an hour
            build.fails(20, lasts=100.0).starts_over(1800).completes(5, 3600)
        builds.append(build.completes(20, 600))
    preview = replay(attempts(builds), resumes, Policy(), phase="full-resume")

    told = preview.hours_to_green
    # On average a build failed once: that costs the failure and the half hour, and no longer the first state again.
    assert told.recorded == pytest.approx((3600 + 600 + 100 + 1800 + 3600) / 3600, abs=0.01)
    assert told.replayed.mean == pytest.approx((3600 + 600 + 100 + 1800) / 3600, rel=0.15)
    assert preview.observed_share > 0.8


def test_a_resume_in_vain_is_no_retry_in_vain() -> None:
    """Going on at the failed state is what a person or CI does: it counts among the retries neither made nor futile."""
    preview = replay(history("stuck"), resumes, Policy(), phase="full-resume")

    assert preview.retries == preview.futile_retries == 0


def test_a_hold_waits_for_a_person() -> None:
    """Each failure that is held is counted and costs the person's time."""
    preview = replay(history(), always_hold, Policy(), phase="full-resume")

    assert preview.held > 0
    assert preview.retries == 0


def test_a_decision_that_never_gives_up_ends_nevertheless() -> None:
    """A policy without a limit cannot make a replay endless."""
    preview = replay(history("stuck"), always_in_place, Policy(), phase="selective-retry")

    assert preview.builds == 80


def test_the_built_in_strategy_retries_what_is_transient() -> None:
    """What decides live builds decides the replay: `expensive` retries a network failure, `none` does not."""
    replays = {}
    for strategy in ("expensive", "none"):
        states = {65: StateConfig(code=65, strategy=strategy)}
        replays[strategy] = replay(
            history(), phase("selective-retry"), Policy(), phase="selective-retry", states=states
        )

    assert replays["expensive"].retries > 0
    assert replays["expensive"].start_overs.replayed.mean < replays["expensive"].start_overs.recorded
    assert replays["none"].hours_to_green.replayed.mean == replays["none"].hours_to_green.recorded


def test_full_resume_retries_exactly_as_selective_retry_does() -> None:
    """Only the starting point differs: the same retries, and no state runs twice."""
    states = {65: StateConfig(code=65, strategy="none")}
    selective, full = (
        replay(history(), phase(name), Policy(), phase=name, states=states)
        for name in ("selective-retry", "full-resume")
    )

    assert selective.retries == full.retries == 0
    assert full.machine_hours.replayed.mean < selective.machine_hours.replayed.mean


def test_the_same_seed_gives_the_same_preview() -> None:
    """A preview is a computation, not an experiment."""
    first, second = (replay(history(), twice_in_place, Policy(), phase="selective-retry", seed=4) for _ in range(2))

    assert first == second


@pytest.mark.parametrize("builds", [0, 2])
def test_a_history_without_failures_has_nothing_to_decide(builds: int) -> None:
    """Empty and green histories replay to themselves."""
    green = [Telling(f"b-{number}").completes(5).completes(20) for number in range(builds)]
    preview = replay(attempts(green), twice_in_place, Policy(), phase="selective-retry")

    assert preview.builds == builds
    assert preview.hours_to_green.replayed.mean == preview.hours_to_green.recorded
    assert preview.shape().keys() >= {
        "phase", "builds", "hours_to_green", "machine_hours", "start_overs", "retries", "futile_retries", "held",
        "observed_share",
    }  # fmt: skip
