"""Intervals hold what they promise: over worlds whose truth is known, nine of ten contain it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from analysis.recommend import recommend
from analysis.statistics import rate
from analysis.waits import Prices
from tests.bench.recommend import next_recovers, plan_of, rule_for
from tests.varied_worlds import varied
from tests.worlds import live, saving, truly_recovers

if TYPE_CHECKING:
    from analysis.recommendation import Interval

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]  # half a minute of processor time, wherever it comes from

TRAPS = ("transient", "hopeful", "unknown", "misleading", "hanging", "dirty")
SEEDS = range(100, 108)
BUILDS = 200
PROMISED = 0.9
ROUNDING = 0.01
"""Chances are told in whole per cents."""

Told = dict[str, list[tuple["Interval", float]]]


@pytest.fixture(scope="module")
def told() -> Told:
    """What is said of worlds in which a state fails by chance, or passes only after a start-over, with the truth.

    There a failure begins in as many builds as the world says, so that what an answer saves is known exactly.
    """
    found: Told = {"next attempt": [], "retry in place": [], "hours saved": []}
    for world in (varied(trap, seed) for trap in TRAPS for seed in SEEDS):
        (mode,) = world.modes
        if mode.kind not in {"random", "dirty"}:
            continue
        prices = Prices(response_hours=world.response, response_told=True)
        rule = rule_for(recommend(live(world, BUILDS, seed=11), prices=prices), mode)
        if rule is None:
            continue
        found["next attempt"].append((rule.p_recover, next_recovers(world, mode)))
        if rule.p_retry is not None:
            found["retry in place"].append((rule.p_retry, truly_recovers(world, mode, rule.wait)))
        if rule.action in {"retry", "hold"}:
            plan = plan_of(rule)
            hours = 100 * saving(world, [mode.rate], lambda _, plan=plan: plan)  # type: ignore[misc]
            found["hours saved"].append((rule.saves.hours_per_100_builds, hours))
    return found


def at_most(pairs: list[tuple[Interval, float]], width: float = 1.0) -> float:
    """Give the highest share of truths in such intervals, made so much narrower, that fits what was counted."""
    held = sum(
        told.mean - width * (told.mean - told.low) - ROUNDING
        <= truth
        <= told.mean + width * (told.high - told.mean) + ROUNDING
        for told, truth in pairs
    )
    return rate(held, len(pairs)).high


@pytest.mark.parametrize("what", ["next attempt", "retry in place", "hours saved"])
def test_nine_of_ten_intervals_hold_the_truth(told: Told, what: str) -> None:
    """The chance that the next attempt passes, that a retry in place does, and the hours saved: none is too sure."""
    assert len(told[what]) >= 25
    assert at_most(told[what]) >= PROMISED


@pytest.mark.parametrize("what", ["next attempt", "retry in place", "hours saved"])
def test_intervals_of_half_the_width_would_be_found_out(told: Told, what: str) -> None:
    """The worlds are many and different enough to tell an honest interval from one that is too narrow."""
    assert at_most(told[what], width=0.5) < PROMISED
