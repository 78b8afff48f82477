"""Limits and checkpoints that the durations of good attempts suggest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from analysis.recommendation import Checkpoint, Limit
from analysis.statistics import longest_good

if TYPE_CHECKING:
    from analysis.costs import StateCosts

_LEAST_SUCCESSES: Final = 20
_ROUND_TO: Final = 60.0
_WORTH_TELLING: Final = 0.01


def timeout(attempts: pl.DataFrame, state: int) -> Limit | None:
    """Give the time limit that the successful attempts at a state suggest; None when there are fewer than 20."""
    good = attempts.filter((pl.col("state") == state) & (pl.col("status") == "completed"))["duration"].drop_nulls()
    if good.len() < _LEAST_SUCCESSES:
        return None
    seconds = -(-longest_good(good.to_numpy()) // _ROUND_TO) * _ROUND_TO
    return Limit(seconds=seconds, successes=good.len(), would_have_cut=int((good > seconds).sum()))


def checkpoint(of: StateCosts, delay: float, builds: int) -> Checkpoint | None:
    """Give what a snapshot just before a state would save: each of its failures would cost no way back.

    Young's balance (Communications of the ACM 17, 1974) for a single place: lost time times hazard against the cost of
    a snapshot. The delay before somebody starts over is not saved by it.
    """
    if not of.failures or not builds:
        return None
    saved = of.failures * max(of.lead, 0.0) / builds
    hours = 100 * saved / 3600
    return (
        Checkpoint(hours_per_100_builds=hours, pays_below_seconds=saved)
        if delay >= 0 and hours > _WORTH_TELLING
        else None
    )
