"""Two arms compared while their builds come in, with a test that stays valid however often one looks.

The running difference of means gets a confidence sequence: an interval that holds the truth at all times at once, with
the stated probability. It is the asymptotic sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (Time-uniform
central limit theory and asymptotic confidence sequences, Annals of Statistics 52, 2024), a normal-mixture martingale as
in Robbins (Annals of Mathematical Statistics 41, 1970).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from analysis.recommendation import Said

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

Verdict = Literal["better", "worse", "undecided"]
LEAST_BUILDS: Final = 10
"""Fewer than so many builds in an arm prove nothing: the sequence is valid only from some size on."""
_TIGHTEST_AT: Final = 100.0
_CAP: Final = 20.0


class Arms(Said):
    """The two arms of a shared roll-out, and what the comparison says."""

    builds_new: int
    builds_old: int
    mean_new: float | None
    mean_old: float | None
    difference: float | None
    """New less old, in the unit of the values; below zero the new one costs less."""
    low: float | None
    high: float | None
    alpha: float
    verdict: Verdict
    """`worse` or `better` once the interval lies on one side of zero; a roll-back is due on `worse`."""
    why: str


def compare(new: Array, old: Array, *, alpha: float = 0.05, unit: str = "hours to green") -> Arms:
    """Compare two arms by the cost of each build, in the order the builds came; smaller is better.

    The error of ever saying `better` or `worse` where there is no difference is at most `alpha`, however often this is
    asked. Values beyond twenty times the median are cut there, in both arms alike: one lost week-end proves nothing.
    """
    both = np.concatenate((new, old))
    if min(new.size, old.size) < LEAST_BUILDS:
        return Arms(
            builds_new=new.size, builds_old=old.size, mean_new=_mean(new), mean_old=_mean(old), difference=None,
            low=None,
            high=None, alpha=alpha, verdict="undecided",
            why=f"{new.size} builds under the new phase, {old.size} under the old: it takes {LEAST_BUILDS} of each",
        )  # fmt: skip
    most = _CAP * float(np.median(both)) if float(np.median(both)) > 0 else np.inf
    one, other = np.minimum(new, most), np.minimum(old, most)
    difference = float(one.mean() - other.mean())
    reach = float(np.hypot(radius(one, alpha), radius(other, alpha)))
    low, high = difference - reach, difference + reach
    verdict: Verdict = "worse" if low > 0 else "better" if high < 0 else "undecided"
    return Arms(
        builds_new=new.size, builds_old=old.size, mean_new=_mean(new), mean_old=_mean(old), difference=difference,
        low=low, high=high, alpha=alpha, verdict=verdict, why=_words(difference, low, high, unit, verdict),
    )  # fmt: skip


def radius(values: Array, alpha: float) -> float:
    """Give the half-width, at this many values, of a confidence sequence for their mean."""
    count = values.size
    spread = float(values.std(ddof=1)) if count > 1 else np.inf
    # The mixture's width is chosen so that the sequence is tightest near _TIGHTEST_AT values.
    rho2 = (2 * np.log(1 / alpha) + np.log(1 + 2 * np.log(1 / alpha))) / _TIGHTEST_AT
    grown = count * rho2 + 1
    return float(spread * np.sqrt(2 * grown / (count**2 * rho2) * np.log(np.sqrt(grown) / alpha)))


def _mean(values: Array) -> float | None:
    return float(values.mean()) if values.size else None


def _words(difference: float, low: float, high: float, unit: str, verdict: Verdict) -> str:
    sense = "more" if difference > 0 else "less"
    told = f"{abs(difference):.2f} {unit} {sense} under the new phase ({low:+.2f} to {high:+.2f})"
    if verdict == "undecided":
        return f"{told}: no difference is proven yet"
    return f"{told}: the new phase is {verdict}, and looking again will not change that by chance"
