"""Which failures are one incident: twenty failures in one outage of a mirror are one piece of evidence, not twenty."""

from __future__ import annotations

from typing import Final

import polars as pl

SAME_INCIDENT_SECONDS: Final = 1800.0
_SPACINGS: Final = 3.0
_KEY: Final = ("pipeline", "state", "signature")


def with_incidents(failures: pl.DataFrame, attempts: pl.DataFrame) -> pl.DataFrame:
    """Add `incident` (a number, the same for every failure of one incident) and `incident_size` to a table of failures.

    Failures of one state and signature belong together while no other build has passed the state between them and
    they lie within half an hour, or within three times the usual spacing of attempts at that state if that is longer.
    Failures of one build in a row always belong together. `attempts` are all attempts, with `over` and `began`.
    """
    settled = attempts.filter(pl.col("status").is_in(("completed", "failed"))).sort("over")
    passed = (pl.col("status") == "completed").cum_sum().over("pipeline", "state").alias("passes")
    spacing = pl.col("over").diff().dt.total_milliseconds().median().over("pipeline", "state").alias("spacing") / 1000
    counted = settled.with_columns(passed, spacing).filter(pl.col("status") == "failed")
    place = ["pipeline", "build", "state", "run", "attempt"]
    ordered = failures.join(counted.select(*place, "passes", "spacing"), on=place, how="left").sort("over", *place)
    reach = pl.max_horizontal(pl.lit(SAME_INCIDENT_SECONDS), pl.col("spacing").fill_null(0.0) * _SPACINGS)
    apart = pl.col("over").diff().over(_KEY).dt.total_milliseconds() / 1000 > reach
    other = (pl.col("build") != pl.col("build").shift().over(_KEY)) & (apart | (pl.col("passes").diff().over(_KEY) > 0))
    begins = other.fill_null(value=True)
    numbered = ordered.with_columns(begins.cum_sum().over(_KEY).alias("number"))
    numbered = numbered.with_columns(pl.struct(*_KEY, "number").rank("dense").cast(pl.Int64).alias("incident"))
    return numbered.with_columns(pl.len().over("incident").alias("incident_size")).drop("number", "passes", "spacing")
