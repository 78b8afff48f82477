"""When a build will be done: ranges that hold what they promise, and no word where nothing can be said."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.remaining import FEWEST, Passage, passages, remaining
from tests.histories import MINUTE, T0, completes, ends, fails, histories, history, interrupts, restarts, starts
from toolkit.core.progress import Progress, fold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.histories import Step

HOLDER = "builder1/boot/1/1"


def build(*steps: Step, name: str = "b-now", target: str | None = None) -> Progress:
    return fold(history(*steps, build=name, target=target, holder=HOLDER))


def earlier(seconds: Sequence[float], target: str | None = None) -> list[Passage]:
    """Runs of one state, 5, that took so long and were completed."""
    return [
        Passage(
            build=f"b-{number}", pipeline="golden-image", target=target, completed=True, whole=each,
            entered={5: each}, stayed={5: each},
        )
        for number, each in enumerate(seconds)
    ]  # fmt: skip


def test_a_passage_tells_what_was_left_from_each_state() -> None:
    """Of a completed run is kept how long it still took from the last attempt at each state on."""
    (first,) = passages(build(completes(5), fails(10), completes(10), completes(70), ends("completed")))

    assert first.completed
    assert dict(first.entered) == {5: 240.0, 10: 120.0, 70: 60.0}
    assert dict(first.stayed) == {5: 60.0, 10: 60.0, 70: 60.0}
    assert first.whole == 240.0


def test_what_was_cut_short_or_still_runs_says_nothing() -> None:
    """A failed run counts as one that came to its states; an interrupted or open one does not count."""
    told = passages(build(fails(5), ends("failed"), restarts(holder=HOLDER), completes(5), completes(9)))
    assert [(each.completed, sorted(each.entered)) for each in told] == [(False, [5])]
    assert passages(build(interrupts(5), ends("interrupted"))) == ()
    assert passages(build(starts(5))) == ()


@given(histories())
def test_any_history_can_be_asked(events: list[object]) -> None:
    """Whatever happened, the answer has a range or a reason, and a range is in order and not in the past."""
    progress = fold(events)  # type: ignore[arg-type]
    for each in passages(progress):
        assert min(each.whole, *each.entered.values(), *each.stayed.values()) >= 0
    told = remaining(earlier(range(1, 40)), progress.but(pipeline="golden-image"), T0 + MINUTE)

    assert (told.span is None) == bool(told.why)
    if told.span is not None:
        assert 0 <= told.span.low <= told.span.median <= told.span.high


def test_few_runs_say_nothing() -> None:
    """Below five completed runs there is no range, and the answer says how many there are."""
    told = remaining(earlier([60] * (FEWEST - 1)), build(starts(5)), T0)
    assert (told.span, told.why) == (None, "not enough history: 4 of 5 completed runs to compare with")


def test_time_already_spent_counts() -> None:
    """Only runs that were still in the state after so long are compared, and what is over is taken off."""
    told = remaining(earlier([10, 20, *[100] * 5, 160]), build(starts(5)), T0 + MINUTE)
    assert told.span is not None
    assert (told.span.n, told.span.median, told.span.low, told.span.high) == (6, 40, 40, 100)
    late = remaining(earlier([30] * 9), build(starts(5)), T0 + MINUTE)
    assert late.why == "it has taken longer already than 9 of 9 completed runs did"


def test_between_states_the_whole_rest_is_compared() -> None:
    """Once the state is over, a run is like this one if it still went on so long after."""
    told = remaining(earlier([90] * 5), build(completes(5)), T0 + MINUTE)
    assert told.span is not None
    assert told.span.median == 30


def test_a_build_without_states_is_compared_as_a_whole() -> None:
    """Before the first state is known, the length of whole runs tells."""
    told = remaining(earlier([90] * 5), build(), T0 + MINUTE)
    assert told.span is not None
    assert told.span.median == 30


def test_a_wait_is_added() -> None:
    """While a failed state waits to be tried again, the rest of the wait comes on top of what the state takes."""
    told = remaining(earlier([90] * 5), build(fails(5)), T0 + MINUTE, wait=20)
    assert told.span is not None
    assert told.span.median == 110


def test_runs_that_fail_are_counted_not_timed() -> None:
    """The share of runs that came through stands beside the time, which holds only if this one does."""
    failed = [each.but(completed=False, build=f"f-{each.build}") for each in earlier([5] * 3)]
    told = remaining([*earlier([90] * 5), *failed], build(starts(5)), T0)
    assert (told.reached, told.completed) == (8, 5)


def test_the_same_target_is_preferred_when_it_has_runs_enough() -> None:
    """Nineteen completed runs for the target make the others uninteresting; fewer do not."""
    others = [each.but(build=f"o-{each.build}") for each in earlier([900] * 50, target="red")]
    for number, median in ((18, 900.0), (19, 60.0)):
        told = remaining([*others, *earlier([60] * number, target="green")], build(starts(5), target="green"), T0)
        assert told.span is not None
        assert (told.span.median, told.same_target) == (median, number == 19)


@pytest.mark.parametrize("n", [5, 12, 19, 40, 150])
def test_a_range_holds_what_it_promises(n: int) -> None:
    """Over many draws from a skewed law, the next run ends within the range as often as `coverage` says."""
    chance = random.Random(n)  # noqa: S311 - a simulation
    told, trials = 0.0, 4000
    inside = 0
    for _ in range(trials):
        times = [chance.lognormvariate(5, 1.2) for _ in range(n)]
        span = remaining(earlier(times), build(starts(5)), T0).span
        assert span is not None
        inside += span.low <= chance.lognormvariate(5, 1.2) <= span.high
        told = span.coverage
    assert told >= (0.9 if n >= 19 else (n - 1) / (n + 1)) - 1e-9
    assert abs(inside / trials - told) < 0.02


@given(st.lists(st.floats(1, 1e6), min_size=5, max_size=60), st.floats(0, 100))
def test_a_range_moves_with_the_clock(times: list[float], spent: float) -> None:
    """Whoever asks later, with all runs still alike, hears so much less."""
    longer = [each + 200 for each in times]
    now = remaining(earlier(longer), build(starts(5)), T0).span
    later = remaining(earlier(longer), build(starts(5)), T0 + round(spent * 1000)).span
    assert now is not None
    assert later is not None
    assert later.median == pytest.approx(now.median - round(spent * 1000) / 1000, abs=1e-6)
