"""The embedded store: one SQLite file, on disk before it is acknowledged, written in turns."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, TypeVar

import apsw

from toolkit.core.events import PROJECT
from toolkit.core.progress import Progress, apply, fold
from toolkit.errors import BuildLeased, StoreDamaged, StoreUnavailable
from toolkit.store import rows
from toolkit.store.reading import Reading
from toolkit.store.sqlite_file import explained, leave_untouched, open_file
from toolkit.store.turn import Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from toolkit.core.events import Event
    from toolkit.store.protocol import ImportCount

ADD_EVENT = "insert into event (build, seq, ts, kind, body, token) values (?, ?, ?, ?, ?, ?)"
ADD_BUILD = f"""
    insert into build (build, number, token, {", ".join(rows.SUMMARY)})
    values (?, ?, ?, {", ".join("?" * len(rows.SUMMARY))})
"""  # noqa: S608 - the names are our own
SET_ALL = f"update build set {', '.join(f'{name} = ?' for name in rows.SUMMARY)} where build = ?"  # noqa: S608 - as above
SET_USUAL = f"""
    update build set {", ".join(f"{name} = ?" for name in rows.SUMMARY[: -rows.ORIGIN])} where build = ?
"""  # noqa: S608 - as above
LAST_NUMBER = "select max(number) from build"
LAST_SEQ = "select coalesce(max(seq), 0) from event where build = ?"
TAKE_OVER = """
    update build set token = token + 1, renewed_ms = null
    where build = ?1 and (?2 is null or token = ?2) returning token
"""
RENEW = "update build set renewed_ms = ? where build = ? and token = ?"

TURNED_AWAY = (apsw.SQLITE_CONSTRAINT_TRIGGER, apsw.SQLITE_CONSTRAINT_UNIQUE)
"""How the database says that another writer has the build: by its token, or by the number of the event."""

T = TypeVar("T")


class SqliteStore(Reading):
    """A history in one file; see `toolkit.store.protocol.Store`."""

    def __init__(self, path: str, *, create: bool = True, read_only: bool = False, wait_seconds: float = 5.0) -> None:
        """Open the file at `path`; a write waits at most `wait_seconds` for others, then StoreUnavailable."""
        self.path = os.path.abspath(path)
        self.url = f"sqlite:///{self.path}"
        self.read_only = read_only
        self.turn = Turn(self.path, wait_seconds)
        self.connection = open_file(self.path, create=create, read_only=read_only, turn=self.turn)
        self._identity = _identity(self.path)

    def begin(self, first: Callable[[str], Sequence[Event]], build: str | None = None) -> SqliteWriter:
        """Begin a build; Refused when `build` exists."""
        if build is not None:
            rows.usable_id(build)

        def work() -> SqliteWriter:
            name = build if build is not None else rows.numbered(1 + self.one(LAST_NUMBER))
            if self.row(name) is not None:
                raise rows.exists_already(name)
            events = tuple(first(name))
            rows.of_build(name, events)
            progress = fold(events)
            self.connection.execute(ADD_BUILD, (name, rows.number_of(name), 1, *rows.summary(progress)))
            self.connection.executemany(
                ADD_EVENT, [(name, seq, *rows.fact(event), 1) for seq, event in enumerate(events, 1)]
            )
            return SqliteWriter(self, name, 1, len(events), progress)

        return self.transact(work)

    def writer(
        self, build: str, *, replacing: int | None = None, first: Callable[[Progress], Sequence[Event]] | None = None
    ) -> SqliteWriter:
        """Take the writing over; NotFound, BuildLeased when the present token is not `replacing`."""

        def work() -> int:
            taken: list[Any] = self.connection.execute(TAKE_OVER, (build, replacing)).fetchall()
            if not taken:
                self.lease(build)
                raise BuildLeased(f"build {build} has another writer")
            return int(taken[0][0])

        def begun() -> SqliteWriter:
            writer = SqliteWriter(self, build, work(), *self.taken_up(build))
            if first is not None:
                writer.put(tuple(first(writer.progress)))
            return writer

        if first is not None:
            return self.transact(begun)
        token = self.transact(work)
        # From here on nobody older can add anything, so the history may be read without keeping others from writing.
        return SqliteWriter(self, build, token, *self.taken_up(build))

    def renew(self, build: str, token: int) -> None:
        """Say that a writer lives; BuildLeased when another one took over."""

        def work() -> None:
            self.connection.execute(RENEW, (self.clock_ms(), build, token))
            if self.connection.changes() == 0:
                raise BuildLeased(f"build {build} has another writer")

        self.transact(work)

    def append_project(self, *events: Event, unless: Callable[[list[Event]], bool] | None = None) -> bool:
        """Record facts about the project itself, unless something is said there already."""
        rows.about_project(events)

        def work() -> bool:
            if unless is not None and unless(self.project_events()):
                return False
            seq = self.one(LAST_SEQ, (PROJECT,))
            self.connection.executemany(
                ADD_EVENT, [(PROJECT, place, *rows.fact(event), 0) for place, event in enumerate(events, seq + 1)]
            )
            return True

        return self.transact(work)

    def import_builds(self, histories: Iterable[tuple[str, Sequence[Event]]]) -> ImportCount:
        """Add facts from elsewhere, all or none."""
        from toolkit.store.sqlite_import import import_builds

        return import_builds(self, histories)

    def check(self) -> list[str]:
        """Look for faults."""
        from toolkit.store.sqlite_check import check

        return check(self.connection, self.path)

    def readable(self) -> Iterator[tuple[int, Event]]:
        """Give what can still be read."""
        from toolkit.store.sqlite_check import readable

        return readable(self.path)

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()
        self.turn.close()

    def one(self, sql: str, values: tuple[str | int, ...] = ()) -> int:
        """Give the only value of the only row, inside `transact`."""
        return int(self.connection.execute(sql, values).fetchall()[0][0] or 0)

    def transact(self, work: Callable[[], T]) -> T:
        """Do `work` in one transaction when it is our turn, on disk when this returns, or nothing of it."""
        if self.read_only:
            raise StoreUnavailable(f"{self.path} was opened for reading only")
        self.turn.take()
        try:
            execute = self.connection.execute
            execute("begin immediate")
            try:
                result = work()
                self._refuse_if_gone()
                execute("commit")
            except BaseException:
                if self.connection.in_transaction:
                    execute("rollback")
                raise
        except apsw.Error as error:
            raise self.explained(error) from error
        finally:
            self.turn.give()
        return result

    def _refuse_if_gone(self) -> None:
        """SQLite would go on in a file that was deleted or replaced meanwhile, where nobody will read it."""
        if _identity(self.path) != self._identity:
            raise StoreUnavailable(f"{self.path} was deleted or replaced", hint="Put it back, or begin the build anew.")

    def clock_ms(self) -> int:
        """Give this machine's time."""
        return time.time_ns() // 1_000_000

    def fetch(self, sql: str, values: tuple[str | int | None, ...]) -> list[Any]:
        """Give all rows of a query."""
        try:
            return self.connection.execute(sql, values).fetchall()
        except apsw.Error as error:
            raise self.explained(error) from error

    def explained(self, error: apsw.Error) -> StoreUnavailable:
        """Say in our words what SQLite found; a damaged file will be left as it is."""
        problem = explained(error, self.path)
        if isinstance(problem, StoreDamaged):
            leave_untouched(self.connection)
        return problem


