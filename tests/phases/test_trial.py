"""Two arms are compared by bets that are fair while the phases do not differ, however often one looks."""

from __future__ import annotations

import random
from itertools import product
from typing import TYPE_CHECKING, Literal

from hypothesis import given
from hypothesis import strategies as st

from phases.trial import LEAST_BUILDS, Comparison, Outcome, compare, winnings

if TYPE_CHECKING:
    from phases.rollout import Arm

Harm = Literal["none", "slow failures", "given up"]


def trial(seed: int, harm: Harm = "none", *, builds: int = 400, share: float = 0.2) -> list[Outcome]:
    """Invent builds of about an hour, of which every third fails and takes longer; `harm` befalls the new arm."""
    rng, told = random.Random(seed), []  # noqa: S311 - an invented history
    for _ in range(builds):
        arm: Arm = "new" if rng.random() < share else "old"
        fails, harmed = rng.random() < 0.3, arm == "new" and harm != "none"
        hours = rng.gauss(1, 0.1) + (rng.expovariate(0.5) if fails else 0) + (3 if fails and harmed else 0)
        told.append(Outcome(arm=arm, hours=None if fails and harm == "given up" and harmed else hours))
    return told


@given(
    st.lists(st.one_of(st.none(), st.floats(0.01, 100)), min_size=1, max_size=9), st.sampled_from([0.1, 0.2, 0.5, 0.8])
)
def test_without_a_difference_the_bets_are_fair(hours: list[float | None], share: float) -> None:
    """Over all ways in which chance may deal out the arms, winnings of c or more are as rare as one in c, or rarer."""
    chances: list[tuple[float, float, float]] = []
    either: tuple[Arm, Arm] = ("new", "old")
    for arms in product(either, repeat=len(hours)):
        dealt = share ** arms.count("new") * (1 - share) ** arms.count("old")
        told = [Outcome(arm=arm, hours=each) for arm, each in zip(arms, hours, strict=True)]
        chances.append((dealt, *winnings(told, share)))

    for much in (1.5, 3.0, 20.0):
        assert sum(dealt for dealt, worse, _ in chances if worse >= much) <= 1 / much + 1e-9
        assert sum(dealt for dealt, _, better in chances if better >= much) <= 1 / much + 1e-9


def test_harm_is_found() -> None:
    """A phase that makes failures dearer, or lets builds be given up, is told to be worse in most trials."""
    harmful: tuple[Harm, ...] = ("slow failures", "given up")
    for harm in harmful:
        verdicts = [compare(trial(seed, harm), 0.2).verdict for seed in range(40)]

        assert verdicts.count("worse") >= 30
        assert "better" not in verdicts


def test_a_benefit_is_found() -> None:
    """What harms the new arm would help it if it befell the old one."""
    swapped = [
        [each.but(arm="old" if each.arm == "new" else "new") for each in trial(seed, "slow failures")]
        for seed in range(40)
    ]

    assert [compare(told, 0.8).verdict for told in swapped].count("better") >= 30


def test_equal_arms_are_told_apart_as_rarely_as_promised() -> None:
    """Of 200 trials without a difference, at most a twentieth (and what chance adds) ends with a verdict of harm."""
    told = [compare(trial(seed, builds=200), 0.2).verdict for seed in range(200)]

    assert told.count("worse") <= 18


def test_few_builds_prove_nothing() -> None:
    """However large the difference, a few builds of an arm stay undecided, and the words say how many it takes."""
    few = [Outcome(arm="new", hours=None)] * (LEAST_BUILDS - 1) + [Outcome(arm="old", hours=1.0)] * 50

    told = compare(few, 0.2)

    assert (told.verdict, told.new.mean, told.difference) == ("undecided", None, None)
    assert told.why == "9 builds ended under the new phase, 50 under the old: it takes 10 of each"


def test_the_figures_are_those_of_green_builds() -> None:
    """Means and their difference are of builds that became green; how many did not is told beside them."""
    told: Comparison = compare(
        [Outcome(arm="new", hours=hours) for hours in (1.0, 3.0, None)] + [Outcome(arm="old", hours=4.0)], 0.5
    )

    assert (told.new.builds, told.new.green, told.new.mean, told.difference) == (3, 2, 2.0, -2.0)
    assert told.new.low is not None
    assert told.old.low is None
