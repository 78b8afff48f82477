"""The SQLite store's file: looked at before it is touched, created whole or not at all, opened for durable writing."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from time import sleep, time
from typing import TYPE_CHECKING, Any

import apsw

from toolkit.errors import StoreDamaged, StoreTooNew, StoreUnavailable
from toolkit.store.migrate import Migration, migrations
from toolkit.store.rows import no_history

if TYPE_CHECKING:
    from toolkit.store.turn import Turn

APPLICATION_ID = 0x6273746B
"""What the header of our files says, so that another program's database is never taken for a history."""

NETWORK = frozenset({"9p", "afs", "ceph", "cifs", "fuse.sshfs", "glusterfs", "lustre", "nfs", "nfs4", "smb3", "smbfs"})
"""File systems on which several machines, or no shared memory, forbid SQLite's write-ahead log."""

LOOK = "select application_id, user_version from pragma_application_id, pragma_user_version"
TABLES = "select count(*) from sqlite_schema"
TOUCH = "select (select max(id) from event), (select max(id) from build)"
NOTE = "insert into migration (number, name, applied_ms) values (?, ?, ?)"

DURABLE = "pragma synchronous = full; pragma wal_autocheckpoint = 100"
"""In pages. A sync is quicker where it need not record that the file grew, so a short log is begun again often: what
the thirty commits in between save outweighs the three syncs that the copying takes."""

OUR_OWN_FOLDER = ".toolkit"
_LOOKS = 4
_WRITABLE = "Make it writable for this user, or name another store with --store."


def wal_is_safe(version: str) -> bool:
    """Tell whether this SQLite is free of the race between a checkpoint and a writer that can damage a database."""
    parts = tuple(int(each) for each in version.split("."))
    return parts >= (3, 51, 3) or (3, 50, 7) <= parts < (3, 51) or (3, 44, 6) <= parts < (3, 45)


def open_file(path: str, *, create: bool, read_only: bool, turn: Turn) -> apsw.Connection:
    """Open the history at an absolute path, creating it where that is wanted.

    StoreTooNew and StoreDamaged leave the file as it is, StoreUnavailable says why it cannot be used.
    """
    if _is_missing(path):
        if read_only or not create:
            raise no_history(path)
        _make(path, turn)
    latest = migrations("sqlite")
    empty = _look(path, len(latest))
    if empty and read_only:
        raise no_history(path)
    try:
        connection = _connect(path, read_only=read_only, wait_seconds=turn.wait_seconds)
    except apsw.Error as error:
        raise explained(error, path) from error
    try:
        _bring_up_to_date(connection, path, latest, read_only=read_only, turn=turn)
    except BaseException as error:
        leave_untouched(connection)
        connection.close()
        if isinstance(error, apsw.Error):
            raise explained(error, path) from error
        raise
    return connection


def leave_untouched(connection: apsw.Connection) -> None:
    """Have the file stay as it is when the connection closes: nothing is copied from the log into it."""
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)


def explained(error: apsw.Error, path: str) -> StoreUnavailable:
    """Say in our words what SQLite found."""
    if isinstance(error, (apsw.CorruptError, apsw.NotADBError)):
        return StoreDamaged(f"{path} is not a readable history: {error}")
    if isinstance(error, apsw.FullError):
        return StoreUnavailable(f"cannot write {path}: the disk is full", hint="Free some space.")
    if isinstance(error, (apsw.BusyError, apsw.LockedError)):
        return StoreUnavailable(
            f"{path}: another program keeps it locked", hint="Close the program that has the file open for writing."
        )
    if isinstance(error, (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError, apsw.AuthError)):
        return StoreUnavailable(f"cannot open {path}: {error}", hint=_WRITABLE)
    return StoreUnavailable(f"cannot use {path}: {error}")


def _is_missing(path: str) -> bool:
    """Tell whether there is nothing yet; StoreUnavailable for what is no plain file in a folder of its own.

    A link in place of our folder is refused: builds run as root, and whoever put it there would choose where we write.
    """
    folder = os.path.dirname(path)
    if os.path.basename(folder) == OUR_OWN_FOLDER and os.path.islink(folder):
        raise StoreUnavailable(
            f"{folder} is a symbolic link", hint="Make it a folder, or name a store elsewhere with --store."
        )
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return True
    except OSError as error:
        raise StoreUnavailable(f"cannot look at {path}: {error.strerror}", hint=_WRITABLE) from error
    if not stat.S_ISREG(found.st_mode):
        what = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "not a file"
        raise StoreUnavailable(f"{path} is {what}", hint="Name the file itself with --store.")
    return found.st_size == 0


def _make(path: str, turn: Turn) -> None:
    """Make an empty file that only its owner can read, and the folder for it."""
    folder = os.path.dirname(path)
    try:
        if not os.path.isdir(folder):
            os.makedirs(os.path.dirname(folder), exist_ok=True)
            with suppress(FileExistsError):
                os.mkdir(folder, 0o700)
        if os.path.basename(folder) == OUR_OWN_FOLDER:
            _ignored_by_git(folder)
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        told = error.filename or folder
        raise StoreUnavailable(f"cannot create {told}: {error.strerror}", hint=_WRITABLE) from error
    turn.take()
    try:
        connection = _connect(path, read_only=False, wait_seconds=turn.wait_seconds)
        try:
            safe = wal_is_safe(apsw.sqlite_lib_version()) and _file_system(folder) not in NETWORK
            connection.execute(f"pragma journal_mode = {'wal' if safe else 'delete'}")
            _apply(connection, migrations("sqlite"))
        finally:
            connection.close()
        _sync_folder(folder)
    except apsw.Error as error:
        raise explained(error, path) from error
    finally:
        turn.give()


