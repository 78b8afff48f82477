"""Where it fails: the states of the pipelines, and the machines they ran on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from analysis import database
from analysis.findings_failures import counted, recovery
from analysis.findings_model import HostFinding, Spread, StateFinding

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb
    import polars as pl

_MOST_SIGNATURES: Final = 5
MOST_HOSTS: Final = 50
_FEWEST: Final = 3
"""A host with fewer failures is not suspected."""
_NOTABLY: Final = 1.5


def states(con: duckdb.DuckDBPyConnection, failed: pl.DataFrame) -> tuple[StateFinding, ...]:
    """Give every state of every pipeline, by pipeline and code."""
    figures = database.frame(con, database.script("state_figures"))
    wrong = {(str(pipeline), state): rows for (pipeline, state), rows in failed.group_by("pipeline", "state")}
    none = failed.clear()
    return tuple(
        _state(row, wrong.get((row["pipeline"] or "", row["state"]), none)) for row in figures.iter_rows(named=True)
    )


def _state(row: Mapping[str, Any], failures: pl.DataFrame) -> StateFinding:
    signatures = failures["signature"].value_counts().sort("count", "signature", descending=[True, False])
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
        recovery=recovery(failures),
        duration=spread(row),
        hours=row["seconds"] / 3600,
        hours_failed=own,
        hours_repeated=repeated,
        hours_lost=own + repeated,
        signatures=tuple(signatures["signature"].to_list()[:_MOST_SIGNATURES]),
    )


def spread(row: Mapping[str, Any], scale: float = 1.0) -> Spread:
    """Give a distribution from a row with `n`, `quantiles` (10 %, 50 %, 90 %) and `mean`, divided by `scale`."""
    if not row["n"]:
        return Spread(n=0, p10=None, p50=None, p90=None, mean=None)
    p10, p50, p90 = (value / scale for value in row["quantiles"])
    return Spread(n=row["n"], p10=p10, p50=p50, p90=p90, mean=row["mean"] / scale)


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
