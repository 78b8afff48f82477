"""Where it fails: the states of the pipelines, and the machines they ran on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from analysis import database
from analysis.findings_failures import counted, recovery
from analysis.findings_model import HostFinding, Spread, StateFinding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb
    import polars as pl

    from analysis.findings_failures import Folded
    from analysis.findings_model import Rate

_MOST_SIGNATURES: Final = 5
MOST_HOSTS: Final = 50
_FEWEST: Final = 3
"""A host with fewer failures is not suspected."""
_NOTABLY: Final = 1.5
NO_SPREAD: Final = Spread(n=0, p10=None, p50=None, p90=None, mean=None)


def states(con: duckdb.DuckDBPyConnection, folded: Folded) -> tuple[StateFinding, ...]:
    """Give every state of every pipeline, by pipeline and code."""
    figures = database.frame(con, database.script("state_figures"))
    good = "done where status = 'completed' and not unmeasured"
    lasted = spreads(con, good, ("pipeline", "state"), "seconds")
    outcomes = {
        (str(pipeline), state): rows for (pipeline, state), rows in folded.failures.group_by("pipeline", "state")
    }
    none = folded.failures.clear()
    found = database.frame(con, database.script("state_kinds"), {"most": _MOST_SIGNATURES})
    kinds = {(row[0], row[1]): row[2] for row in found.iter_rows()}
    return tuple(
        _state(
            row,
            recovery(outcomes.get((row["pipeline"] or "", row["state"]), none)),
            lasted.get((row["pipeline"], row["state"]), NO_SPREAD),
            kinds.get((row["pipeline"] or "", row["state"]), ()),
        )
        for row in figures.iter_rows(named=True)
    )


def _state(row: Mapping[str, Any], recovered: Rate, lasted: Spread, signatures: Sequence[str]) -> StateFinding:
    own, repeated = row["failed_seconds"] / 3600, row["repeated_seconds"] / 3600
    return StateFinding(
        code=row["state"],
        name=row["name"],
        pipeline=row["pipeline"],
        builds=row["builds"],
        passed=row["passed"],
        reached=row["reached"],
        attempts=row["attempts"],
        completed=row["completed"],
        failures=row["failures"],
        interrupted=row["interrupted"],
        reused=row["reused"],
        failure_rate=counted(row["failures"], row["completed"] + row["failures"]),
        recovery=recovered,
        duration=lasted,
        hours=row["seconds"] / 3600,
        hours_failed=own,
        hours_repeated=repeated,
        hours_lost=own + repeated,
        signatures=tuple(signatures),
    )


def spreads(
    con: duckdb.DuckDBPyConnection, rows: str, keys: tuple[str, ...], value: str, scale: float = 1.0
) -> dict[tuple[Any, ...], Spread]:
    """Give how a value is distributed in each group of some rows (what follows `from` in a query), divided by `scale`.

    Values are told to four digits, and counted: there are never more than some thousand different ones, however many.
    """
    fields = "".join(f"{key}, " for key in keys)
    rounded = f"if({value} > 0, round({value}, 3 - cast(floor(log10({value})) as integer)), 0)"
    counts = database.frame(
        con,
        f"select {fields}cast({rounded} as double) as value, count(*) as n, sum({value}) as total "  # noqa: S608 - our own text
        f"from {rows} group by all order by all",
    )
    groups = counts.group_by(keys, maintain_order=True) if keys else [((), counts)] * bool(counts.height)
    return {tuple(key): _spread(each, scale) for key, each in groups}


def _spread(counts: pl.DataFrame, scale: float) -> Spread:
    values, upto = counts["value"].to_numpy() / scale, counts["n"].cum_sum().to_numpy()
    n = int(upto[-1])
    told = []
    for share in (0.1, 0.5, 0.9):
        at = share * (n - 1)
        low, high = (float(values[upto.searchsorted(int(place), side="right")]) for place in (at, -(-at // 1)))
        told.append(low + (high - low) * (at % 1))
    p10, p50, p90 = told
    return Spread(n=n, p10=p10, p50=p50, p90=p90, mean=float(counts["total"].sum()) / n / scale)


def hosts(con: duckdb.DuckDBPyConnection) -> tuple[HostFinding, ...]:
    """Give the hosts with the most failures."""
    figures = database.frame(con, database.script("host_figures"))
    return tuple(_host(row) for row in figures.head(MOST_HOSTS).iter_rows(named=True))


def _host(row: Mapping[str, Any]) -> HostFinding:
    failure_rate = counted(row["failures"], row["attempts"])
    usual = row["expected"] / row["attempts"]
    low = failure_rate.share.low if failure_rate.share else 0.0
    return HostFinding(
        host=row["host"],
        attempts=row["attempts"],
        failures=row["failures"],
        expected=row["expected"],
        failure_rate=failure_rate,
        suspicious=row["failures"] >= _FEWEST and low > _NOTABLY * usual,
    )
