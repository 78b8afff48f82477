"""DuckDB the way we use it: UTC, bounded memory, queries from files, results as Polars frames."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

MEMORY: Final = "2GB"
READING: Final = "1GB"
"""Of an open history: what a report takes does not grow with it, beyond what can be spilled."""
SQL: Final = Path(__file__).parent / "sql"


def connect(spill: Path | None = None, memory: str = MEMORY) -> duckdb.DuckDBPyConnection:
    """Open a database in memory; what does not fit goes to `spill`. `TOOLKIT_ANALYSIS_MEMORY` overrides the limit."""
    con = duckdb.connect()
    con.execute("set TimeZone = 'UTC'")
    con.execute("set enable_progress_bar = false")
    con.execute(f"set memory_limit = '{os.environ.get('TOOLKIT_ANALYSIS_MEMORY') or memory}'")
    if spill is not None:
        con.execute(f"set temp_directory = '{quoted(spill / 'spill')}'")
    return con


@cache
def script(name: str) -> str:
    """Give the query that lies in `sql/NAME.sql`."""
    return (SQL / f"{name}.sql").read_text()


def frame(
    con: duckdb.DuckDBPyConnection, query: str, params: Mapping[str, Any] | list[Any] | None = None
) -> pl.DataFrame:
    """Run one query and give its rows."""
    relation: duckdb.DuckDBPyRelation | None = con.sql(query, params=params) if params else con.sql(query)
    return pl.DataFrame() if relation is None else pl.DataFrame(Stream(relation.__arrow_c_stream__()))


class Stream:
    """A result on its way to Polars, which would keep a relation's class, and so all of DuckDB, too long."""

    def __init__(self, capsule: object) -> None:
        """Take what a relation's `__arrow_c_stream__` gave."""
        self.capsule = capsule

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        del requested_schema
        return self.capsule


def quoted(path: Path | str) -> str:
    """Write a path so that it can stand between single quotes in SQL."""
    return str(path).replace("'", "''")
