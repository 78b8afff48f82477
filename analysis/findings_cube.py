"""Counts small enough to travel with a page, and fine enough to filter it by."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from analysis import database
from analysis.findings_model import Cube

if TYPE_CHECKING:
    import duckdb

MOST_ROWS: Final = 14_000
_COARSER: Final = (
    # days, and how many pipelines, targets and hosts are told apart
    (7, {"pipeline": 40, "target": 20, "host": 15}),
    (28, {"pipeline": 40, "target": 20, "host": 15}),
    (28, {"pipeline": 40, "target": 10, "host": 5}),
    (28, {"pipeline": 40, "target": 10, "host": 0}),
    (91, {"pipeline": 40, "target": 5, "host": 0}),
    (364, {"pipeline": 20, "target": 0, "host": 0}),
)
OTHERS: Final = "(others)"
NONE: Final = "(none)"
_PLACES: Final = ("pipeline", "target", "host", "state", "class", "period")
_COUNTS: Final = ("attempts", "completed", "failures", "hours", "lost")
_BUILD_COUNTS: Final = ("builds", "first", "later", "failed")
_MONDAY: Final = date(1970, 1, 5)


def cube(con: duckdb.DuckDBPyConnection, failed: pl.DataFrame) -> Cube:
    """Count by pipeline, target, host, state, class and period, as finely as few enough counts allow."""
    frequent = _frequent(con)
    names = dict(database.frame(con, "select state, arg_max(name, started) from done group by state").iter_rows())
    rows, days, kept = pl.DataFrame(), 0, frequent
    for days, most in _COARSER:
        kept = {name: words[: most[name]] for name, words in frequent.items()}
        rows = _rows(con, failed, days, kept)
        if rows.height <= MOST_ROWS:
            break
    builds = _builds(con, days, kept)
    words: dict[str, list[Any]] = {
        name: sorted({*(rows[name].to_list()), *(builds[name].to_list() if name in builds.columns else [])})
        for name in _PLACES
    }
    shown = {
        **{name: tuple(str(word) for word in found) for name, found in words.items()},
        "state": tuple(f"{code} {names[code]}" if names.get(code) else str(code) for code in words["state"]),
    }
    return Cube(
        words=shown,
        period_days=days,
        attempts=_columns(rows, words, _PLACES, _COUNTS),
        builds=_columns(builds, words, ("pipeline", "target", "period"), _BUILD_COUNTS),
        complete=kept == frequent,
    )


def _frequent(con: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """Give the names of pipelines, targets and hosts, the most frequent first."""
    query = "select {0} from done where {0} is not null group by {0} order by count(*) desc, {0}"
    return {name: database.frame(con, query.format(name))[name].to_list() for name in _COARSER[0][1]}


def _period(column: str, days: int) -> str:
    """Give the SQL of the Monday-based period of `days` days in which a time lies, as a date."""
    return f"date '{_MONDAY}' + cast(floor((cast({column} as date) - date '{_MONDAY}') / {days}) * {days} as integer)"


def _rows(con: duckdb.DuckDBPyConnection, failed: pl.DataFrame, days: int, kept: dict[str, list[str]]) -> pl.DataFrame:
    query = database.script("cube").format(days=days, period=_period("coalesce(ended, started)", days))
    tried = database.frame(con, query)
    since = (pl.col("over").dt.date() - pl.lit(_MONDAY)).dt.total_days() // days * days
    wrong = failed.select(
        *_PLACES[:4],
        "class",
        (pl.lit(_MONDAY) + pl.duration(days=since)).cast(pl.Date).alias("period"),
        pl.lit(1).alias("failures"),
        (pl.col("own") / 3600).alias("lost"),
    )
    both = pl.concat([tried, wrong], how="diagonal_relaxed")
    return _summed(both, kept, list(_PLACES), list(_COUNTS))


def _builds(con: duckdb.DuckDBPyConnection, days: int, kept: dict[str, list[str]]) -> pl.DataFrame:
    rows = database.frame(
        con,
        f"select pipeline, target, {_period('started', days)} as period, count(*) as builds, "  # noqa: S608 - our own text
        "count(*) filter (status = 'completed' and bad_runs = 0 and failures = 0) as first, "
        "count(*) filter (status = 'completed' and (bad_runs > 0 or failures > 0)) as later, "
        "count(*) filter (status = 'failed') as failed from chosen group by all",
    )
    return _summed(rows, kept, ["pipeline", "target", "period"], list(_BUILD_COUNTS))


def _summed(rows: pl.DataFrame, kept: dict[str, list[str]], keys: list[str], counts: list[str]) -> pl.DataFrame:
    """Put rare words together and add up; pipelines that a tidy table leaves empty are those without a name."""
    named = rows.with_columns(
        pl.when(pl.col(name).is_null() | (pl.col(name) == "")).then(pl.lit(NONE))
        .when(pl.col(name).is_in(kept[name])).then(pl.col(name)).otherwise(pl.lit(OTHERS)).alias(name)
        for name in keys if name in kept
    )  # fmt: skip
    known = named.filter(pl.col("period").is_not_null()).with_columns(pl.col(counts).fill_null(0))
    return known.group_by(keys).agg(pl.col(counts).sum()).sort(keys)


def _columns(
    rows: pl.DataFrame, words: dict[str, list[Any]], places: tuple[str, ...], counts: tuple[str, ...]
) -> dict[str, tuple[float, ...]]:
    found: dict[str, tuple[float, ...]] = {}
    for name in places:
        index = {word: place for place, word in enumerate(words[name])}
        found[name] = tuple(index[word] for word in rows[name].to_list())
    for name in counts:
        found[name] = tuple(round(value, 4) for value in rows[name].to_list())
    return found
