"""Counts small enough to travel with a page, and fine enough to filter it by."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final

from analysis import database
from analysis.findings_model import Cube

if TYPE_CHECKING:
    import duckdb
    import polars as pl

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


def cube(con: duckdb.DuckDBPyConnection) -> Cube:
    """Count by pipeline, target, host, state, class and period, as finely as few enough counts allow."""
    frequent = _frequent(con)
    names = dict(database.frame(con, "select state, arg_max(name, started) from done group by state").iter_rows())
    days, most = _COARSER[0]
    periods = {"period_done": _period("coalesce(ended, started)", days), "period_wrong": _period("over", days)}
    told = {name: _told_apart(name, words, most[name]) for name, words in frequent.items()}
    con.execute(database.script("cube").format(**told, **periods))
    for days, most in _COARSER:
        told = {name: _told_apart(name, words, most[name]) for name, words in frequent.items()}
        if int(database.frame(con, f"select count(*) from ({_coarser(days, told)})").item()) <= MOST_ROWS:  # noqa: S608
            break
    rows, builds = database.frame(con, _coarser(days, told)), _builds(con, days, told)
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
        complete=all(len(words) <= most[name] for name, words in frequent.items()),
    )


def _frequent(con: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """Give the names of pipelines, targets and hosts, the most frequent first; one more of each than are told apart."""
    query = "select {0} from {1} where {0} is not null group by {0} order by count(*) desc, {0} limit {2}"
    from_ = {"pipeline": "chosen", "target": "chosen", "host": "done"}
    return {
        name: database.frame(con, query.format(name, from_[name], most + 1))[name].to_list()
        for name, most in _COARSER[0][1].items()
    }


def _told_apart(name: str, words: list[str], most: int) -> str:
    """Give the SQL of a name as it is told: the rare ones together."""
    if len(words) <= most:
        return f"coalesce(nullif({name}, ''), '{NONE}')"
    kept = ", ".join(f"'{database.quoted(word)}'" for word in [NONE, *words[:most]])
    return f"if(coalesce(nullif({name}, ''), '{NONE}') in ({kept}), coalesce(nullif({name}, ''), '{NONE}'), '{OTHERS}')"


def _period(column: str, days: int) -> str:
    """Give the SQL of the Monday-based period of `days` days in which a time lies, as a date."""
    return f"date '{_MONDAY}' + cast(floor((cast({column} as date) - date '{_MONDAY}') / {days}) * {days} as integer)"


def _coarser(days: int, told: dict[str, str]) -> str:
    """Give the query for the cube with longer periods and fewer names told apart."""
    names = ", ".join(f"{sql} as {name}" for name, sql in told.items())
    whole = ", ".join(f"cast(sum({name}) as bigint) as {name}" for name in _COUNTS[:3])
    return (
        f"select {names}, state, class, {_period('period', days)} as period, {whole}, sum(hours) as hours, "  # noqa: S608 - our own text
        "sum(lost) as lost from cube group by all order by all"
    )


def _builds(con: duckdb.DuckDBPyConnection, days: int, told: dict[str, str]) -> pl.DataFrame:
    return database.frame(
        con,
        f"select {told['pipeline']} as pipeline, {told['target']} as target, {_period('started', days)} as period, "  # noqa: S608 - the same
        "count(*) as builds, count(*) filter (status = 'completed' and bad_runs = 0 and failures = 0) as first, "
        "count(*) filter (status = 'completed' and (bad_runs > 0 or failures > 0)) as later, "
        "count(*) filter (status = 'failed') as failed from chosen where started is not null group by all order by all",
    )


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
