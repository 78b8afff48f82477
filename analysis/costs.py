"""What a failure puts at stake: how long attempts take, how far the way back is, and when one starts over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from analysis.chains import begins
from analysis.waits import Stakes, Unsure

_LONGEST_DELAY: Final = 8 * 3600.0
"""Who comes back later than this has been home: the night is no fault of the failure."""
_USUAL_VAIN: Final = 2.0
_VAIN_SPREAD: Final = 0.5
_USUAL_SPREAD: Final = 1.0
_MOST_FAILING: Final = 0.95


@dataclass(frozen=True, slots=True)
class StateCosts:
    """Of one state: counts, and durations in seconds."""

    code: int
    name: str | None
    attempts: int
    failures: int
    completes: float
    fails: float
    lead: float
    """Expected from the beginning of a run until this state begins, with failures and start-overs on the way."""
    detours: float = 0.0
    """The share of `lead` that failures on the way cost."""

    @property
    def failing(self) -> float:
        """The chance that an attempt fails, drawn a little towards a half so that it is never certain."""
        return min(_MOST_FAILING, (self.failures + 0.5) / (self.attempts + 1.0)) if self.failures else 0.0


@dataclass(frozen=True, slots=True)
class Costs:
    """Of one pipeline."""

    states: Mapping[int, StateCosts]
    delay: float
    """From a failure to the start-over, on average."""
    delay_unsure: float = 0.0
    """Its standard error, as a share of it."""

    def stakes(self, state: int, own_fails: tuple[float, int, float], stuck: tuple[float, float]) -> Stakes:
        """Give what is at stake for a group whose failures took `own_fails`: their sum, their count, their spread.

        `stuck` is how many of its builds were stuck, and how often these failed again before anybody helped or gave up.
        """
        of = self.states[state]
        total, count, spread = own_fails
        builds, again = stuck
        fails = (total + of.fails) / (count + 1.0)
        return Stakes(
            fails=fails,
            completes=of.completes,
            lead=of.lead,
            delay=self.delay,
            vain=(again + _USUAL_VAIN) / (builds + 1.0),
            unsure=Unsure(
                fails=_unsure(fails, spread, count),
                lead=of.detours * self.delay_unsure,
                delay=self.delay_unsure,
                vain=_VAIN_SPREAD / (builds + 1.0) ** 0.5,
            ),
        )


def _unsure(mean: float, spread: float, count: int) -> float:
    """Give the standard error of a mean as a share of it; of the spread, too, little is known from few."""
    usual = (spread**2 * count + (_USUAL_SPREAD * mean) ** 2) / (count + 1.0)
    return float((usual / (count + 1.0)) ** 0.5 / mean) if mean > 0 else 0.0


def costs(attempts: pl.DataFrame, episodes: pl.DataFrame) -> Costs:
    """Give what the states of one pipeline cost, from its tidy attempts and its episodes."""
    settled = attempts.filter(pl.col("status").is_in(("completed", "failed")))
    good, bad = pl.col("status") == "completed", pl.col("status") == "failed"
    rows = settled.group_by("state").agg(
        pl.col("name").sort_by("over").drop_nulls().last(),
        pl.len().alias("attempts"),
        bad.sum().alias("failures"),
        pl.col("duration").filter(good).mean().alias("completes"),
        pl.col("duration").filter(bad).mean().alias("fails"),
    ).sort("state")  # fmt: skip
    # Before a later start-over of the same build somebody may have repaired something: that is another kind of wait.
    again = episodes.filter(begins() & (pl.col("next") == "start_over"))
    waits = again.select(pl.col("waited").clip(upper_bound=_LONGEST_DELAY))["waited"].drop_nulls()
    delay, spread = (float(each) if isinstance(each, float) else 0.0 for each in (waits.mean(), waits.std()))
    states: dict[int, StateCosts] = {}
    lead = smooth = 0.0
    for row in rows.iter_rows(named=True):
        completes = row["completes"] if row["completes"] is not None else (row["fails"] or 0.0)
        fails = row["fails"] if row["fails"] is not None else completes
        share = 1 - smooth / lead if lead > 0 else 0.0
        of = StateCosts(row["state"], row["name"], row["attempts"], row["failures"], completes, fails, lead, share)
        states[of.code] = of
        # Each failure on the way costs itself, the delay and the way up to here once more.
        detours = of.failing / (1 - of.failing)
        lead += completes + detours * (fails + delay + lead)
        smooth += completes
    return Costs(states, delay, _unsure(delay, spread, len(waits)))
