"""Newer and damaged files: refused, found out, left untouched, and emptied of what is readable."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from tests.store.files import BUILDS, beside, url
from toolkit.errors import StoreDamaged, StoreTooNew, StoreUnavailable
from toolkit.store import open_store, salvage


def refused(path: Path, kind: type[StoreUnavailable], told: str) -> None:
    """Opening fails, for writing and for reading, as it says, and leaves everything exactly as it was."""
    before = path.read_bytes()
    for read_only in (False, True):
        with pytest.raises(kind, match=told) as caught:
            open_store(url(path), read_only=read_only)
        assert caught.value.hint
    assert path.read_bytes() == before
    assert beside(path) == ["history.db"]


def test_a_newer_store_is_refused_and_left_untouched(file: Path) -> None:
    """A history of a newer toolkit is not guessed at; what can be read of it can still be exported."""
    with closing(apsw.Connection(str(file))) as connection:
        connection.execute("pragma user_version = 99")

    refused(file, StoreTooNew, "was written by a newer toolkit: its schema is 99, this one knows 1")
    assert len({event.build for _, event in salvage(url(file))}) == BUILDS


def test_a_newer_store_in_use_is_refused_and_left_untouched(file: Path) -> None:
    """That the history is of a newer toolkit may stand in its log only; both stay as they are."""
    with closing(apsw.Connection(str(file))) as connection:
        connection.execute("pragma user_version = 99")
        before = file.read_bytes(), Path(f"{file}-wal").read_bytes()
        with pytest.raises(StoreTooNew):
            open_store(url(file))
        assert (file.read_bytes(), Path(f"{file}-wal").read_bytes()) == before


def overwritten(path: Path, place: int, data: bytes) -> None:
    with path.open("r+b") as stream:
        stream.seek(place)
        stream.write(data)


def test_a_truncated_store_is_refused_and_left_untouched(file: Path) -> None:
    """A file that was cut short is refused before anything is done to it, and gives out what it still has."""
    os.truncate(file, file.stat().st_size // 2 // 4096 * 4096)

    refused(file, StoreDamaged, "is not a readable history")
    assert 0 < len(list(salvage(url(file)))) < BUILDS * 8


def test_a_store_without_its_first_page_is_refused_and_gives_out_the_rest(file: Path) -> None:
    """The first page holds the header and the tables' names; without it the facts are still there."""
    before = list(salvage(url(file)))
    for garbage in (b"\xa5" * 60, b"\xa5" * 4096):
        overwritten(file, 0, garbage)

        refused(file, StoreDamaged, "is not a readable history")
        assert list(salvage(url(file))) == before


def test_random_bytes_are_no_store(tmp_path: Path) -> None:
    """A file that is something else altogether is refused; there is nothing to get out of it."""
    path = tmp_path / "history.db"
    path.write_bytes(bytes(range(256)) * 64)

    refused(path, StoreDamaged, "is not a readable history")
    with pytest.raises(StoreDamaged):
        list(salvage(url(path)))
    with pytest.raises(StoreUnavailable, match="there is no history at"):
        list(salvage(url(tmp_path / "missing.db")))


def test_another_programs_database_is_no_store(tmp_path: Path) -> None:
    """We do not write our tables into somebody else's database."""
    path = tmp_path / "history.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table bookmarks (place text)")

    refused(path, StoreDamaged, "is a database of another program")
    with pytest.raises(StoreDamaged, match="has no history in it"):
        list(salvage(url(path)))


def leaves(path: Path) -> list[int]:
    """Give where in the file the events themselves lie, page by page."""
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        pages = connection.execute("select pageno from dbstat where name = 'event' and pagetype = 'leaf'").fetchall()
    return [(int(number) - 1) * 4096 for (number,) in pages]  # type: ignore[arg-type]


def test_a_flipped_page_is_found_and_the_rest_gets_out(file: Path) -> None:
    """One page of garbage: reading it is an error and no lie, the check finds it, all other pages can be exported."""
    before = [event for _, event in salvage(url(file))]
    places = leaves(file)
    overwritten(file, places[len(places) // 2], b"\xa5" * 4096)
    damaged = file.read_bytes()

    with closing(open_store(url(file))) as store:
        assert any("history.db is not a readable history" in fault or "Tree" in fault for fault in store.check())
        with pytest.raises(StoreDamaged, match="is not a readable history"):
            list(store.scan())
        rescued = [event for _, event in store.readable()]
    assert file.read_bytes() == damaged
    assert 0 < len(before) - len(rescued) <= 2 * len(before) // len(places)
    assert all(event in before for event in rescued)


def test_a_row_that_does_not_decode_is_named(file: Path) -> None:
    """A fact whose body was damaged is told with its build and number, never guessed at, and left out of a salvage."""
    with closing(apsw.Connection(str(file))) as connection:
        connection.execute("drop trigger event_is_never_edited")
        connection.execute("update event set body = '{\"run\":' where build = 'b-0007' and seq = 3")

    with closing(open_store(url(file))) as store:
        with pytest.raises(StoreDamaged, match="event 3 of build b-0007 cannot be read"):
            store.events("b-0007")
        assert any(fault.startswith("event 3 of build b-0007 cannot be read") for fault in store.check())
        assert len(store.events("b-0008")) == 8
        assert len(list(store.readable())) == BUILDS * 8 - 1


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("delete from event where build = 'b-0003' and seq = 4", "build b-0003 has 7 events numbered up to 8"),
        ("delete from event where build = 'b-0003'", "build b-0003 has no events"),
        ("delete from build where build = 'b-0003'", "build b-0003 has events and no line of its own"),
        ("update build set status = 'failed' where build = 'b-0003'", "does not stand as its events say: status"),
        ("update event set token = 9 where build = 'b-0003'", "by a writer that it does not know yet"),
    ],
)
def test_the_check_finds(file: Path, statement: str, told: str) -> None:
    """Gaps, orphans, lines that disagree with their facts: each fault is named with its build, and nothing else is."""
    with closing(apsw.Connection(str(file))) as connection:
        connection.execute("drop trigger event_is_never_edited; drop trigger event_is_never_removed")
        connection.execute(statement)

    with closing(open_store(url(file), read_only=True)) as store:
        faults = store.check()
    assert any(told in fault for fault in faults)
    assert all("b-0003" in fault for fault in faults)


def test_the_check_finds_a_store_that_others_can_read(file: Path) -> None:
    """What builds print is nobody else's business."""
    file.chmod(0o644)
    with closing(open_store(url(file))) as store:
        assert store.check() == [f"{file} can be read by other users: chmod 600 {file}"]
