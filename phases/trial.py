"""Compares the two arms of a phase on trial with a test that stays valid however often one looks.

Which arm a build is in was drawn by its name alone, so where the phase makes no difference, nothing about a build's
end helps to guess its arm. The test bets on such guesses: each build's hours are ranked among those before it, and a
stake is put on the slower (or the quicker) ones being of the new arm, at the odds that the share makes fair. Without a
difference the winnings are a martingale that starts at 1, so the chance that they ever reach 1/alpha is at most alpha
(Ville 1939; testing by betting: Shafer, Journal of the Royal Statistical Society A 184, 2021). It needs no model of how
long builds take: one lost week-end counts as one slow build, and a build that was given up as the slowest of all.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from math import exp, inf, sqrt
from typing import TYPE_CHECKING, Any, Final, Literal

from phases.rollout import Arm
from toolkit.core.values import Value
from toolkit.core.words import how_many

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


Verdict = Literal["better", "worse", "undecided"]

ALPHA: Final = 0.05
LEAST_BUILDS: Final = 10
"""Fewer builds in an arm than this prove nothing to a person, whatever the bets won."""
_STAKES: Final = (1.0, 2.0, 4.0, 8.0)
_FLOORS: Final = (-0.5, 0.2, 0.35)
"""How boldly is bet, and on which builds: all, the slower 30 %, the slowest 15 %, for failures show in these. Each pair
is an account of its own with an equal part of the money; which one wins depends on the difference."""
_NORMAL_90: Final = 1.645


class Outcome(Value):
    """How a build in a trial ended: hours from its beginning to green, None where it was given up."""

    arm: Arm
    hours: float | None


class Figures(Value):
    """One arm: its ended builds, those of them that became green, and the mean hours of these with a 90 % interval."""

    builds: int
    green: int
    mean: float | None
    low: float | None
    high: float | None


class Comparison(Value):
    """What the two arms say so far. `evidence` for each direction is the winnings of its bets, 1 at the start."""

    new: Figures
    old: Figures
    difference: float | None
    """Mean hours to green, new less old: below zero the new phase is quicker."""
    low: float | None
    high: float | None
    """Its 90 % interval, as of now; it describes, the bets decide."""
    worse: float
    better: float
    alpha: float
    verdict: Verdict
    why: str

    def shape(self) -> dict[str, Any]:
        """Give it as JSON-ready values."""
        return {**self.__dict__, "new": dict(self.new.__dict__), "old": dict(self.old.__dict__)}


def compare(outcomes: Iterable[Outcome], share: float, *, alpha: float = ALPHA) -> Comparison:
    """Compare the arms by builds in the order in which they ended; the new arm holds `share` of all, 0 < share < 1.

    The chance of ever saying `worse` where the phases do not differ is at most `alpha`, and the same for `better`.
    """
    told = list(outcomes)
    worse, better = winnings(told, share)
    new, old = (_figures([each.hours for each in told if each.arm == arm]) for arm in ("new", "old"))
    difference, reach = _difference(new, old)
    enough = min(new.builds, old.builds) >= LEAST_BUILDS
    verdict: Verdict = "undecided"
    if enough and max(worse, better) >= 1 / alpha:
        verdict = "worse" if worse > better else "better"
    low, high = (None, None) if difference is None or reach is None else (difference - reach, difference + reach)
    return Comparison(
        new=new, old=old, difference=difference, low=low, high=high, worse=worse, better=better, alpha=alpha,
        verdict=verdict, why=_words(new, old, max(worse, better), verdict, alpha),
    )  # fmt: skip


def winnings(outcomes: Sequence[Outcome], share: float) -> tuple[float, float]:
    """Give what bets on "slower builds are of the new arm" and on "quicker ones are" have won at their highest."""
    bets = [(stake, floor) for stake in _STAKES for floor in _FLOORS]
    accounts = {sign: [1.0 / len(bets)] * len(bets) for sign in (1, -1)}
    highest = [1.0, 1.0]
    before: list[float] = []
    for each in outcomes:
        hours = inf if each.hours is None else each.hours
        insort(before, hours)
        place = (bisect_left(before, hours) + bisect_right(before, hours)) / (2 * len(before)) - 0.5
        for side, (sign, account) in enumerate(accounts.items()):
            for number, (stake, floor) in enumerate(bets):
                if place > floor:
                    odds = exp(sign * stake * place)
                    guess = share * odds / (share * odds + 1 - share)
                    account[number] *= guess / share if each.arm == "new" else (1 - guess) / (1 - share)
            highest[side] = max(highest[side], sum(account))
    return highest[0], highest[1]


def _figures(hours: Sequence[float | None]) -> Figures:
    green = [each for each in hours if each is not None]
    if not green:
        return Figures(builds=len(hours), green=0, mean=None, low=None, high=None)
    mean = sum(green) / len(green)
    if len(green) == 1:
        return Figures(builds=len(hours), green=1, mean=mean, low=None, high=None)
    spread = sqrt(sum((each - mean) ** 2 for each in green) / (len(green) - 1))
    reach = _NORMAL_90 * spread / sqrt(len(green))
    return Figures(builds=len(hours), green=len(green), mean=mean, low=mean - reach, high=mean + reach)


def _difference(new: Figures, old: Figures) -> tuple[float | None, float | None]:
    """Give new less old and the half-width of its interval."""
    if new.mean is None or old.mean is None:
        return None, None
    if new.high is None or old.high is None:
        return new.mean - old.mean, None
    return new.mean - old.mean, sqrt((new.high - new.mean) ** 2 + (old.high - old.mean) ** 2)


def _words(new: Figures, old: Figures, evidence: float, verdict: Verdict, alpha: float) -> str:
    if min(new.builds, old.builds) < LEAST_BUILDS:
        ended = f"{how_many(new.builds, 'build')} ended under the new phase, {old.builds} under the old"
        return f"{ended}: it takes {LEAST_BUILDS} of each"
    told = f"{_arm(new)} under the new phase, {_arm(old)} under the old"
    if verdict == "undecided":
        return f"{told}: no difference is proven yet (evidence {evidence:.1f} of {1 / alpha:.0f})"
    return f"{told}: the new phase is {verdict} (evidence {evidence:.0f}, {1 / alpha:.0f} decides)"


def _arm(figures: Figures) -> str:
    share = f"{figures.green} of {how_many(figures.builds, 'build')} green"
    return share if figures.mean is None else f"{share} in {figures.mean:.2f} h on average"
