"""The SQLite store's file: refused when it must be, left untouched then, and whole after every kill."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import apsw
import pytest

from tests.histories import T0, completes, fails, history
from tests.store.processes import spawned
from toolkit.core import events as ev
from toolkit.errors import StoreDamaged, StoreTooNew, StoreUnavailable, UsageError
from toolkit.store import Store, open_store, salvage, sqlite_path
from toolkit.store.sqlite_file import APPLICATION_ID, wal_is_safe

if TYPE_CHECKING:
    from collections.abc import Iterator

BUILDS = 40
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting, and becoming somebody else, needs root")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give a history of some builds, closed."""
    path = tmp_path / "state" / "history.db"
    with closing(open_store(f"sqlite:///{path}")) as store:
        store.import_builds(
            (name, history(fails(5, error="x" * 300), completes(5), completes(10), build=name))
            for name in (f"b-{number:04d}" for number in range(1, BUILDS + 1))
        )
    return path


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def beside(path: Path) -> list[str]:
    """List the folder, without the locks that the store leaves there on purpose."""
    return sorted(each.name for each in path.parent.iterdir() if not each.name.endswith(("-turn", "-next")))


def refused(path: Path, kind: type[StoreUnavailable], told: str) -> None:
    """Opening fails, for writing and for reading, as it says, and leaves everything exactly as it was."""
    before = path.read_bytes()
    for read_only in (False, True):
        with pytest.raises(kind, match=told) as caught:
            open_store(url(path), read_only=read_only)
        assert caught.value.hint
    assert path.read_bytes() == before
    assert beside(path) == ["history.db"]


def test_the_store_is_its_owners_alone(tmp_path: Path) -> None:
    """Builds print secrets: the folder and every file in it are for their owner only, and git does not see them."""
    path = tmp_path / "deep" / "down" / ".toolkit" / "history.db"
    with closing(open_store(url(path))) as store:
        store.begin(lambda name: history(build=name))
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}

    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {name: mode for name, mode in modes.items() if mode != 0o600} == {".gitignore": 0o644}
    assert {"history.db", "history.db-wal"} <= modes.keys()
    assert (path.parent / ".gitignore").read_text() == "*\n"
    assert beside(path) == [".gitignore", "history.db"]


def test_a_folder_of_somebody_elses_is_left_alone(tmp_path: Path) -> None:
    """A store may lie anywhere; only our own folder is hidden from version control."""
    with closing(open_store(url(tmp_path / "history.db"))):
        assert not (tmp_path / ".gitignore").exists()


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


@pytest.mark.parametrize("statement", ["update event set kind = 'x'", "delete from event"])
def test_the_database_itself_keeps_facts(file: Path, statement: str) -> None:
    """Not even a person with an SQL prompt edits or removes a fact by mistake."""
    with (
        closing(apsw.Connection(str(file))) as connection,
        pytest.raises(apsw.ConstraintError, match="facts are never"),
    ):
        connection.execute(statement)


def test_the_database_itself_refuses_a_second_writer(file: Path) -> None:
    """A row with an old token, or with a number that is taken, is turned away whoever sends it."""
    add = "insert into event (build, seq, ts, kind, body, token) values ('b-0001', ?, 0, 'x', '{}', ?)"
    with closing(apsw.Connection(str(file))) as connection:
        with pytest.raises(apsw.ConstraintError, match="leased"):
            connection.execute(add, (9, 0))
        with pytest.raises(apsw.ConstraintError, match="UNIQUE"):
            connection.execute(add, (8, 1))
        connection.execute(add, (9, 1))


