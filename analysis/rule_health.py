"""Watches the rules themselves: which of them successes match too, which failures are one host's, which are one outage.

Every function takes one row per attempt and signature, with the columns `build`, `state`, `attempt`, `status`,
`signature` (null where nothing matched), `host` and `ts`; others are ignored.
"""

from __future__ import annotations

from typing import Final

import polars as pl
from scipy.special import bdtrc

WORTHLESS_SHARE: Final = 0.10
LEAST_SUCCESSES: Final = 10
LEAST_FAILURES: Final = 5
HOST_SHARE: Final = 0.8
HOST_CHANCE: Final = 0.01
INCIDENT_BUILDS: Final = 3
INCIDENT_GAP_SECONDS: Final = 1800.0

_ATTEMPT: Final = ("build", "state", "attempt")


def worthless_rules(
    attempts: pl.DataFrame, *, share: float = WORTHLESS_SHARE, least: int = LEAST_SUCCESSES
) -> pl.DataFrame:
    """Find rules that also match successful attempts: more than `share` of those at the states where the rule fails.

    Gives `signature`, `successes` (attempts looked at), `matched`, `share` and `failures`, the worst first. Rules with
    fewer than `least` successes to compare with are left out: too little is known of them.
    """
    places = attempts.filter(pl.col("signature").is_not_null()).select("signature", "state").unique()
    failures = _count(attempts.filter((pl.col("status") == "failed") & pl.col("signature").is_not_null()), "failures")
    good = attempts.filter(pl.col("status") == "completed")
    successes = _count(good.drop("signature").join(places, on="state"), "successes")
    matched = _count(good.filter(pl.col("signature").is_not_null()), "matched")
    return (
        successes.join(matched, on="signature", how="left")
        .join(failures, on="signature", how="left")
        .with_columns(pl.col("matched", "failures").fill_null(0))
        .with_columns((pl.col("matched") / pl.col("successes")).alias("share"))
        .filter((pl.col("successes") >= least) & (pl.col("share") > share))
        .select("signature", "successes", "matched", "share", "failures")
        .sort("share", "signature", descending=[True, False])
    )


def _count(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    """Count the attempts of each signature."""
    return rows.group_by("signature").agg(pl.struct(*_ATTEMPT).n_unique().cast(pl.Int64).alias(name))


def host_problems(attempts: pl.DataFrame, *, share: float = HOST_SHARE, chance: float = HOST_CHANCE) -> pl.DataFrame:
    """Find signatures that fail on one host only, although other hosts do the same work.

    Gives `signature`, `host`, `failures` (all of the signature), `on_host`, `attempts_share` (the host's part of all
    other attempts at those states) and `chance`: how likely so many failures on one host were if hosts made no
    difference, corrected for the number of hosts and signatures looked at. Five failures at least, and `share` of them
    on the host.
    """
    known = attempts.filter(pl.col("host").is_not_null() & pl.col("status").is_in(("completed", "failed")))
    failed = known.filter((pl.col("status") == "failed") & pl.col("signature").is_not_null())
    done = known.group_by("state", "host").len()
    rows: list[dict[str, object]] = []
    looked_at = max(1, failed.select("signature", "host").n_unique())
    for (signature,), group in failed.group_by("signature", maintain_order=True):
        host, on_host = group.group_by("host").len().sort("len", "host", descending=[True, False]).row(0)
        if group.height < LEAST_FAILURES or on_host < share * group.height:
            continue
        places = done.filter(pl.col("state").is_in(group["state"].unique().implode()))
        others = int(places["len"].sum()) - group.height
        part = (int(places.filter(pl.col("host") == host)["len"].sum()) - on_host) / others if others else 1.0
        odds = min(1.0, float(bdtrc(on_host - 1, group.height, part)) * looked_at)
        if part < 1 and odds < chance:
            rows.append(
                {
                    "signature": signature,
                    "host": host,
                    "failures": group.height,
                    "on_host": on_host,
                    "attempts_share": part,
                    "chance": odds,
                }
            )
    schema = {
        "signature": pl.String,
        "host": pl.String,
        "failures": pl.Int64,
        "on_host": pl.Int64,
        "attempts_share": pl.Float64,
        "chance": pl.Float64,
    }
    return pl.DataFrame(rows, schema=schema).sort("chance", "signature")


def outages(
    attempts: pl.DataFrame, *, builds: int = INCIDENT_BUILDS, gap_seconds: float = INCIDENT_GAP_SECONDS
) -> pl.DataFrame:
    """Find failures that are one incident: one signature on several builds, each within `gap_seconds` of the last.

    Gives `signature`, `began`, `ended`, `builds`, `failures`, `states` and `hosts` (lists), in the order they began.
    """
    failed = attempts.filter((pl.col("status") == "failed") & pl.col("signature").is_not_null()).sort("signature", "ts")
    apart = pl.col("ts").diff().over("signature").dt.total_milliseconds() / 1000 > gap_seconds
    return (
        failed.with_columns(apart.fill_null(value=True).cum_sum().over("signature").alias("wave"))
        .group_by("signature", "wave")
        .agg(
            pl.col("ts").min().alias("began"),
            pl.col("ts").max().alias("ended"),
            pl.col("build").n_unique().cast(pl.Int64).alias("builds"),
            pl.len().cast(pl.Int64).alias("failures"),
            pl.col("state").unique().sort().alias("states"),
            pl.col("host").drop_nulls().unique().sort().alias("hosts"),
        )
        .filter(pl.col("builds") >= builds)
        .drop("wave")
        .sort("began", "signature")
    )
