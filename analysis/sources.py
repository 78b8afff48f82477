"""Where facts come from: a store, which only grows, or files of interchange events, which lie still."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from analysis.database import quoted, script
from analysis.facts import FACTS, Row, batches
from toolkit.errors import BadInput, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb

Progress = Callable[[int], None]
"""Told how many facts were taken so far."""

_TYPES: Final = {
    "build": "varchar", "pipeline": "varchar", "target": "varchar", "run": "integer", "seq": "integer",
    "state": "integer", "name": "varchar", "attempt": "integer", "status": "varchar", "ts": "timestamptz",
    "error": "varchar", "exit_code": "integer", "signal": "integer", "class": "varchar", "signature": "varchar",
    "rule": "varchar", "duration": "double", "host": "varchar", "phase": "varchar", "inputs": "varchar",
    "decision": "varchar", "shadow": "varchar",
}  # fmt: skip
_REQUIRED: Final = ("build", "state", "status", "ts")


class DoesNotFitError(Exception):
    """What was mirrored is no longer a beginning of what the source holds; the mirror is made anew."""


class Source(Protocol):
    """Something that holds facts."""

    @property
    def identity(self) -> str:
        """Name the source so that a mirror of another one is not mistaken for its own."""

    def stage(
        self, con: duckdb.DuckDBPyConnection, folder: Path, cursor: dict[str, Any] | None, progress: Progress
    ) -> dict[str, Any] | None:
        """Write the facts after `cursor` into `folder` as Parquet of `FACTS`; give the new cursor, None for no change.

        Raises `DoesNotFitError` when the source is not a continuation of what `cursor` speaks of.
        """


class Recorded(Protocol):
    """The part of a store that analysis needs."""

    def rows(self, after: int = 0, limit: int | None = None) -> Iterator[Row]:
        """Give the stored facts with an id above `after`, in the order of recording."""


class StoreSource:
    """A store's facts, taken up where the last time ended."""

    def __init__(self, store: Recorded, identity: str) -> None:
        """Take the open store and what names it, such as its URL."""
        self.store = store
        self._identity = identity

    @property
    def identity(self) -> str:
        """The store's name and its first fact: a store made anew at the same place is another one."""
        first = next(iter(self.store.rows(0, 1)), None)
        return f"{self._identity} {'' if first is None else digest(first)}"

    def stage(
        self, con: duckdb.DuckDBPyConnection, folder: Path, cursor: dict[str, Any] | None, progress: Progress
    ) -> dict[str, Any] | None:
        """Read on from the last fact taken, which must still be there and be the same."""
        if cursor:
            again = next(iter(self.store.rows(cursor["last"] - 1, 1)), None)
            if again is None or digest(again) != cursor["digest"]:
                raise DoesNotFitError
        newest: Row | None = None

        def noted() -> Iterator[Row]:
            nonlocal newest
            for row in self.store.rows(cursor["last"] if cursor else 0):
                newest = row
                yield row

        taken = 0
        stored = folder / "stored.parquet"
        for number, frame in enumerate(batches(noted())):
            frame.write_parquet(stored, compression="lz4")
            opened = script("stored").format(stored=f"read_parquet('{quoted(stored)}')")
            target = quoted(folder / f"facts-{number:05d}.parquet")
            con.execute(f"copy ({opened}) to '{target}' (format parquet, compression lz4)")
            taken += frame.height
            progress(taken)
        return None if newest is None else {"last": newest[0], "digest": digest(newest)}


def digest(row: Row) -> str:
    """Give a short fingerprint of a stored fact."""
    return hashlib.sha256(repr(tuple(row)).encode()).hexdigest()[:16]


