"""Faults of a SQLite history found and named, and what is still readable of a damaged one got out."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import apsw

from toolkit.errors import StoreDamaged, StoreUnavailable
from toolkit.store import rows
from toolkit.store.faults import ALL, faults
from toolkit.store.sqlite_file import explained, open_file, wal_is_safe
from toolkit.store.turn import Turn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from toolkit.core.events import Event
    from toolkit.store.protocol import Row

MOST_FAULTS = 20
INTEGRITY = f"pragma integrity_check({MOST_FAULTS})"
HIGHEST = "select max(id) from event"
FROM = "select id, build, seq, ts, kind, body from event where id >= ? order by id"
STEPS_OF_ONE = 256
LONGEST_STEP = 64
CHUNK = 1 << 20
PAGE = 4096


def check(connection: apsw.Connection, path: str) -> list[str]:
    """Name every fault of an open history; an empty list means that none was found."""
    found = []
    version = apsw.sqlite_lib_version()
    logged = connection.execute("pragma journal_mode").fetchall() == [("wal",)]
    if logged and not wal_is_safe(version):
        found.append(f"SQLite {version} can damage a store that several write; install an apsw with 3.51.3 or later")
    if os.stat(path).st_mode & 0o077:
        found.append(f"{path} can be read by other users: chmod 600 {path}")
    try:
        connection.execute("begin")
        try:
            found += [str(told) for (told,) in connection.execute(INTEGRITY) if told != "ok"]
            found += faults(connection.execute)
        finally:
            if connection.in_transaction:
                connection.execute("rollback")
    except apsw.Error as error:
        found.append(str(explained(error, path)))
    return found


def readable(path: str) -> Iterator[tuple[int, Event]]:
    """Give `(id, event)` for every event that still decodes, in order, working on a copy of the file.

    StoreDamaged when there is nothing to be read at all.
    """
    with tempfile.TemporaryDirectory(prefix="toolkit-salvage-") as folder:
        copy = os.path.join(folder, "history.db")
        try:
            _copy(path, copy)
            connection = _opened(copy)
            try:
                connection.execute(ALL)
            except apsw.SQLError:
                raise StoreDamaged(f"{path} has no history in it") from None
            except apsw.Error:  # without its first page SQLite finds nothing, though all else may be there
                connection.close()
                _renew_first_page(copy)
                connection = _opened(copy)
            try:
                for row in _rows(connection, os.path.getsize(copy)):
                    with suppress(StoreDamaged):
                        event = rows.event_of(row)
                        if event is not None:
                            yield row[0], event
            finally:
                connection.close()
        except (apsw.Error, OSError) as error:
            raise explained(error, path) if isinstance(error, apsw.Error) else _unreadable(path, error) from error


def _unreadable(path: str, error: OSError) -> StoreUnavailable:
    return StoreUnavailable(f"cannot read {path}: {error.strerror}")


def _copy(path: str, copy: str) -> None:
    """Copy file and log. SQLite itself must read the file: if we closed it, all its locks in this process would go."""
    if not os.path.exists(path):
        raise rows.no_history(path)
    source = apsw.VFSFile("unix", path, [apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READONLY, 0])
    try:
        with open(copy, "wb") as target:
            size = source.xFileSize()
            target.writelines(source.xRead(min(CHUNK, size - place), place) for place in range(0, size, CHUNK))
    finally:
        source.xClose()
    with suppress(FileNotFoundError):
        shutil.copyfile(f"{path}-wal", f"{copy}-wal")


def _opened(copy: str) -> apsw.Connection:
    connection = apsw.Connection(copy, flags=apsw.SQLITE_OPEN_READWRITE)
    connection.execute("pragma writable_schema = on")  # or a file that was cut short would not be read at all
    return connection


def _renew_first_page(copy: str) -> None:
    """Take the first page from a new store: every store is made by the same steps, so its tables begin alike."""
    new = f"{copy}-new"
    open_file(new, create=True, read_only=False, turn=Turn(new, 1.0)).close()
    with open(new, "rb") as source, open(copy, "r+b") as target:
        page = bytearray(source.read(PAGE))
        page[28:32] = bytes(4)  # how many pages there are: SQLite shall look for itself
        target.write(page)


def _rows(connection: apsw.Connection, size: int) -> Iterator[Row]:
    """Walk the events by id and step over what cannot be read: singly at first, then in longer steps."""
    place, failures, found_any = 1, 0, False
    last = size // 16  # no event is that small
    why: apsw.Error | None = None
    with suppress(apsw.Error):
        found: list[Any] = connection.execute(HIGHEST).fetchall()
        last = found[0][0] or 0
    while place <= last:
        try:
            for row in _well_formed(connection.execute(FROM, (place,))):
                place, failures, found_any = row[0], 0, True
                yield row
        except apsw.Error as error:
            failures, why = failures + 1, error
            place += 1 if failures < STEPS_OF_ONE else min(LONGEST_STEP, failures // STEPS_OF_ONE * 2)
        else:
            return
    if not found_any and why is not None:
        raise why


def _well_formed(cursor: Iterable[tuple[object, ...]]) -> Iterator[Row]:
    for row in cursor:
        number, build, seq, ts, kind, body = row
        if isinstance(number, int) and isinstance(build, str) and isinstance(seq, int) and isinstance(ts, int):
            yield number, build, seq, ts, str(kind), str(body)