def test_a_symbolic_link_is_no_store(file: Path) -> None:
    """A link could have us write into a file that somebody else chose."""
    link = file.parent / "link.db"
    link.symlink_to(file)

    with pytest.raises(StoreUnavailable, match="is a symbolic link"):
        open_store(url(link))


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    """Naming a folder, or a file inside a file, says so."""
    with pytest.raises(StoreUnavailable, match="is not a file"):
        open_store(url(tmp_path))
    (tmp_path / "plain").write_text("x")
    with pytest.raises(StoreUnavailable, match="Not a directory"):
        open_store(url(tmp_path / "plain" / "history.db"))


@contextmanager
def somebody_else() -> Iterator[None]:
    """Be an ordinary user for a while."""
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@as_root
def test_an_unwritable_folder_is_explained(tmp_path: Path) -> None:
    """Where nothing can be created, the error names the place and the hint says what to do."""
    open_to_all(tmp_path)
    with somebody_else(), pytest.raises(StoreUnavailable, match=r"cannot create .*: Permission denied") as caught:
        open_store(url(tmp_path / "new" / "history.db"))
    assert "--store" in caught.value.hint


@as_root
def test_a_store_that_may_only_be_read_is_read(file: Path) -> None:
    """Somebody without the right to write can look, and is told so when trying more."""
    open_to_all(file.parent)
    file.chmod(0o644)
    with somebody_else():
        with closing(open_store(url(file), read_only=True)) as store:
            assert len(store.builds()) == BUILDS
        with pytest.raises(StoreUnavailable, match="read-only for this user"):
            open_store(url(file))
    file.chmod(0o600)
    with somebody_else(), pytest.raises(StoreUnavailable):
        open_store(url(file), read_only=True)


def open_to_all(folder: Path) -> None:
    for each in (folder, *folder.parents):
        if each != Path("/tmp") and each.owner() == "root" and str(each).startswith("/tmp/"):
            each.chmod(0o755)


def filled(store: Store, most: int) -> int:
    """Append until it fails, and tell how many facts were acknowledged."""
    writer = store.begin(lambda name: history(build=name))
    for count in range(most):
        try:
            writer.append(ev.RecordDegraded(build=writer.build, ts_ms=T0 + count, reason="x" * 2000))
        except StoreUnavailable:
            assert len(store.events(writer.build)) == count + 2
            return count
    raise AssertionError("the disk never became full")


@as_root
def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """What was acknowledged stays, what was not is not there, and once there is space the same writer goes on."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        ballast = disk / "ballast"
        ballast.write_bytes(b"x" * 200_000)
        with closing(open_store(url(disk / "history.db"))) as store:
            writer = store.begin(lambda name: history(build=name))
            count = filled(store, 1000)
            assert count > 10
            with pytest.raises(StoreUnavailable, match="the disk is full"):
                writer.append(ev.RecordDegraded(build=writer.build, ts_ms=T0, reason="x" * 20_000))
            ballast.unlink()
            writer.append(ev.RecordDegraded(build=writer.build, ts_ms=T0, reason="x"))
            assert len(store.events(writer.build)) == 3
            assert store.check() == []
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_file_that_may_not_grow_loses_nothing(tmp_path: Path) -> None:
    """A limit on file sizes is a full disk of another kind: an error that says so, and a whole history."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with closing(open_store(url(tmp_path / "history.db"))) as store:
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, hard))
            count = filled(store, 1000)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, before)
        assert count > 10
        assert store.check() == []
        store.writer("b-0001").append(ev.BuildAbandoned(build="b-0001", ts_ms=T0))


def test_a_stopped_holder_costs_patience_only(file: Path) -> None:
    """When another process hangs in the middle of writing, a write fails after its time, and says why."""
    with closing(open_store(url(file), wait_seconds=0.3)) as store, spawned("hold", url(file)) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match=r"kept the store from writing for 0\.3 s"):
            store.begin(lambda name: history(build=name))
        assert 0.25 < time.monotonic() - began < 3
        assert len(store.builds()) == BUILDS
    with closing(open_store(url(file))) as store:
        store.begin(lambda name: history(build=name))


