"""The chance that a failure passes: four ways in which failures behave, and what the evidence says of their shares.

Every failure of a group (a state, a class, a signature) behaves in one of four ways, unknown which:

| way | another attempt, in place or not | tells itself by |
| --- | --- | --- |
| `RANDOM` | passes with a fixed chance, whenever it is made | recovery that does not depend on the gap |
| `OUTAGE` | passes once the outage is over; its length is exponential | recovery after long gaps, others fail alike |
| `STUCK` | hardly ever passes before somebody repairs something | failing again and again |
| `DIRTY` | passes like `RANDOM` after a start-over, never in place | failing in place, passing after start-overs |

Shares, chance and length are unknown too, and so are drawn: a posterior is a cloud of equally likely parameters. It is
found by sequential Monte Carlo with Metropolis moves. The same evidence always gives
the same cloud.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import betaln

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from analysis.chains import Chains

    Array = NDArray[np.float64]

RANDOM, OUTAGE, STUCK, DIRTY = range(4)
NOISE: Final = 0.01
"""What is certain in the model still goes the other way so often."""
_REPAIR_CENTRE: Final = float(np.log(1.5 * 86400.0))
_REPAIR_SPREAD: Final = 1.3
_CLOUD: Final = 4096
DRAWS: Final = 768
_MOVES: Final = 6
_STEPS: Final = (0.15, 0.5, 1.3)
_COORDINATES: Final = 0.6
"""A step changes so many of the coordinates, on average."""
_FAR_OUT: Final = 6.0
_AFRESH: Final = 0.4
_EDGE: Final = 1e-9
_LOGITS: Final = 21.0
_FIRST_LEFT: Final = 0.15
_LEFT: Final = 0.5
_TAU_CENTRE: Final = float(np.log(900.0))
_TAU_SPREAD: Final = 1.9
_PASS_A, _PASS_B = 2.0, 0.8
_SEED: Final = 20260301


@dataclass(frozen=True, slots=True)
class Cloud:
    """Equally likely parameters, one per draw."""

    share: Array
    """Of the four ways, shape (4, draws)."""
    chance: Array
    """That a random failure passes at the next attempt."""
    length: Array
    """Mean length of an outage, in seconds."""
    repair: Array
    """Mean time until somebody has repaired what was stuck, in seconds."""
    base: float = 0.0
    """The share of attempts that meet the failure anyway: what an outage that is over leaves of the chance to fail."""

    def __len__(self) -> int:
        """Count the draws."""
        return int(self.chance.size)

    def take(self, places: NDArray[np.intp]) -> Cloud:
        return Cloud(self.share[:, places], self.chance[places], self.length[places], self.repair[places], self.base)


_EASY: Final = (0.55, 0.34, 0.11)
_EXPECTED: Final[Mapping[str, tuple[float, float, float]]] = MappingProxyType(
    {
        "network": _EASY,
        "contention": _EASY,
        "infrastructure": _EASY,
        "unavailable": (0.25, 0.63, 0.12),
        "rate_limited": (0.15, 0.73, 0.12),
        "auth": (0.15, 0.10, 0.75),
        "config": (0.20, 0.06, 0.74),
        "dependency": (0.20, 0.12, 0.68),
        "test": (0.34, 0.06, 0.60),
        "resource": (0.40, 0.20, 0.40),
        "dirty": (0.70, 0.05, 0.25),
        "timeout": (0.52, 0.18, 0.30),
        "stall": (0.52, 0.18, 0.30),
        "killed": (0.50, 0.18, 0.32),
    }
)
"""Shares expected of a class before any evidence: by chance (in place or not), outages, stuck."""
_UNKNOWN: Final = (0.45, 0.24, 0.31)
_STRENGTH: Final = 1.0
"""How many failures the expectation is worth; below 3, a group is expected to behave mostly in one way."""
_DIRTY: Final[Mapping[str, float]] = MappingProxyType({"dirty": 0.9, "resource": 0.8, "killed": 0.15})
"""Of sixteen failures for want of disk or memory that were provoked and tried again in place, none passed."""
_DIRTY_USUALLY: Final = 0.02
"""The chance that a group is dirty, its failures passing after a start-over and not in place: until both were seen."""
_CLEAN_PLACE: Final = (0.1, 8.0)
_DIRTY_PLACE: Final = (12.0, 0.4)
"""Beta parameters of the share that is dirty, in a group that hardly is and in one that is."""


@cache
def expected(failure_class: str | None) -> tuple[Array, float]:
    """Give what is expected of a class: Dirichlet parameters of three ways, and the chance that it is dirty."""
    known = failure_class or ""
    return np.array(_EXPECTED.get(known, _UNKNOWN)) * _STRENGTH, _DIRTY.get(known, _DIRTY_USUALLY)


def _log_dirt(marred: Array, clean: Array, dirty: float) -> Array:
    """Log density of the dirty share, up to a constant: a mixture of two Betas, in the coordinate of its logit."""
    parts = []
    for weight, (one, other) in ((1 - dirty, _CLEAN_PLACE), (dirty, _DIRTY_PLACE)):
        parts.append(np.log(weight) - betaln(one, other) + one * np.log(marred) + other * np.log(clean))
    return np.asarray(np.logaddexp(*parts))


def posterior(failure_class: str | None, evidence: Sequence[Chains]) -> Cloud:
    """Give the cloud of what is likely for failures of a class, after the evidence: its own and, scaled down, others'.

    The evidence is let in by degrees, so that the cloud never loses more than half of its effective draws at once
    (sequential Monte Carlo: Del Moral, Doucet and Jasra, Journal of the Royal Statistical Society B 68, 2006).
    """
    rng = np.random.default_rng(_SEED)
    base = evidence[0].base if evidence else 0.0
    start = prior(failure_class)
    told = total_likelihood(start, evidence)
    let_in = _next_degree(told, 0.0, _FIRST_LEFT * len(start))
    cloud = start.take(_resampled(let_in * told, DRAWS, rng))
    while let_in < 1.0:
        cloud = _moved(cloud, failure_class, evidence, let_in, rng)
        told = total_likelihood(cloud, evidence)
        before, let_in = let_in, _next_degree(told, let_in, _LEFT * DRAWS)
        cloud = cloud.take(_resampled((let_in - before) * told, DRAWS, rng))
    return replace(_moved(cloud, failure_class, evidence, 1.0, rng), base=base)


def _next_degree(told: Array, let_in: float, least: float) -> float:
    """Give how much of the evidence can be let in (up to 1) while `least` effective draws remain."""
    if _effective((1.0 - let_in) * told) >= least:
        return 1.0
    low, high = let_in, 1.0
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if _effective((middle - let_in) * told) >= least else (low, middle)
    return max(low, let_in + 1e-6)


def _effective(logs: Array) -> float:
    weights = np.exp(logs - logs.max())
    return float(weights.sum() ** 2 / (weights**2).sum())


def _resampled(logs: Array, draws: int, rng: np.random.Generator) -> NDArray[np.intp]:
    weights = np.exp(logs - logs.max())
    steps = (np.arange(draws) + rng.random()) / draws * weights.sum()
    return np.asarray(np.searchsorted(np.cumsum(weights), steps).clip(max=logs.size - 1))


@cache
def prior(failure_class: str | None) -> Cloud:
    """Give the cloud of what is expected of a class before any evidence; it is always the same."""
    rng = np.random.default_rng(_SEED)
    hoped, _ = expected(failure_class)
    marred, chances, length, repair = _redrawn(failure_class, _CLOUD, rng)
    return Cloud(_four(rng.dirichlet(hoped, _CLOUD).T, marred), chances, length, repair)


def _redrawn(failure_class: str | None, draws: int, rng: np.random.Generator) -> tuple[Array, Array, Array, Array]:
    """Draw what is dirty, the chance, and the two times from what is expected of a class."""
    _, dirty = expected(failure_class)
    place = np.where(rng.random(draws) < dirty, rng.beta(*_DIRTY_PLACE, draws), rng.beta(*_CLEAN_PLACE, draws))
    length = np.exp(rng.normal(_TAU_CENTRE, _TAU_SPREAD, draws))
    repair = np.exp(rng.normal(_REPAIR_CENTRE, _REPAIR_SPREAD, draws))
    return place.clip(_EDGE, 1 - _EDGE), rng.beta(_PASS_A, _PASS_B, draws).clip(_EDGE, 1 - _EDGE), length, repair


def _four(ways: Array, marred: Array) -> Array:
    share = np.stack((ways[0] * (1 - marred), ways[1], ways[2], ways[0] * marred)).clip(min=1e-12)
    return np.asarray(share / share.sum(axis=0))


def total_likelihood(cloud: Cloud, evidence: Sequence[Chains]) -> Array:
    """Give the log likelihood of all evidence together for each draw."""
    return np.asarray(sum((log_likelihood(cloud, chains) for chains in evidence), np.zeros(len(cloud))))


def log_likelihood(cloud: Cloud, chains: Chains) -> Array:
    """Give the log likelihood of weighted chains for each draw of a cloud, up to a constant."""
    if not chains.weight.size:
        return np.zeros(len(cloud))
    ways = _log_ways(cloud, chains)
    top = ways.max(axis=0)
    total = top + np.log(np.exp(ways - top).sum(axis=0))
    return np.asarray(chains.weight @ total)


def repeats_while_stuck(cloud: Cloud, chains: Chains) -> tuple[float, float]:
    """Give how many chains were stuck, and how often these failed again, as far as the evidence tells them apart."""
    if not chains.weight.size:
        return 0.0, 0.0
    ways = _log_ways(cloud, chains)
    likely = np.exp(ways - ways.max(axis=0))
    stuck = (likely[STUCK] / likely.sum(axis=0)).mean(axis=1) * chains.weight
    return float(stuck.sum()), float((stuck * (chains.again + chains.again_in_place)).sum())


def _log_ways(cloud: Cloud, chains: Chains) -> Array:
    """Give the log density of each way together with each chain for each draw: shape (4, chains, draws)."""
    failed, passed, unsure = np.log1p(-cloud.chance), np.log(cloud.chance), np.log(NOISE)
    again, in_place = chains.again[:, None], chains.again_in_place[:, None]
    ended, ended_in_place = chains.passed[:, None], (chains.passed & chains.in_place)[:, None]
    random = (again + in_place) * failed + ended * passed
    dirty = again * failed + np.where(ended_in_place, unsure, ended * passed)
    rate = 1.0 / cloud.length
    base = max(chains.base, NOISE)
    fails = again + in_place
    lasts = np.exp(-chains.held_out[:, None] / np.maximum(fails, 1) * rate)
    over = np.where(ended, -np.expm1(-chains.gap[:, None] * rate) * (1 - base) + NOISE**2, 1.0)
    outage = fails * np.log(lasts + (1 - lasts) * base) + np.log(over) + _log_met_by_others(chains, rate)
    unrepaired = np.log1p(-repaired(chains.held_idle[:, None], cloud.repair))
    stuck = unrepaired + np.where(ended, np.log(repaired(chains.idle[:, None], cloud.repair)), 0.0)
    return np.asarray(np.stack((random, outage, stuck, dirty)) + np.log(cloud.share)[:, None, :])


def _log_met_by_others(chains: Chains, rate: Array) -> Array:
    """Log ratio by which an outage explains the next build's fate better than anything that keeps to one build."""
    lasting = np.exp(-chains.other_gap[:, None] * rate)
    base = max(chains.base, NOISE)
    met = np.log(lasting + (1 - lasting) * base) - np.log(base)
    spared = np.log(1 - (1 - NOISE) * lasting)
    other = chains.other[:, None]
    return np.where(np.isnan(other), 0.0, np.where(other > 0, met, spared))