class FileSource:
    """Interchange events in JSON lines or Parquet; files may be added to the folder, not changed."""

    def __init__(self, path: Path) -> None:
        """Take a file or a folder of `*.jsonl`, `*.ndjson` or `*.parquet`; NotFound when there is none."""
        self.path = path.resolve()
        kinds = ("*.parquet", "*.jsonl", "*.ndjson")
        self.files = [self.path] if path.is_file() else sorted(itertools.chain(*(path.rglob(kind) for kind in kinds)))
        if not self.files:
            raise NotFound(f"no events in {path}", hint="Name a .jsonl or .parquet file, or a folder that holds some.")

    @property
    def identity(self) -> str:
        """The place itself."""
        return str(self.path)

    def stage(
        self, con: duckdb.DuckDBPyConnection, folder: Path, cursor: dict[str, Any] | None, progress: Progress
    ) -> dict[str, Any] | None:
        """Read the files that were not there the last time."""
        found = {str(file): [file.stat().st_size, file.stat().st_mtime_ns] for file in self.files}
        known: dict[str, list[int]] = cursor["files"] if cursor else {}
        if any(found.get(name) != stamp for name, stamp in known.items()):
            raise DoesNotFitError
        taken = cursor["lines"] if cursor else 0
        fresh = [file for file in self.files if str(file) not in known]
        for number, file in enumerate(fresh):
            taken += _stage_file(con, file, folder / f"facts-{number:05d}.parquet", taken)
            progress(taken)
        return {"files": found, "lines": taken} if fresh else None


def _stage_file(con: duckdb.DuckDBPyConnection, file: Path, target: Path, offset: int) -> int:
    """Copy one file of interchange events as facts, checked; give the number of lines."""
    source, params = _reader(con, file)
    columns = ", ".join(_column(name) for name in FACTS)
    place = "row_number() over ()" if file.suffix != ".parquet" else "file_row_number + 1"
    try:
        con.execute(
            f"copy (select {columns} from (select *, {place} + {offset} as id from {source})) "  # noqa: S608 - no outside text
            f"to '{quoted(target)}' (format parquet, compression lz4)",
            params,
        ).fetchall()
        checks = " or ".join(f"{name} is null" for name in (*_REQUIRED[:2], "kind", "ts"))
        ours = "('started', 'completed', 'failed', 'interrupted', 'reused', 'skipped')"
        lines, faulty = con.execute(
            f"select count(*), min(id) filter ({checks} or kind not in {ours} or state < 0) "  # noqa: S608 - the same
            f"from read_parquet('{quoted(target)}')"
        ).fetchall()[0]
    except Exception as error:
        if type(error).__module__.split(".")[0] not in {"duckdb", "_duckdb"}:
            raise
        raise BadInput(f"cannot read {file}: {str(error).splitlines()[0]}") from None
    if faulty is not None:
        raise BadInput(
            f"{file}:{faulty - offset}: build, state, status and ts are required, and status must be one of {ours}"
        )
    return int(lines)


def _reader(con: duckdb.DuckDBPyConnection, file: Path) -> tuple[str, list[str]]:
    if file.suffix != ".parquet":
        types = ", ".join(f"'{name}': '{kind}'" for name, kind in _TYPES.items())
        return f"read_json(?, format = 'newline_delimited', columns = {{{types}}})", [str(file)]
    there = {str(row[0]) for row in con.execute("select name from parquet_schema(?)", [str(file)]).fetchall()}
    if missing := [name for name in _REQUIRED if name not in there]:
        raise BadInput(f"cannot read {file}: columns missing: {', '.join(missing)}")
    columns = ", ".join(
        f'cast("{name}" as {kind}) as "{name}"' if name in there else f'cast(null as {kind}) as "{name}"'
        for name, kind in _TYPES.items()
    )
    return f"(select {columns}, file_row_number from read_parquet(?, file_row_number = true))", [str(file)]  # noqa: S608


def _column(name: str) -> str:
    if name == "id":
        return "cast(id as bigint) as id"
    if name == "kind":
        return "status as kind"
    if name in _TYPES:
        return f'"{name}"'
    kind = {"held": "boolean", "retry_after": "double"}.get(name, "varchar")
    return f'cast(null as {kind}) as "{name}"'