def _identity(path: str) -> tuple[int, int] | None:
    """Tell one file from another that takes its name; None when there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


class SqliteWriter:
    """The one who may append to a build; see `toolkit.store.protocol.Writer`."""

    def __init__(self, store: SqliteStore, build: str, token: int, seq: int, progress: Progress) -> None:
        """Write `build` with `token`, after the event `seq`."""
        self.build = build
        self.token = token
        self.progress = progress
        self._store = store
        self._seq = seq
        self._told = rows.summary(progress)

    def append(self, *events: Event) -> None:
        """Record facts, all or none; BuildLeased when another writer took over."""
        if events:
            before = self._seq, self.progress, self._told
            try:
                self._store.transact(lambda: self.put(events))
            except BaseException:
                self._seq, self.progress, self._told = before
                raise

    def put(self, events: tuple[Event, ...]) -> None:
        """Record facts inside a transaction."""
        build, token, seq, progress = self.build, self.token, self._seq, self.progress
        facts = []
        rows.of_build(build, events)
        for event in events:
            seq += 1
            facts.append((build, seq, *rows.fact(event), token))
            progress = apply(progress, event)
        told = rows.summary(progress)
        usual = told[-rows.ORIGIN :] == self._told[-rows.ORIGIN :]
        connection = self._store.connection
        try:
            connection.executemany(ADD_EVENT, facts)
        except apsw.ConstraintError as error:
            if getattr(error, "extendedresult", 0) not in TURNED_AWAY:
                raise
            raise BuildLeased(f"build {build} has another writer") from error
        if usual:
            connection.execute(SET_USUAL, (*told[: -rows.ORIGIN], build))
        else:
            connection.execute(SET_ALL, (*told, build))
        self._seq, self.progress, self._told = seq, progress, told

    def close(self) -> None:
        """Stop writing."""