def repaired(idle: Array | float, repair: Array | float) -> Array:
    """Give the chance that what was stuck has been repaired while nothing ran for so many seconds, and passes."""
    return np.asarray(NOISE / 2 + (1 - NOISE) * -np.expm1(-np.asarray(idle) / repair))


def passes(cloud: Cloud, gap: Array | float, *, in_place: bool) -> Array:
    """Give the chance that an attempt after a gap (seconds) passes, for each of the four ways: shape (4, draws).

    Nothing is expected of repairs: what is stuck is repaired because somebody saw that it had failed.
    """
    over = (1 - max(cloud.base, NOISE)) * -np.expm1(-gap / cloud.length)
    nothing = np.zeros(len(cloud))
    return np.stack((cloud.chance, over, nothing, nothing if in_place else cloud.chance))


def chance(cloud: Cloud, gap: float, *, in_place: bool) -> Array:
    """Give the chance, per draw, that the first attempt after a failure passes, made after a gap (seconds)."""
    return np.asarray((cloud.share * passes(cloud, gap, in_place=in_place)).sum(axis=0))


def _moved(
    cloud: Cloud, failure_class: str | None, evidence: Sequence[Chains], let_in: float, rng: np.random.Generator
) -> Cloud:
    """Move the draws about, so that they are likely and all different: small steps, and leaps between explanations."""
    at = _Standing(_flat(cloud), failure_class, evidence, let_in)
    for turn in range(_MOVES):
        there = at.place.copy()
        if turn % 2:
            _leap(there, failure_class, rng)
        else:
            _step(there, rng)
        new = _Standing(there, failure_class, evidence, let_in)
        # What a leap redraws, it draws from what was expected beforehand: that cancels.
        gain = new.ways - at.ways + new.told - at.told + (0.0 if turn % 2 else new.rest - at.rest)
        at.take(np.log(rng.random(gain.size)) < gain, new)
    return _shaped(at.place)


