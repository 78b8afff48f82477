"""What it all comes to: outcomes, hours, weeks and days, and how far the record can be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from analysis import database
from analysis.findings_failures import all_weeks, counted
from analysis.findings_model import Day, Outcomes, Period, Quality, Totals, Week
from analysis.findings_states import NO_SPREAD, spreads
from toolkit.core.words import how_many

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from analysis.findings_failures import Folded
    from analysis.findings_model import Rate

_FEW_BUILDS: Final = 30
_MUCH: Final = 0.2
_GREEN: Final = (
    "(select greatest(0, epoch(green_at) - epoch(started)) as seconds from chosen where green_at is not null)"
)
MOST_DAYS: Final = 371
"""A year and the week it begins in."""


def outcomes(con: duckdb.DuckDBPyConnection) -> Outcomes:
    """Count what became of the builds."""
    return Outcomes(**database.frame(con, database.script("outcomes")).row(0, named=True))


def totals(con: duckdb.DuckDBPyConnection) -> Totals:
    """Sum up the hours, and count runs and attempts."""
    row = database.frame(con, database.script("totals")).row(0, named=True)
    hours, failed, repeated, cut, waited = (
        (row[name] or 0.0) / 3600 for name in ("seconds", "failed", "repeated", "cut", "waited")
    )
    return Totals(
        runs=row["runs"] or 0,
        **{name: row[name] or 0 for name in ("attempts", "failures", "interrupted", "start_overs")},
        hours=hours,
        hours_failed=failed,
        hours_repeated=repeated,
        hours_interrupted=cut,
        hours_lost=failed + repeated,
        hours_waited=waited,
        lost_share=(failed + repeated) / hours if hours else 0.0,
        first_run_green=counted(row["first_green"], row["ended"]),
        hours_to_green=spreads(con, _GREEN, (), "seconds", 3600).get((), NO_SPREAD),
    )


def period(con: duckdb.DuckDBPyConnection, since: str | None, until: str | None) -> Period:
    """Give the main figures of the chosen builds as those of a stretch of time."""
    all_of_it, builds = totals(con), outcomes(con).builds
    return Period(
        since=since,
        until=until,
        builds=builds,
        first_run_green=all_of_it.first_run_green,
        failures_per_100_builds=100 * all_of_it.failures / builds if builds else None,
        hours_lost_per_100_builds=100 * all_of_it.hours_lost / builds if builds else None,
        hours_to_green=all_of_it.hours_to_green,
    )


def weeks(con: duckdb.DuckDBPyConnection) -> tuple[Week, ...]:
    """Give the trend, week by week, empty weeks among them."""
    rows = {row["week"]: row for row in database.frame(con, database.script("by_week")).iter_rows(named=True)}
    names = [name for name in Week.model_fields if name != "begins"]
    return tuple(
        Week(begins=week.isoformat(), **{name: rows.get(week, {}).get(name) or 0 for name in names})
        for week in all_weeks(con)
    )


def days(con: duckdb.DuckDBPyConnection) -> tuple[Day, ...]:
    """Give the calendar of the last year: days on which something happened."""
    rows = database.frame(con, database.script("by_day")).tail(MOST_DAYS)
    return tuple(
        Day(date=row["day"].isoformat(), builds=row["builds"], failures=row["failures"], hours_lost=row["hours_lost"])
        for row in rows.iter_rows(named=True)
    )


def quality(con: duckdb.DuckDBPyConnection, folded: Folded, studied: int | None) -> Quality:
    """Say how far the record can be trusted, and how much of it was learnt from (`studied` builds of the history)."""
    row = database.frame(con, database.script("totals")).row(0, named=True)
    failures, unknown, silent = database.frame(
        con,
        "select count(*), count(*) filter (class = 'unknown'), count(*) filter (error is null and evidence is null) "
        "from wrong",
    ).row(0)
    builds, recorded = database.frame(con, "select (select count(*) from chosen), (select count(*) from builds)").row(0)
    told = folded.failures
    censored = counted(told.filter(pl.col("censored").is_not_null()).height, told.height)
    degraded = row["degraded"] or 0
    notes = [
        *_notes(failures, unknown, censored, builds, degraded),
        *_timeless(row["unmeasured"] or 0, row["attempts"] or 0),
        *_learnt(folded, studied, recorded),
    ]
    return Quality(
        unclassified=counted(unknown, failures),
        censored=censored,
        interrupted=counted(row["interrupted"] or 0, row["attempts"] or 0),
        degraded=degraded,
        without_message=silent,
        without_duration=row["unmeasured"] or 0,
        folded=folded.builds,
        folded_of=folded.of,
        notes=tuple(notes),
    )


def _timeless(unmeasured: int, attempts: int) -> Iterator[str]:
    """Say what hours leave out."""
    if unmeasured:
        told = f"{unmeasured:,} of {how_many(attempts, 'attempt')}"
        yield f"How long {told} took is not recorded: in sums of hours they count as nothing."


def _learnt(folded: Folded, studied: int | None, recorded: int) -> Iterator[str]:
    """Say of how much of the history it is told what cannot be told by counting."""
    if folded.builds < folded.of:
        yield (
            f"What came of failures is told of the latest {folded.builds:,} of {folded.of:,} builds that had any; "
            "everything else is counted over all builds."
        )
    if studied is not None and studied < recorded:
        yield (
            "Advice, replays, shadow decisions, changes, and what stands out of rules, hosts and incidents, are learnt "
            f"from the latest {studied:,} of {recorded:,} builds."
        )


def _notes(failures: int, unknown: int, censored: Rate, builds: int, degraded: int) -> list[str]:
    notes = []
    if 0 < builds < _FEW_BUILDS:
        told = f"{how_many(builds, 'build')} {'is' if builds == 1 else 'are'}"
        notes.append(f"Only {told} recorded: every share here is uncertain, and says so.")
    if failures and unknown > _MUCH * failures:
        told = f"{unknown:,} of {how_many(failures, 'failure')} {'is' if unknown == 1 else 'are'}"
        notes.append(f"{told} of unknown class: add [[rules]] for the frequent ones.")
    if censored.hits > _MUCH * censored.n:
        notes.append(
            f"After {censored.hits:,} of {how_many(censored.n, 'failure')} nobody tried again, so they tell nothing of "
            "recovery."
        )
    if degraded:
        notes.append(f"The record of {how_many(degraded, 'build')} may have holes: recording was in trouble.")
    return notes
