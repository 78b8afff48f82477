"""Each failure and what came of it: the experiment that start-overs have been running all along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from analysis.attempts import tidy, understood
from analysis.incidents import with_incidents

if TYPE_CHECKING:
    from collections.abc import Iterable

    from polars import Expr

_SETTLED: Final = ("completed", "failed")
_PLACE: Final = ("pipeline", "build", "state")
_RUN: Final = ("pipeline", "build", "run")
_NEXT: Final = ("run", "status", "began", "duration", "signature", "inputs", "before")
ORDER: Final = ("over", "pipeline", "build", "state", "attempt")
FIELDS: Final = (
    "pipeline", "target", "build", "run", "state", "name", "attempt", "phase", "host", "over", "own",
    "class", "group", "signature", "rule", "error",
    "next", "gap", "waited", "lead", "next_duration", "recovered", "same_signature", "changed_inputs", "censored",
    "incident", "incident_size",
)  # fmt: skip


def episodes(attempts: pl.DataFrame) -> pl.DataFrame:
    """Give one row per failed attempt, in the order they happened, with what came next at that state of that build.

    | column | meaning |
    | --- | --- |
    | `next` | `in_place` (same run), `start_over`, `resume` (a later run that began here or reused), `never` |
    | `gap` | seconds from the end of the failure to the beginning of the next attempt at the state |
    | `waited`, `lead` | seconds of `gap` in which nothing ran, and in which the states before this one ran again |
    | `own`, `next_duration` | seconds that the failed attempt, and the next one, took |
    | `recovered` | whether the next attempt completed; null when there was none |
    | `same_signature` | whether the next attempt failed in the same way; null when it did not fail |
    | `censored` | why it tells nothing: `interrupted`, `in_progress`, `skipped`, `never`, `changed_inputs`; else null |
    | `incident`, `incident_size` | failures of one signature without a success between them share an incident |

    An attempt that was interrupted is neither a failure nor an outcome. Where a later run went past the state without
    recording it, the state counts as passed there.
    """
    known = understood(tidy(attempts)).with_columns(pl.col("duration").cum_sum().over(_RUN).alias("clock"))
    known = known.with_columns((pl.col("clock") - pl.col("duration")).alias("before")).drop("clock")
    settled = known.filter(pl.col("status").is_in(_SETTLED))
    failures = _with_next(settled, _NEXT).filter(pl.col("status") == "failed")
    failures = _passed_silently(failures, known)
    failures = failures.join(_unsettled(known), on=[*_PLACE, "run", "attempt"], how="left")
    failures = failures.join(_runs(known), left_on=["pipeline", "build", "next_run"], right_on=list(_RUN), how="left")
    told = failures.with_columns(
        _what_next().alias("next"),
        pl.col("duration").alias("own"),
        _seconds(pl.col("next_began") - pl.col("over")).alias("gap"),
        (pl.col("next_status") == "completed").alias("recovered"),
        pl.when(pl.col("next_status") == "failed")
        .then(pl.col("next_signature") == pl.col("signature"))
        .alias("same_signature"),
        (pl.col("inputs") != pl.col("next_inputs")).alias("changed_inputs"),
    )
    told = told.with_columns(
        pl.when(pl.col("next") == "in_place").then(0.0).otherwise(pl.col("next_before")).alias("lead"),
        pl.when(pl.col("next_run").is_null()).then(pl.coalesce("unsettled", pl.lit("never")))
        .when(pl.col("changed_inputs").fill_null(value=False)).then(pl.lit("changed_inputs")).alias("censored"),
    )  # fmt: skip
    told = told.with_columns(
        pl.when(pl.col("next") == "in_place").then(pl.col("gap"))
        .otherwise(pl.min_horizontal("gap", _seconds(pl.col("run_began") - pl.col("over")))).alias("waited")
    )  # fmt: skip
    return with_incidents(told, known).select(FIELDS).sort(ORDER)


def _with_next(attempts: pl.DataFrame, names: Iterable[str]) -> pl.DataFrame:
    """Add what the next attempt of the build at the state has in some columns, `next_…`; null where there is none.

    Beside each other, attempts are compared with the row below, which costs a tenth of looking into each group.
    """
    beside = attempts.sort(_PLACE, maintain_order=True)
    same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift(-1)) for name in _PLACE)
    return beside.with_columns(pl.when(same).then(pl.col(name).shift(-1)).alias(f"next_{name}") for name in names)


def _seconds(span: Expr) -> Expr:
    return (span.dt.total_milliseconds() / 1000).clip(lower_bound=0.0)


def _what_next() -> Expr:
    afresh = pl.when(pl.col("run_first_state") < pl.col("state")).then(pl.lit("start_over")).otherwise(pl.lit("resume"))
    first_state = pl.col("state") == pl.col("lowest_state")
    return (
        pl.when(pl.col("next_run").is_null()).then(pl.lit("never"))
        .when(pl.col("next_run") == pl.col("run")).then(pl.lit("in_place"))
        .when(pl.col("run_reused").fill_null(value=False)).then(pl.lit("resume"))
        .when(first_state).then(pl.lit("start_over"))
        .otherwise(afresh)
    )  # fmt: skip


def _runs(known: pl.DataFrame) -> pl.DataFrame:
    """Give what matters of each run: when and at which state it began, and whether it reused anything."""
    ran = pl.col("status").is_in(("reused", "skipped")).not_()
    return known.group_by(_RUN).agg(
        pl.col("began").min().alias("run_began"),
        pl.col("state").filter(ran).min().alias("run_first_state"),
        (pl.col("status") == "reused").any().alias("run_reused"),
    )


def _unsettled(known: pl.DataFrame) -> pl.DataFrame:
    """Give, for failures whose next record at the state is no outcome, what it is instead."""
    after = _with_next(known, ("status",)).rename({"next_status": "unsettled"})
    loose = (pl.col("status") == "failed") & pl.col("unsettled").is_in(("interrupted", "in_progress", "skipped"))
    return after.filter(loose).select(*_PLACE, "run", "attempt", "unsettled")


def _passed_silently(failures: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Complete the failures after which a later run went past the state without a record of it."""
    lowest = known.group_by("pipeline", "build").agg(pl.col("state").min().alias("lowest_state"))
    failures = failures.join(lowest, on=["pipeline", "build"], how="left")
    lonely = failures.filter(pl.col("next_run").is_null()).select(*_PLACE, "run", "attempt")
    executed = known.filter(pl.col("status").is_in(("completed", "failed", "in_progress")))
    beyond = (
        lonely.join(
            executed.select("pipeline", "build", later="run", place="state", at="began", behind="before"),
            on=["pipeline", "build"],
        )
        .filter((pl.col("later") > pl.col("run")) & (pl.col("place") > pl.col("state")))
        .sort("later", "at")
        .group_by(*_PLACE, "run", "attempt", maintain_order=True)
        .first()
    )
    return (
        failures.join(beyond, on=[*_PLACE, "run", "attempt"], how="left")
        .with_columns(
            pl.coalesce("next_run", "later"),
            pl.coalesce("next_status", pl.when(pl.col("later").is_not_null()).then(pl.lit("completed"))),
            pl.coalesce("next_began", "at"),
            pl.coalesce("next_before", "behind"),
        )
        .drop("later", "place", "at", "behind")
    )