@dataclass(slots=True)
class _Standing:
    """Places, and the log densities of what is there: of the ways, of the rest, and of the evidence let in."""

    place: Array
    ways: Array
    rest: Array
    told: Array

    def __init__(self, place: Array, failure_class: str | None, evidence: Sequence[Chains], let_in: float) -> None:
        cloud, (hoped, dirty) = _shaped(place), expected(failure_class)
        by_chance = cloud.share[RANDOM] + cloud.share[DIRTY]
        self.place = place
        self.ways = (hoped[:, None] * np.log(np.stack((by_chance, cloud.share[OUTAGE], cloud.share[STUCK])))).sum(
            axis=0
        )
        self.rest = _log_dirt(cloud.share[DIRTY] / by_chance, cloud.share[RANDOM] / by_chance, dirty)
        self.rest = self.rest + _PASS_A * np.log(cloud.chance) + _PASS_B * np.log1p(-cloud.chance)
        self.rest -= (np.log(cloud.length) - _TAU_CENTRE) ** 2 / (2 * _TAU_SPREAD**2)
        self.rest -= (np.log(cloud.repair) - _REPAIR_CENTRE) ** 2 / (2 * _REPAIR_SPREAD**2)
        self.told = let_in * total_likelihood(cloud, evidence)

    def take(self, takes: NDArray[np.bool_], new: _Standing) -> None:
        self.place = np.where(takes, new.place, self.place)
        self.ways = np.where(takes, new.ways, self.ways)
        self.rest = np.where(takes, new.rest, self.rest)
        self.told = np.where(takes, new.told, self.told)


