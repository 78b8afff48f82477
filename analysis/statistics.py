"""Small estimates with their uncertainty: rates, limits, and what several draws say together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
from scipy.special import betaincinv, ndtri, stdtrit

from analysis.recommendation import Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_TAILS: Final = (0.05, 0.95)
_LEVELS: Final = ("pipeline", "state", "class", "signature")
_LEANS: Final = 2.0
_ALIKE: Final = 0.5
"""Assumed likeness of the fates within one incident."""


def interval(draws: Array) -> Interval:
    """Give the mean of equally likely values and their central 90 % interval; it always holds the mean."""
    low, high = np.quantile(draws, _TAILS)
    mean = float(draws.mean()) if np.ptp(draws) else float(draws[0])
    return Interval(mean=mean, low=min(float(low), mean), high=max(float(high), mean))


def rate(hits: float, trials: float, *, before: tuple[float, float] = (0.5, 0.5)) -> Interval:
    """Give a proportion with its 90 % credible interval under a Beta prior (Jeffreys' when none is given)."""
    passed, failed = hits + before[0], max(trials - hits, 0.0) + before[1]
    low, high = betaincinv(passed, failed, _TAILS)
    return Interval(mean=float(passed / (passed + failed)), low=float(low), high=float(high))


def recovery(episodes: pl.DataFrame) -> dict[tuple[str, int, str, str], Interval]:
    """Give for each (pipeline, state, class, signature) the chance that the next attempt recovers.

    Partial pooling as a chain of Beta-binomials: a signature leans on its class at the state, that on the class, that
    on all failures, each with the weight of two failures
    (why this beats going alone: Efron and Morris, JASA 70, 1975).
    Each failure counts in the mean, so that one more recovery never lowers it; the width follows from the incidents, as
    failures of one incident are hardly more than one.
    """
    told = episodes.filter(pl.col("recovered").is_not_null() & pl.col("censored").is_null())
    size = pl.len().over("incident", *_LEVELS)
    weighed = told.with_columns((1.0 / (1.0 + (size - 1) * _ALIKE)).alias("worth"))
    counted = weighed.group_by(_LEVELS).agg(
        pl.col("recovered").sum().cast(pl.Float64).alias("passed"),
        pl.len().cast(pl.Float64).alias("tried"),
        pl.col("worth").sum(),
    )
    rows = episodes.select(_LEVELS).unique().join(counted, on=list(_LEVELS), how="left").fill_null(0.0).sort(_LEVELS)
    mean = pl.lit(0.5)
    inner = (("class",), ("class", "pipeline", "state"), _LEVELS)
    for outer, level in zip(((), *inner), inner, strict=False):
        # What lies beside a group at its level, itself left out: nobody leans on his own evidence twice.
        passed, tried = (_all(name, outer) - _all(name, level) for name in ("passed", "tried"))
        rows = rows.with_columns(((passed + _LEANS * mean) / (tried + _LEANS)).alias("on"))
        mean = pl.col("on")
    rows = rows.with_columns(
        ((pl.col("passed") + _LEANS * pl.col("on")) / (pl.col("tried") + _LEANS)).alias("mean"),
        pl.col("worth") + _LEANS,
    )
    means, worth = rows["mean"].to_numpy(), rows["worth"].to_numpy()
    ends = zip(*(betaincinv(means * worth, (1 - means) * worth, tail) for tail in _TAILS), strict=True)
    return {
        row: Interval(mean=float(mean), low=float(low), high=float(high))
        for row, mean, (low, high) in zip(rows.select(_LEVELS).iter_rows(), means, ends, strict=True)
    }


def _all(name: str, level: tuple[str, ...]) -> pl.Expr:
    return pl.col(name).sum().over(level) if level else pl.col(name).sum()


def rate_draws(hits: float, trials: float, draws: int, seed: int) -> Array:
    """Draw a proportion from its posterior under Jeffreys' prior; the same seed gives the same draws."""
    rng = np.random.default_rng(seed)
    return rng.beta(hits + 0.5, max(trials - hits, 0.0) + 0.5, draws)


def more_needed(gain: Array, seen: float) -> int:
    """Give how many more failures like the `seen` ones would make an expected gain a sure one, if it stays as it is.

    The spread of a posterior mean shrinks with the root of the evidence; one failure's worth stands for the prior.
    """
    mean, spread = float(gain.mean()), float(gain.std())
    if mean <= 0:
        return 0
    more = (seen + 1.0) * ((ndtri(_TAILS[1]) * spread / mean) ** 2 - 1.0)
    return int(np.clip(np.ceil(more), 1, 999))


def longest_good(durations: Array) -> float:
    """Give a limit that a good attempt hardly ever exceeds, in seconds.

    Durations are taken as log-normal; the limit is the upper end of where the next of 10,000 attempts would still lie,
    and no less than half as long again as the longest seen.
    """
    logs = np.log(np.maximum(durations, 0.1))
    spread = max(float(logs.std(ddof=1)) if logs.size > 1 else 0.5, 0.1)
    reach = float(stdtrit(max(logs.size - 1, 3), 0.9999)) * spread * np.sqrt(1 + 1 / logs.size)
    return max(float(np.exp(logs.mean() + min(reach, np.log(20.0)))), 1.5 * float(durations.max()), 60.0)
