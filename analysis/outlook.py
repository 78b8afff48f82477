"""The outlook of a failure when it happens: the chance that the next attempt passes, from what goes on around it.

A ridge-penalised logistic regression (le Cessie and van Houwelingen, Applied Statistics 41, 1992) on few features that
hold for any pipeline. Its coefficients start from what is plausible and move as outcomes come in, so that it is of use
from the first failure on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
from scipy.special import ndtri

from analysis.attempts import tidy, understood
from analysis.episodes import episodes
from analysis.recommendation import Interval, Said
from toolkit.core.classes import CLASSES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

# feature, coefficient expected beforehand, penalty for leaving it
_TERMS: Final = (
    ("one", 1.3, 0.2),
    ("again", -0.8, 2.0),  # this build has failed at this state before
    ("others", -0.8, 2.0),  # log of the builds that failed there since one passed
    ("passes", 0.2, 2.0),  # log of the passes since the last failure
    ("silence", -0.2, 2.0),  # log of the hours since the last pass
)
_CLASS_PENALTY: Final = 1.0
_LEANING: Final = {"auth": -1.5, "config": -1.5, "dependency": -1.2, "test": -0.2, "resource": -0.5, "dirty": -0.3}
_NEVER_PASSED_HOURS: Final = 72.0
_STEPS: Final = 25
_SETTLED: Final = 1e-8


@dataclass(frozen=True, slots=True)
class Outlook:
    """A fitted model: one coefficient per feature of `features`."""

    coefficients: Array
    outcomes: int
    spread: Array
    """Covariance of the coefficients, from the curvature at the best of them (Laplace)."""

    def chances(self, table: Array) -> Array:
        """Give the chance of recovery for rows of `features`."""
        return np.asarray(1 / (1 + np.exp(-(table @ self.coefficients).clip(-30, 30))))

    def chance(self, row: Array) -> Interval:
        """Give the chance of recovery for one row of `features`, with its 90 % interval."""
        at, width = float(row @ self.coefficients), float(np.sqrt(row @ self.spread @ row)) * ndtri(0.95)
        mean, low, high = (float(1 / (1 + np.exp(-np.clip(each, -30, 30)))) for each in (at, at - width, at + width))
        return Interval(mean=mean, low=low, high=high)


class Prospect(Said):
    """A failure that nobody has tried again yet, and the chance that the next attempt passes."""

    build: str
    state: int
    signature: str
    chance: Interval
    outcomes: int
    """Outcomes of earlier failures that this was learnt from."""


def prospects(attempts: pl.DataFrame, pipeline: str) -> tuple[Prospect, ...]:
    """Give the open failures of a pipeline: the latest thing known of a build that has not ended well, latest first."""
    known = understood(tidy(attempts)).filter(pl.col("pipeline") == pipeline)
    told = episodes(known)
    table = features(told, known)
    outcome = told["recovered"].cast(pl.Float64)
    learnt = (told["censored"].is_null() & outcome.is_not_null()).to_numpy()
    last = known.group_by("build").agg(pl.col("over").max().alias("last"))
    ended = told.join(last, on="build", how="left", maintain_order="left")
    is_open = ((ended["over"] == ended["last"]) & (ended["next"] == "never")).to_numpy()
    model = fit(table[learnt], outcome.filter(pl.Series(learnt)).to_numpy())
    rows = told.with_row_index("row").filter(pl.Series(is_open)).select("row", "build", "state", "signature")
    return tuple(
        Prospect(
            build=build, state=state, signature=signature, chance=model.chance(table[row]), outcomes=model.outcomes
        )
        for row, build, state, signature in reversed(rows.rows())
    )


def features(episodes: pl.DataFrame, attempts: pl.DataFrame) -> Array:
    """Give a row of features for each episode, from nothing but what had happened when the attempt failed.

    `attempts` are tidy and understood; `episodes` are those of `analysis.episodes` over the same attempts.
    """
    place, here = ("pipeline", "build", "state"), ("pipeline", "state")
    failed = (pl.col("status") == "failed").cast(pl.Int64)
    settled = attempts.filter(pl.col("status").is_in(("completed", "failed"))).sort("over", *place, "attempt")
    # A spell begins with a pass and holds the failures up to the next one.
    spelled = settled.with_columns((1 - failed).cum_sum().over(here).alias("spell"))
    first = (failed * pl.col("build").is_first_distinct().over(*here, "spell", "status").cast(pl.Int64)).alias("first")
    marked = spelled.with_columns(
        first,
        (failed.cum_sum().over(place) - failed > 0).cast(pl.Float64).alias("again"),
        pl.when(failed == 0).then("over").forward_fill().over(here).alias("last_pass"),
        pl.when(failed == 1).then("spell").forward_fill().shift().over(here).alias("spell_before"),
    )
    seen = pl.col("first").cum_sum().over(*here, "spell")
    told = marked.with_columns(
        (seen - 1).cast(pl.Float64).log1p().alias("others"),
        (pl.col("spell") - pl.col("spell_before").fill_null(0)).cast(pl.Float64).log1p().alias("passes"),
        ((pl.col("over") - pl.col("last_pass")).dt.total_milliseconds() / 3.6e6)
        .fill_null(_NEVER_PASSED_HOURS).clip(0, 24 * 30).log1p().alias("silence"),
        pl.lit(1.0).alias("one"),
    ).filter(pl.col("status") == "failed")  # fmt: skip
    keys = [*place, "run", "attempt"]
    names = [name for name, _, _ in _TERMS]
    joined = episodes.select(*keys, "class").join(
        told.select(*keys, *names).unique(keys, keep="first"), on=keys, how="left", maintain_order="left"
    )
    classes = joined["class"].to_list()
    ones = np.array([[float(name == known) for known in CLASSES] for name in classes]).reshape(
        len(classes), len(CLASSES)
    )
    return np.hstack((joined.select(names).fill_null(0.0).to_numpy(), ones))


def fit(table: Array, recovered: Array) -> Outlook:
    """Fit the outlook to outcomes (0 or 1) of past failures; without any it says what is expected beforehand."""
    expected = np.array([term[1] for term in _TERMS] + [_LEANING.get(name, 0.0) for name in CLASSES])
    penalty = np.array([term[2] for term in _TERMS] + [_CLASS_PENALTY] * len(CLASSES))
    at = expected.copy()
    curve = np.diag(penalty)
    for _ in range(_STEPS):
        chances = 1 / (1 + np.exp(-(table @ at).clip(-30, 30)))
        slope = table.T @ (chances - recovered) + penalty * (at - expected)
        curve = (table * (chances * (1 - chances))[:, None]).T @ table + np.diag(penalty)
        step = np.linalg.solve(curve, slope)
        at = at - step
        if float(np.abs(step).max()) < _SETTLED:
            break
    return Outlook(at, int(recovered.size), np.linalg.inv(curve))