def _step(place: Array, rng: np.random.Generator) -> None:
    # Far out, a share is as good as none: only the spread of what matters sets the length of the steps.
    spread = np.cov(np.vstack((place[:4].clip(-_FAR_OUT, _FAR_OUT), place[4:]))) + 1e-3 * np.eye(len(place))
    steps = np.linalg.cholesky(spread) @ rng.standard_normal(place.shape) * rng.choice(_STEPS, place.shape[1])
    place += np.where(rng.random(place.shape) < _COORDINATES, steps, 0.0)


def _leap(place: Array, failure_class: str | None, rng: np.random.Generator) -> None:
    """Let two ways change their shares in some draws, and draw some of the other parameters afresh."""
    draws = place.shape[1]
    marred, chances, length, repair = _redrawn(failure_class, draws, rng)
    fresh = np.stack((_logit(marred), _logit(chances), np.log(length), np.log(repair)))
    place[2:] = np.where(rng.random((4, draws)) < _AFRESH, fresh, place[2:])
    one, other = place[0].copy(), place[1].copy()
    swap = rng.integers(0, 4, draws)
    place[0] = np.select((swap == 1, swap == 2, swap == 3), (other, -one, one - other), one)  # noqa: PLR2004 - three pairs
    place[1] = np.select((swap == 1, swap == 2, swap == 3), (one, other - one, -other), other)  # noqa: PLR2004 - the same


def _flat(cloud: Cloud) -> Array:
    """Six unbounded numbers per draw: log ratios of ways, logits of dirty and of the chance, log times."""
    share = cloud.share
    by_chance = share[RANDOM] + share[DIRTY]
    return np.vstack(
        (
            np.log(by_chance / share[STUCK]),
            np.log(share[OUTAGE] / share[STUCK]),
            np.log(share[DIRTY] / share[RANDOM]),
            _logit(cloud.chance),
            np.log(cloud.length),
            np.log(cloud.repair),
        )
    )


def _shaped(place: Array) -> Cloud:
    logs = np.vstack((place[:2], np.zeros(place.shape[1]))).clip(-40, 40)
    ways = np.exp(logs - logs.max(axis=0))
    length, repair = np.exp(place[4:].clip(-5, 20))
    return Cloud(_four(ways / ways.sum(axis=0), _logistic(place[2])), _logistic(place[3]), length, repair)


def _logistic(logit: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-logit.clip(-_LOGITS, _LOGITS))))


def _logit(chances: Array) -> Array:
    return np.asarray(np.log(chances) - np.log1p(-chances))
