"""The one door to recorded builds: whatever holds them, what comes out is the same four tables.

`History.open("sqlite:///.toolkit/history.db", cache=Path(".toolkit/cache/history"))` gives them as Polars frames
(`attempts()`, `runs()`, `builds()`, `events()`) and as views of a DuckDB connection (`duckdb()`, `frame("select …")`).
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import duckdb
import polars as pl

from analysis import database
from analysis.facts import FACTS
from analysis.mirror import Mirror
from analysis.sources import FileSource, Progress, Recorded, Source, StoreSource
from analysis.tables import COSTED, TABLES
from toolkit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from analysis.mirror import Manifest

_SHOWN: Final = {**TABLES, "facts": FACTS}
_MIRRORED: Final = {**_SHOWN, **COSTED}
MOST_LEARNT_FROM: Final = 20_000
"""So many builds are learnt from at once, whatever the number of pipelines."""
_SQL_TYPES: Final = {
    pl.String(): "varchar", pl.Int32(): "integer", pl.Int64(): "bigint", pl.Float64(): "double",
    pl.Boolean(): "boolean", TABLES["events"]["ts"]: "timestamptz",
    pl.List(pl.String()): "varchar[]", pl.List(pl.Int32()): "integer[]",
}  # fmt: skip


class History:
    """The tables of one history, as they were when it was opened."""

    def __init__(self, manifest: Manifest, stack: ExitStack) -> None:
        """Take what was mirrored; use `History.open`."""
        self._manifest = manifest
        self._stack = stack
        self._con: duckdb.DuckDBPyConnection | None = None

    @classmethod
    def open(
        cls,
        source: Recorded | str | Path,
        cache: Path,
        *,
        progress: Progress = lambda _: None,
        identity: str | None = None,
    ) -> Self:
        """Bring the mirror below `cache` up to date and open it.

        `source` is a store's URL, an open store (then `identity` names it), or a file or folder of interchange events
        (JSON lines or Parquet). NotFound and BadInput say what is wrong with files, StoreUnavailable with a store.
        """
        stack = ExitStack()
        try:
            mirror = Mirror(_source(source, identity, stack), cache)
            return cls(mirror.refresh(stack, progress), stack)
        except BaseException:
            stack.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the mirror and the store."""
        if self._con is not None:
            self._con.close()
            self._con = None
        self._stack.close()

    def duckdb(self) -> duckdb.DuckDBPyConnection:
        """Give a connection with events, attempts, runs, builds and facts as views."""
        if self._con is None:
            con = database.connect(self._manifest.folder, database.READING)
            for part in ("attempts", "runs", "builds", "facts"):
                con.execute(f"create view {part} as select {_columns(_SHOWN[part])} from {self._relation(part)}")  # noqa: S608
            for part, columns in COSTED.items():
                con.execute(f"create view costed_{part} as select {_columns(columns)} from {self._relation(part)}")  # noqa: S608
            con.execute(database.script("events"))
            self._con = con
        return self._con

    def frame(self, query: str, params: Mapping[str, Any] | list[Any] | None = None) -> pl.DataFrame:
        """Run one query over the tables and give its rows."""
        return database.frame(self.duckdb(), query, params)

    def query(self, sql: str) -> pl.DataFrame:
        """Run what a person typed; UsageError says what DuckDB thinks of it."""
        try:
            return self.frame(sql)
        except duckdb.Error as error:
            told = str(error)
        raise UsageError(told, hint="The tables are events, attempts, runs, builds and facts.")

    def attempts(self) -> pl.LazyFrame:
        """Every execution of a state, and every state reused or skipped: `analysis.tables.ATTEMPTS`."""
        return self._lazy("attempts")

    def recent(self, most: int, pipeline: str | None = None) -> pl.DataFrame:
        """Give the attempts of the latest builds of each pipeline, `most` of each: what learning needs in memory.

        Of many pipelines only the latest `MOST_LEARNT_FROM` builds are given, those of `pipeline` before all others.
        """
        told = self.frame(
            "select * from attempts semi join (from (select build, pipeline, started from builds qualify row_number() "
            "over (partition by pipeline order by started desc nulls last, build desc) <= $most) "
            "order by pipeline is not distinct from $pipeline desc, started desc nulls last, build desc "
            "limit $in_all) using (build)",
            {"most": most, "pipeline": pipeline, "in_all": MOST_LEARNT_FROM},
        )
        return told.cast(pl.Schema(TABLES["attempts"]))

    def runs(self) -> pl.LazyFrame:
        """Every pass of a build's command: `analysis.tables.RUNS`."""
        return self._lazy("runs")

    def builds(self) -> pl.LazyFrame:
        """Every build: `analysis.tables.BUILDS`."""
        return self._lazy("builds")

    def events(self) -> pl.LazyFrame:
        """Every line of the history in the interchange shape: `analysis.tables.EVENTS`."""
        return self.frame("select * from events order by build, seq").lazy().cast(pl.Schema(TABLES["events"]))

    def facts(self) -> pl.LazyFrame:
        """The facts as recorded, holds and releases among them: `analysis.facts.FACTS`."""
        return self._lazy("facts")

    def _relation(self, part: str) -> str:
        if self._manifest.segments:
            return self._manifest.relation(part)
        nothing = ", ".join(f'cast(null as {_SQL_TYPES[dtype]}) as "{name}"' for name, dtype in _MIRRORED[part].items())
        return f"(select {nothing} where false)"

    def _lazy(self, part: str) -> pl.LazyFrame:
        schema = _SHOWN[part]
        manifest = self._manifest
        if not manifest.segments:
            return pl.LazyFrame(schema=schema)
        rows = pl.scan_parquet([manifest.folder / name / f"{part}.parquet" for name in manifest.segments])
        if manifest.superseded is not None:
            moved = pl.scan_parquet(manifest.folder / manifest.superseded)
            rows = rows.join(moved, on=["segment", "build"], how="anti")
        return rows.select(pl.col(name).cast(dtype) for name, dtype in schema.items())


def _columns(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _source(source: Recorded | str | Path, identity: str | None, stack: ExitStack) -> Source:
    if isinstance(source, str) and "://" in source:
        from toolkit.store import open_store

        store = open_store(source, create=False, read_only=True)
        stack.callback(store.close)
        return StoreSource(store, source)
    if isinstance(source, (str, Path)):
        return FileSource(Path(source))
    return StoreSource(source, identity or type(source).__name__)
