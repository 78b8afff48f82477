"""Small estimates with their uncertainty: rates, limits, and what several draws say together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import stats

from analysis.recommendation import Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_TAILS: Final = (0.05, 0.95)


def interval(draws: Array) -> Interval:
    """Give the mean of equally likely values and their central 90 % interval; it always holds the mean."""
    low, high = np.quantile(draws, _TAILS)
    mean = float(draws.mean()) if np.ptp(draws) else float(draws[0])
    return Interval(mean=mean, low=min(float(low), mean), high=max(float(high), mean))


def rate(hits: float, trials: float, *, before: tuple[float, float] = (0.5, 0.5)) -> Interval:
    """Give a proportion with its 90 % credible interval under a Beta prior (Jeffreys' when none is given)."""
    posterior = stats.beta(hits + before[0], max(trials - hits, 0.0) + before[1])
    low, high = posterior.ppf(_TAILS)
    return Interval(mean=float(posterior.mean()), low=float(low), high=float(high))


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
    more = (seen + 1.0) * ((stats.norm.ppf(_TAILS[1]) * spread / mean) ** 2 - 1.0)
    return int(np.clip(np.ceil(more), 1, 999))


def longest_good(durations: Array) -> float:
    """Give a limit that a good attempt hardly ever exceeds, in seconds.

    Durations are taken as log-normal; the limit is the upper end of where the next of 10,000 attempts would still lie,
    and no less than half as long again as the longest seen.
    """
    logs = np.log(np.maximum(durations, 0.1))
    spread = max(float(logs.std(ddof=1)) if logs.size > 1 else 0.5, 0.1)
    reach = float(stats.t.ppf(0.9999, max(logs.size - 1, 3))) * spread * np.sqrt(1 + 1 / logs.size)
    return max(float(np.exp(logs.mean() + min(reach, np.log(20.0)))), 1.5 * float(durations.max()), 60.0)