def _ignored_by_git(folder: str) -> None:
    """Keep what we write out of the project's version control."""
    with suppress(FileExistsError):
        handle = os.open(os.path.join(folder, ".gitignore"), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(handle, "w", encoding="utf-8") as file:
            file.write("*\n")


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _file_system(folder: str) -> str:
    """Name the type of the file system that a folder is on, as the kernel does; empty when it cannot be told."""
    place, longest, kind = os.path.realpath(folder), -1, ""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as mounts:
            for line in mounts:
                before, _, after = line.partition(" - ")
                point = before.split(" ")[4].replace("\\040", " ")
                inside = place == point or place.startswith(point.rstrip("/") + "/")
                if inside and len(point) >= longest:
                    longest, kind = len(point), after.split(" ")[0]
    except OSError:
        return ""
    return kind


def _look(path: str, latest: int) -> bool:
    """Read the header, and the ends of the tables, without a lock and without leaving anything beside the file.

    True when the database is empty: whoever was to create it died. While a log is there, the file alone says little.
    """
    for look in range(1, _LOOKS + 1):
        logged = _has_log(path)
        try:
            connection = apsw.Connection(_as_uri(path), flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
            try:
                _, version = _marks(connection, path)
                _refuse_newer(version, latest, path)
                if version and not logged:
                    connection.execute(TOUCH).fetchall()
                return version == 0 and not logged
            finally:
                connection.close()
        except (apsw.Error, StoreDamaged) as error:
            if logged or _has_log(path):
                return False
            if look == _LOOKS:  # until then it may have been a page that somebody was just writing
                raise (explained(error, path) if isinstance(error, apsw.Error) else error) from error
            sleep(0.02 * look)
    raise AssertionError("unreachable: the last look returns or raises")


def _has_log(path: str) -> bool:
    try:
        return os.stat(f"{path}-wal").st_size > 0
    except OSError:
        return False


def _as_uri(path: str) -> str:
    told = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return f"file:{told}?immutable=1"


def _connect(path: str, *, read_only: bool, wait_seconds: float) -> apsw.Connection:
    if not read_only:
        connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE)
        if connection.readonly("main"):
            connection.close()
            raise StoreUnavailable(f"{path} is read-only for this user", hint=_WRITABLE)
    else:
        connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
        try:
            connection.execute(TABLES).fetchall()
        except (apsw.CantOpenError, apsw.ReadOnlyError):  # a folder in which not even a reader's marks can be made
            connection.close()
            connection = apsw.Connection(_as_uri(path), flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    connection.set_busy_timeout(max(1, int(wait_seconds * 1000)))
    connection.execute(DURABLE)
    return connection


def _marks(connection: apsw.Connection, path: str) -> tuple[int, int]:
    """Give application id and schema version; StoreDamaged when the database belongs to something else."""
    connection.execute("begin")  # both looks see the same moment: somebody may be creating it
    try:
        found: list[Any] = connection.execute(LOOK).fetchall()
        ours, version = found[0]
        foreign = ours != APPLICATION_ID and connection.execute(TABLES).fetchall() != [(0,)]
    finally:
        if connection.in_transaction:
            connection.execute("rollback")
    if foreign:
        raise StoreDamaged(
            f"{path} is a database of another program, not a history",
            hint="Name another store with --store. The file was left untouched.",
        )
    return ours, version


def _refuse_newer(version: int, latest: int, path: str) -> None:
    if version > latest:
        raise StoreTooNew(f"{path} was written by a newer toolkit: its schema is {version}, this one knows {latest}")


def _bring_up_to_date(
    connection: apsw.Connection, path: str, latest: list[Migration], *, read_only: bool, turn: Turn
) -> None:
    leave_untouched(connection)  # until we know what it is
    _, version = _marks(connection, path)
    _refuse_newer(version, len(latest), path)
    if version < len(latest):
        if read_only:
            raise StoreUnavailable(
                f"{path} was written by an older toolkit",
                hint="Any command that writes, such as `toolkit run`, adapts it.",
            )
        turn.take()
        try:
            _apply(connection, latest)
        finally:
            turn.give()
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
    if connection.execute("pragma journal_mode").fetchall() != [("wal",)]:
        connection.execute("pragma synchronous = extra")


def _apply(connection: apsw.Connection, latest: list[Migration]) -> None:
    """Bring the schema up to date and note it, all in one transaction; somebody else may have done it meanwhile."""
    connection.execute("begin immediate")
    try:
        found: list[Any] = connection.execute("pragma user_version").fetchall()
        for step in latest[found[0][0] :]:
            connection.execute(step.sql)
            connection.execute(NOTE, (step.number, step.name, int(time() * 1000)))
            connection.execute(f"pragma user_version = {step.number}")
        connection.execute(f"pragma application_id = {APPLICATION_ID}")
        connection.execute("commit")
    except BaseException:
        if connection.in_transaction:
            connection.execute("rollback")
        raise
