"""Failures in a row of one state of one build as one piece of evidence, counted rather than listed.

All that the recovery model needs of a chain is how often and after which gaps it failed again, how it ended, and
whether the next build along met the same failure. Gaps are rounded to a grid, so that a million failures become a few
hundred distinct chains.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

if TYPE_CHECKING:
    from datetime import datetime


GRID: Final = 1.25
"""Gaps are rounded to powers of this: the chance of recovery changes little over a quarter."""
_MOST_SHAPES: Final = 1500
"""Chains of more shapes are rounded more coarsely: this bounds time and memory, whatever the number of failures."""
FADED: Final = 0.25
"""What an outcome counts for when its state recovers differently of late."""
_LEAST_GAP: Final = 1.0
GROUP: Final = ("pipeline", "state", "class", "signature")
_GAPS: Final = ("held_out", "gap", "held_idle", "idle", "other_gap")
_SHAPE: Final = ("again", "again_in_place", "ended", "ended_in_place", "other", *_GAPS)


@dataclass(frozen=True, slots=True)
class Chains:
    """Distinct chains of one group of failures, an entry each. Gaps in seconds."""

    again: NDArray[np.float64]
    """Further failures after a start-over."""
    again_in_place: NDArray[np.float64]
    held_out: NDArray[np.float64]
    """The sum of the gaps after which it still failed."""
    passed: NDArray[np.bool_]
    """Whether the chain ended with an attempt that recovered."""
    in_place: NDArray[np.bool_]
    """Whether that attempt was made in place."""
    gap: NDArray[np.float64]
    """The gap before that attempt."""
    held_idle: NDArray[np.float64]
    """The part of `held_out` in which nothing ran: time in which somebody may have repaired something."""
    idle: NDArray[np.float64]
    """The same part of `gap`."""
    other: NDArray[np.float64]
    """What the next attempt of another build met: 1 the same failure, 0 not, NaN nobody came along."""
    other_gap: NDArray[np.float64]
    weight: NDArray[np.float64]
    """How many chains are like this, each by the share of an incident that it stands for."""
    base: float
    """The share of the attempts at the state that meet this failure."""

    @property
    def informative(self) -> float:
        """How many chains, in incidents, tell anything about recovery."""
        told = self.passed | (self.again + self.again_in_place > 0)
        return float(self.weight[told].sum())

    def scaled(self, share: float) -> Chains:
        """Give the same chains with their weight multiplied: evidence that counts for less."""
        return replace(self, weight=self.weight * share)


def chained(
    episodes: pl.DataFrame,
    attempts: pl.DataFrame,
    likeness: float,
    faded: tuple[datetime, set[tuple[str, int]]] | None = None,
) -> pl.DataFrame:
    """Give one row per distinct chain of each group (`GROUP`), with its `weight`.

    `episodes` are those of `analysis.episodes`, `attempts` tidy ones. `likeness` (0 to 1) says how alike the fates of
    one incident are: an incident of n chains stands for n / (1 + (n - 1) likeness), its effective sample size.
    `faded` names a moment and the (pipeline, state) pairs whose chains from before it count for a quarter.
    """
    usable = episodes.filter(pl.col("censored").is_null() | (pl.col("censored") != "changed_inputs"))
    ordered = usable.sort("pipeline", "build", "state", "over", "attempt")
    place = ("pipeline", "build", "state")
    numbered = ordered.with_columns(begins().cum_sum().over(place).alias("chain"))
    in_place = pl.col("next").is_in(("in_place", "resume"))
    failed = pl.col("recovered").not_().fill_null(value=False)
    passed = pl.col("recovered").fill_null(value=False)
    chains = numbered.with_columns(_others(numbered, attempts)).group_by(*place, "chain").agg(
        pl.col("class").first(),
        pl.col("signature").first(),
        pl.col("incident").first(),
        pl.col("over").first(),
        (failed & ~in_place).sum().alias("again"),
        (failed & in_place).sum().alias("again_in_place"),
        pl.col("gap").filter(failed).sum().alias("held_out"),
        passed.any().alias("ended"),
        (passed & in_place).any().alias("ended_in_place"),
        pl.col("gap").filter(passed).max().fill_null(0.0).alias("gap"),
        pl.col("waited").filter(failed).sum().alias("held_idle"),
        pl.col("waited").filter(passed).max().fill_null(0.0).alias("idle"),
        pl.col("other").first(),
        pl.col("other_gap").first(),
    )  # fmt: skip
    # One weight for all chains of a group: who weighs down large incidents one by one sees too few outages.
    size = pl.len().over("incident")
    weight = (1.0 / (1.0 + (size - 1) * likeness)).mean().over(GROUP)
    weighed = chains.with_columns(weight.alias("weight"))
    if faded is not None:
        since, places = faded
        old = (pl.col("over") < since) & pl.struct("pipeline", "state").map_elements(
            lambda row: (row["pipeline"], row["state"]) in places, return_dtype=pl.Boolean
        )
        weighed = weighed.with_columns(pl.when(old).then(pl.col("weight") * FADED).otherwise("weight").alias("weight"))
    keys = [*GROUP, *_SHAPE]
    return weighed.with_columns(_rounded(GRID)).group_by(keys).agg(pl.col("weight").sum()).sort(keys)


def begins() -> pl.Expr:
    """Tell whether a failure begins a chain, as `begins`: no failure of its kind led to it."""
    before = (
        pl.col("recovered").not_() & pl.col("censored").is_null(),
        pl.col("class"),
        pl.col("signature"),
    )
    failed, failure_class, signature = (
        each.shift().over("pipeline", "build", "state", order_by=("over", "attempt")) for each in before
    )
    goes_on = failed & (failure_class == pl.col("class")) & (signature == pl.col("signature"))
    return (~goes_on.fill_null(value=False)).alias("begins")


def evidence(rows: pl.DataFrame, base: float) -> Chains:
    """Give rows of `chained` as arrays; chains that are alike are added up, whatever group they come from."""
    alike, grid = rows.group_by(_SHAPE).agg(pl.col("weight").sum()), GRID
    while alike.height > _MOST_SHAPES:
        grid **= 2
        alike = alike.with_columns(_rounded(grid)).group_by(_SHAPE).agg(pl.col("weight").sum())
    alike = alike.sort(_SHAPE)
    as_floats = {
        name: alike[name].cast(pl.Float64).to_numpy() for name in (*_SHAPE, "weight") if not name.startswith("ended")
    }
    return Chains(
        again=as_floats["again"],
        again_in_place=as_floats["again_in_place"],
        held_out=as_floats["held_out"],
        passed=alike["ended"].to_numpy(),
        in_place=alike["ended_in_place"].to_numpy(),
        gap=as_floats["gap"],
        held_idle=as_floats["held_idle"],
        idle=as_floats["idle"],
        other=as_floats["other"],
        other_gap=as_floats["other_gap"],
        weight=np.round(as_floats["weight"], 12),  # sums come in any order, and the last digit must not
        base=base,
    )


def likeness(episodes: pl.DataFrame) -> float:
    """Give the correlation of outcomes within an incident, 0 to 1, from the incidents of more than one build.

    Of a build, the first failure in an incident counts. The one-way analysis-of-variance estimator for proportions
    (Fleiss, Statistical Methods for Rates and Proportions, 1981, section 13.1), drawn towards one half by the weight of
    five incidents.
    """
    told = episodes.filter(pl.col("recovered").is_not_null() & pl.col("censored").is_null()).sort("over", "build")
    told = told.unique(["pipeline", "state", "build", "incident"], keep="first", maintain_order=True)
    per = told.group_by("pipeline", "state", "signature", "incident").agg(
        pl.col("recovered").sum().alias("passed"), pl.len().alias("size")
    )
    overall = pl.col("passed").sum().over("pipeline", "state", "signature") / pl.col("size").sum().over(
        "pipeline", "state", "signature"
    )
    several = per.with_columns(overall.alias("rate")).filter(pl.col("size") > 1)
    share = pl.col("passed") / pl.col("size")
    found = several.select(
        (pl.col("size") * (share - pl.col("rate")) ** 2 - pl.col("rate") * (1 - pl.col("rate"))).sum().alias("excess"),
        ((pl.col("size") - 1) * pl.col("rate") * (1 - pl.col("rate"))).sum().alias("most"),
    ).row(0)
    excess, most = float(found[0] or 0.0), float(found[1] or 0.0)
    return float(np.clip((excess + 0.5 * 5 * 0.2) / (most + 5 * 0.2), 0.0, 1.0))


def _rounded(grid: float) -> list[pl.Expr]:
    """Round the gaps, those in which nothing ran more coarsely: they matter for repairs alone."""
    return [_to_grid(pl.col(name), grid**2 if "idle" in name else grid).alias(name) for name in _GAPS]


def _to_grid(gap: pl.Expr, grid: float) -> pl.Expr:
    steps = (gap.clip(lower_bound=_LEAST_GAP).log() / np.log(grid)).round()
    return pl.when(gap > 0).then(pl.lit(grid).pow(steps)).otherwise(gap).fill_nan(None)


def _others(failures: pl.DataFrame, attempts: pl.DataFrame) -> list[pl.Series]:
    """Tell for each failure what the next build to reach that state met there, and after which gap.

    This is where an outage shows, long before the failed build has come back to its state. Only the first attempt of a
    build counts: a second one fails for the build's own reasons.
    """
    by = ("pipeline", "state")
    firsts = _first_attempts(attempts)
    # A build attempts a state for the first time once, so the one after its own is another build's.
    ahead = firsts.select(
        *by, "build", "began", "status", "signature",
        *(pl.col(name).shift(-1).over(by).alias(f"next_{name}") for name in ("began", "status", "signature")),
    )  # fmt: skip
    asked = failures.select(*by, "build", "over", "signature").with_row_index("row").sort("over")
    met = asked.join_asof(
        ahead.rename({"build": "who", "signature": "what"}), left_on="over", right_on="began", by=list(by),
        strategy="forward", check_sortedness=False,
    ).sort("row")  # fmt: skip
    own = pl.col("who") == pl.col("build")
    began = pl.when(own).then(pl.col("next_began")).otherwise(pl.col("began"))
    same = pl.when(own).then(
        (pl.col("next_status") == "failed") & (pl.col("next_signature") == pl.col("signature"))
    ).otherwise((pl.col("status") == "failed") & (pl.col("what") == pl.col("signature")))  # fmt: skip
    told = met.select(
        pl.when(began.is_not_null()).then(same.fill_null(value=False).cast(pl.Float64)).alias("other"),
        ((began - pl.col("over")).dt.total_milliseconds() / 1000).fill_null(0.0).alias("other_gap"),
    )
    return [told["other"], told["other_gap"]]


def _first_attempts(attempts: pl.DataFrame) -> pl.DataFrame:
    settled = attempts.filter(pl.col("status").is_in(("completed", "failed"))).sort("began", "build")
    return settled.unique(["pipeline", "build", "state"], keep="first", maintain_order=True)


def bases(attempts: pl.DataFrame) -> pl.DataFrame:
    """Give for each state and signature (columns `pipeline, state, signature, base`) the share of builds it strikes."""
    firsts = _first_attempts(attempts)
    tried = firsts.group_by("pipeline", "state").agg(pl.len().alias("tried"))
    met = (
        firsts.filter(pl.col("status") == "failed")
        .group_by("pipeline", "state", "signature")
        .agg(pl.len().alias("met"))
    )
    return met.join(tried, on=["pipeline", "state"]).select(
        "pipeline", "state", "signature", (pl.col("met") / pl.col("tried")).alias("base")
    )