def test_another_programs_lock_is_explained(file: Path) -> None:
    """Somebody with an open SQL prompt holds the file: an error after its time, not a wait for ever."""
    with (
        closing(open_store(url(file), wait_seconds=0.2)) as store,
        closing(apsw.Connection(str(file))) as other,
    ):
        other.execute("begin immediate")
        with pytest.raises(StoreUnavailable, match="another program keeps it locked"):
            store.begin(lambda name: history(build=name))
        other.execute("rollback")
        store.begin(lambda name: history(build=name))


def test_a_creation_that_was_cut_short_is_finished(tmp_path: Path) -> None:
    """An empty file, or a database without tables, is a store that nobody finished: the next one does."""
    for number, make in enumerate((_nothing, _database_without_tables)):
        path = tmp_path / f"{number}.db"
        make(path)
        with pytest.raises(StoreUnavailable, match="there is no history at"):
            open_store(url(path), read_only=True)
        with closing(open_store(url(path))) as store:
            store.begin(lambda name: history(build=name))
            assert store.check() == [] or path.stat().st_mode & 0o077


def _nothing(path: Path) -> None:
    path.touch(0o600)


def _database_without_tables(path: Path) -> None:
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("pragma journal_mode = wal")


def test_a_store_does_not_survive_a_fork(file: Path) -> None:
    """Two processes on one open database would damage it: the child is told to open its own."""
    with closing(open_store(url(file))) as store:
        store.begin(lambda name: history(build=name))
        child = os.fork()
        if child == 0:
            try:
                store.begin(lambda name: history(build=name))
            except RuntimeError:
                os._exit(7)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_a_new_file_is_marked_as_ours(file: Path) -> None:
    """The header says whose file it is, so that `file` and we can tell."""
    header = file.read_bytes()[:100]

    assert int.from_bytes(header[68:72]) == APPLICATION_ID
    assert int.from_bytes(header[60:64]) == 1
    assert header[18:20] == b"\x02\x02"  # the write-ahead log is on


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ("3.40.1", False),
        ("3.44.5", False),
        ("3.44.6", True),
        ("3.45.0", False),
        ("3.50.7", True),
        ("3.51.2", False),
        ("3.54.1", True),
    ],
)
def test_which_sqlite_may_use_its_log(version: str, safe: bool) -> None:
    """Versions in which a checkpoint can race with a writer are known; ours is none of them."""
    assert wal_is_safe(version) == safe
    assert wal_is_safe(apsw.sqlite_lib_version())


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("sqlite:////nowhere/x.db", "/nowhere/x.db"),
        ("sqlite:///tmp/x.db", "/tmp/x.db"),
        ("sqlite:///x.db", "{here}/x.db"),
        ("sqlite:///.toolkit/history.db", "{here}/.toolkit/history.db"),
        ("sqlite:///state/x.db", "{here}/state/x.db"),
    ],
)
def test_what_a_url_means(written: str, meant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four slashes are absolute, three are relative, unless the first folder exists at the root and not here."""
    monkeypatch.chdir(tmp_path)
    assert sqlite_path(written) == meant.format(here=tmp_path)


@pytest.mark.parametrize(
    "written", ["", "history.db", "sqlite:", "sqlite://x", "sqlite:///", "sqlite:///x/", "mysql://x/y"]
)
def test_what_names_no_store(written: str) -> None:
    """A URL that names no store is a mistake on the command line, told with what to write."""
    with pytest.raises(UsageError) as caught:
        open_store(written)
    assert "///" in caught.value.hint


def test_opening_is_light() -> None:
    """A tracked build opens the store without loading anything that it does not need."""
    program = "import sys, toolkit.store.sqlite; print(*sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(Path.cwd())!r}); {program}"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip

    assert not {
        "pathlib",
        "dataclasses",
        "sqlite3",
        "psycopg",
        "logging",
        "shutil",
        "tempfile",
        "random",
        "datetime",
    } & set(loaded)
