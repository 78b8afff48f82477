"""What went wrong, by class and by signature: how often, where, what came of it, and the lines that prove it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from analysis import database
from analysis.attempts import tidy
from analysis.episodes import episodes
from analysis.findings_model import ClassFinding, Evidence, Rate, SignatureFinding
from analysis.statistics import rate
from toolkit.core.classes import GROUP_OF
from toolkit.core.moments import rfc3339

if TYPE_CHECKING:
    import duckdb

_PLACE: Final = ["build", "state", "run", "attempt"]
MOST_SIGNATURES: Final = 200
_MOST_HOSTS: Final = 5
_MOST_EVIDENCE: Final = 8
_LONGEST: Final = 400
_BOUND: Final = 5
"""So many failures all on one host are no coincidence where other hosts do the work too."""


def counted(hits: int, n: int) -> Rate:
    """Give a share with its interval under Jeffreys' prior."""
    return Rate(hits=hits, n=n, share=rate(hits, n) if n else None)


def failures_in(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Give one row per failed attempt of the chosen builds: the columns of `episodes`, and the proof of each failure.

    Further columns: `template`, `evidence` (JSON), `week` (date of its Monday), `title` (a person's name for it).
    """
    attempts = database.frame(
        con,
        "select * from attempts where build in (select build from attempts semi join chosen using (build) "
        "where status = 'failed')",
    )
    told = episodes(tidy(attempts))
    proof = attempts.filter(pl.col("status") == "failed").select(*_PLACE, "template", "evidence")
    return told.join(proof, on=_PLACE, how="left", nulls_equal=True, maintain_order="left").with_columns(
        pl.col("over").dt.truncate("1w").dt.date().alias("week"),
        pl.coalesce("template", pl.col("error").str.split("\n").list.first(), "signature").alias("title"),
        pl.col("class").fill_null("unknown"),
        pl.col("group").fill_null("uncertain"),
        pl.col("signature").fill_null("unknown"),
    )


def recovery(rows: pl.DataFrame) -> Rate:
    """Give how many failures the next attempt got over, of those where that is known."""
    known = rows.filter(pl.col("censored").is_null() & pl.col("recovered").is_not_null())
    return counted(int(known["recovered"].sum()), known.height)


def classes(failed: pl.DataFrame) -> tuple[ClassFinding, ...]:
    """Give the classes, most frequent first."""
    rows = (
        failed.group_by("class")
        .agg(pl.len().alias("n"), pl.col("own").sum())
        .sort("n", "class", descending=[True, False])
    )
    return tuple(
        ClassFinding(
            failure_class=row["class"],
            group=GROUP_OF.get(row["class"], "uncertain"),
            failures=row["n"],
            share=row["n"] / failed.height,
            hours_failed=row["own"] / 3600,
        )
        for row in rows.iter_rows(named=True)
    )


def signatures(con: duckdb.DuckDBPyConnection, failed: pl.DataFrame) -> tuple[SignatureFinding, ...]:
    """Give the kinds of failure, most frequent first, with evidence from the latest of each."""
    weeks = all_weeks(con)
    busy = _hosts_by_state(con)
    frequent = failed["signature"].value_counts().sort("count", "signature", descending=[True, False])
    chosen = frequent.head(MOST_SIGNATURES)["signature"].to_list()
    groups = {str(key[0]): rows for key, rows in failed.group_by("signature")}
    return tuple(_signature(groups[each], failed.height, weeks, busy) for each in chosen)


def all_weeks(con: duckdb.DuckDBPyConnection) -> list[Any]:
    """Give the Mondays of the weeks that are spoken of, oldest first, none left out."""
    told = database.frame(
        con,
        "select unnest(range(cast(date_trunc('week', min(started)) as timestamp), "
        "cast(max(greatest(started, ended)) as timestamp) + interval 1 second, interval 7 days))::date as week "
        "from chosen",
    )
    return told["week"].to_list()


def _hosts_by_state(con: duckdb.DuckDBPyConnection) -> dict[int, int]:
    rows = database.frame(con, "select state, count(distinct host) as n from done group by state")
    return dict(rows.iter_rows())


def _signature(rows: pl.DataFrame, total: int, weeks: list[Any], busy: dict[int, int]) -> SignatureFinding:
    rows = rows.sort("over", nulls_last=False)
    last = rows.row(-1, named=True)
    hosts = rows["host"].drop_nulls().value_counts().sort("count", "host", descending=[True, False])
    states = rows["state"].value_counts().sort("count", "state", descending=[True, False])["state"].to_list()
    elsewhere = max(busy.get(state, 0) for state in states)
    per_week = dict(rows.group_by("week").len().iter_rows())
    titles = rows["title"].value_counts().sort("count", "title", descending=[True, False])["title"]
    moments = [rfc3339(round(moment.timestamp() * 1000)) for moment in (rows["over"].min(), rows["over"].max())]  # type: ignore[union-attr]
    return SignatureFinding(
        signature=last["signature"],
        title=" ".join(str(titles[0]).split())[:_LONGEST],
        failure_class=last["class"],
        group=last["group"],
        failures=rows.height,
        share=rows.height / total,
        builds=rows["build"].n_unique(),
        states=tuple(states),
        hosts=tuple(hosts["host"].to_list()[:_MOST_HOSTS]),
        host_bound=hosts.height == 1 and rows.height >= _BOUND and elsewhere > 1 and rows["host"].null_count() == 0,
        first=moments[0],
        last=moments[1],
        recovery=recovery(rows),
        hours_failed=float(rows["own"].sum()) / 3600,
        weeks=tuple(per_week.get(week, 0) for week in weeks),
        evidence=_evidence(rows),
        example=last["build"],
        example_state=last["state"],
        example_attempt=last["attempt"],
    )


def _evidence(rows: pl.DataFrame) -> tuple[Evidence, ...]:
    """Give the proof of the latest failure that has one; a message alone is proof without a line number."""
    for text in reversed(rows["evidence"].to_list()):
        if text:
            told = json.loads(text)[:_MOST_EVIDENCE]
            return tuple(Evidence(line=line, text=str(line_text)[:_LONGEST]) for line, line_text in told)
    message = next((error for error in reversed(rows["error"].to_list()) if error), "")
    return tuple(
        Evidence(line=0, text=line[:_LONGEST]) for line in message.splitlines()[:_MOST_EVIDENCE] if line.strip()
    )
