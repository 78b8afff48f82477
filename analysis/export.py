"""The history's tables as files: Parquet or CSV, written whole or not at all."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, Literal

from analysis.database import quoted
from analysis.tables import TABLES
from toolkit.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from analysis.history import History

Form = Literal["parquet", "csv"]
_ORDER: Final = {
    "events": "build, seq",
    "attempts": "build, started_ord",
    "runs": "build, run",
    "builds": "started, build",
}
_FORMATS: Final = {"parquet": "format parquet, compression zstd", "csv": "format csv, header"}


def export(history: History, path: Path, form: Form, table: str = "events") -> int:
    """Write one table of the history into a file; gives the number of rows.

    `events` are in the interchange shape, times in UTC, so that they can be imported again. UsageError for an unknown
    table or a file that cannot be written; a file that was there is replaced only when the new one is whole.
    """
    if table not in TABLES:
        raise UsageError(f"there is no table '{table}'", hint=f"The tables are {', '.join(TABLES)}.")
    columns = ", ".join(
        _column(name, form) for name in TABLES[table] if table != "events" or name not in {"id", "group"}
    )
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.touch()
        rows = history.frame(
            f"copy (select {columns} from {table} order by {_ORDER[table]}) "  # noqa: S608 - names of our own
            f"to '{quoted(unfinished)}' ({_FORMATS[form]})"
        )
        unfinished.replace(path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", hint="Name a file that can be written.") from None
    finally:
        with suppress(OSError):
            unfinished.unlink()
    return int(rows.item())


def _column(name: str, form: Form) -> str:
    if form == "csv" and name in {"ts", "started", "ended"}:
        return f"""strftime("{name}" at time zone 'UTC', '%Y-%m-%dT%H:%M:%S.%gZ') as "{name}\""""
    return f'"{name}"'
