"""The SQLite store's file: refused when it must be, left untouched then, and whole after every kill."""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import apsw
import pytest

from tests.histories import T0, history
from tests.store.files import BUILDS, beside, url
from tests.store.processes import spawned
from toolkit.core import events as ev
from toolkit.errors import StoreUnavailable, UsageError
from toolkit.store import Store, open_store, sqlite_path
from toolkit.store.sqlite_file import APPLICATION_ID, wal_is_safe

if TYPE_CHECKING:
    from collections.abc import Iterator

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting, and becoming somebody else, needs root")


def test_the_store_is_its_owners_alone(tmp_path: Path) -> None:
    """Builds print secrets: the folder and every file in it are for their owner only, and git does not see them."""
    path = tmp_path / "deep" / "down" / ".toolkit" / "history.db"
    with closing(open_store(url(path))) as store:
        store.begin(lambda name: history(build=name))
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}

    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert set(modes.values()) == {0o600}
    assert {"history.db", "history.db-wal"} <= modes.keys()
    assert (path.parent / ".gitignore").read_text() == "*\n"
    assert beside(path) == [".gitignore", "history.db"]


def test_a_folder_of_somebody_elses_is_left_alone(tmp_path: Path) -> None:
    """A store may lie anywhere; only our own folder is hidden from version control."""
    with closing(open_store(url(tmp_path / "history.db"))):
        assert not (tmp_path / ".gitignore").exists()


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


def test_a_file_that_is_gone_acknowledges_nothing(file: Path) -> None:
    """A history that was deleted or moved away under its writer takes no facts; back in its place it goes on."""
    with closing(open_store(url(file))) as store:
        writer = store.begin(lambda name: history(build=name))
        fact = ev.RecordDegraded(build=writer.build, ts_ms=T0, reason="x")
        file.rename(file.with_name("elsewhere"))
        with pytest.raises(StoreUnavailable, match=r"history\.db was deleted or replaced"):
            writer.append(fact)
        file.touch()
        with pytest.raises(StoreUnavailable, match=r"history\.db was deleted or replaced"):
            writer.append(fact)
        file.with_name("elsewhere").rename(file)
        writer.append(fact)

        assert store.events(writer.build)[-1] == fact


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
        assert 0.25 < time.monotonic() - began < 30
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
