"""The two arms of a phase that is tried on a share of the builds, as a report says them."""

from __future__ import annotations

from typing import Literal

from analysis.recommendation import Said


class Arm(Said):
    """One arm: its ended builds, those that became green, and the mean hours of these with a 90 % interval."""

    phase: str
    builds: int
    green: int
    mean: float | None
    low: float | None
    high: float | None


class Arms(Said):
    """Both arms of the present trial, as `phases.trial.compare` compares them."""

    share: float
    """Of all builds, from 0 to 1, that follow the new phase."""
    new: Arm
    old: Arm
    difference: float | None
    """Mean hours to green, new less old, with a 90 % interval; below zero the new phase is quicker."""
    low: float | None
    high: float | None
    worse: float
    better: float
    """Evidence in either direction; 1/alpha decides."""
    alpha: float
    verdict: Literal["better", "worse", "undecided"]
    why: str
