"""The shared store: one PostgreSQL database for the builds of many machines."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from psycopg import errors
from psycopg.types.json import Jsonb

from toolkit.core.events import PROJECT
from toolkit.core.progress import Progress, apply, fold
from toolkit.errors import BuildLeased, StoreDamaged, StoreUnavailable
from toolkit.store import rows
from toolkit.store.faults import faults
from toolkit.store.postgres_connection import Link
from toolkit.store.reading import EVENTS, Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import psycopg

    from toolkit.core.events import Event
    from toolkit.store.protocol import ImportCount

APPEND = "select append(%s, %s, %s, %s, %s::bigint[], %s::text[], %s::text[], %s)"
APPEND_PROJECT = "select append_project(%s, %s::bigint[], %s::text[], %s::text[])"
RECORD = "select record(%s, %s, %s, %s, %s::bigint[], %s::text[], %s::text[])"
TAKE_OVER = "select take_over(%s, %s)"
ALONE = "select from counter for update"
TURN = "update counter set build = build + 1 returning build"
NEXT = "select coalesce(max(number), 0) + 1 from build"  # in a statement of its own: it must see what we waited for
ADD_BUILD = f"""
    insert into build (id, build, number, token, {", ".join(rows.SUMMARY)})
    values (%s, %s, %s, 1, {", ".join(["%s"] * len(rows.SUMMARY))})
"""  # noqa: S608 - the names are our own
IS_THERE = "select 1 from build where build = %s"
CLOCK = "select (extract(epoch from clock_timestamp()) * 1000)::bigint"
RENEW = """
    update build set renewed_ms = (extract(epoch from clock_timestamp()) * 1000)::bigint
    where build = %s and token = %s returning 1
"""
BATCH_AT = "select batch from event where build = %s and seq = %s"
BEGUN_BY = "select build from event where batch = %s and seq = 1"
NOTED_BY = f"select 1 from event where batch = %s and build = '{PROJECT}' limit 1"  # noqa: S608 - as above

TURNED_AWAY = ("TK001", errors.UniqueViolation.sqlstate)
"""How the database says that another writer has the build: by its token, or by the number of the event."""


class PostgresStore(Reading):
    """A history in a PostgreSQL database; see `toolkit.store.protocol.Store`."""

    def __init__(self, url: str, *, create: bool = True, read_only: bool = False, wait_seconds: float = 5.0) -> None:
        """Connect; a write waits at most `wait_seconds` for others, or for the server to come back."""
        self.url = url
        self.read_only = read_only
        self.link = Link(url, create=create, read_only=read_only, wait_seconds=wait_seconds)

    def begin(self, first: Callable[[str], Sequence[Event]], build: str | None = None) -> PostgresWriter:
        """Begin a build; Refused when `build` exists."""
        if build is not None:
            rows.usable_id(build)
        batch = new_batch()
        kept: list[Event] = []

        def work() -> str:
            with self.link.connection.transaction():
                place = self.link.ask(TURN)[0][0]
                name = build if build is not None else rows.numbered(self.link.ask(NEXT)[0][0])
                if self.link.ask(IS_THERE, (name,)):
                    raise rows.exists_already(name)
                kept[:] = first(name)
                rows.of_build(name, kept)
                stands = rows.summary(fold(kept))
                self.link.ask_nothing(ADD_BUILD, (place, name, rows.number_of(name), *stands))
                self.link.ask(RECORD, (name, 1, 1, batch, *columns(kept)))
                return name

        def settled() -> str | None:
            found = self.link.ask(BEGUN_BY, (batch,))
            return found[0][0] if found else None

        self._refuse_reading()
        name = self.link.lasting(work, settled)
        return PostgresWriter(self, name, 1, len(kept), fold(kept))

    def writer(
        self, build: str, *, replacing: int | None = None, first: Callable[[Progress], Sequence[Event]] | None = None
    ) -> PostgresWriter:
        """Take the writing over; NotFound, BuildLeased when the present token is not `replacing`."""
        self._refuse_reading()
        if first is not None:
            return self._begin_anew(build, replacing, first)
        token = self.link.lasting(lambda: self.link.ask(TAKE_OVER, (build, replacing))[0][0])
        if token is None:
            self.lease(build)
            raise BuildLeased(f"build {build} has another writer")
        # From here on nobody older can add anything.
        return PostgresWriter(self, build, token, *self.taken_up(build))

    def _begin_anew(
        self, build: str, replacing: int | None, first: Callable[[Progress], Sequence[Event]]
    ) -> PostgresWriter:
        batch = new_batch()
        begun: list[PostgresWriter] = []

        def work() -> PostgresWriter | None:
            with self.link.connection.transaction():
                token = self.link.ask(TAKE_OVER, (build, replacing))[0][0]
                if token is None:
                    return None
                kept = self.link.ask(EVENTS.replace("?", "%s"), (build, 0))
                events = [event for row in kept if (event := rows.event_of(row)) is not None]
                progress = fold(events, Progress(build=build))
                writer = PostgresWriter(self, build, token, kept[-1][2] if kept else 0, progress)
                begun[:] = [writer]
                writer.put(tuple(first(progress)), batch)
                return writer

        def settled() -> PostgresWriter | None:
            found = self.link.ask(BATCH_AT, (build, begun[-1].seq)) if begun else []
            return begun[-1] if found and found[0][0].hex == batch else None

        writer = self.link.lasting(work, settled)
        if writer is None:
            self.lease(build)
            raise BuildLeased(f"build {build} has another writer")
        return writer

    def renew(self, build: str, token: int) -> None:
        """Say that a writer lives; BuildLeased when another one took over."""
        self._refuse_reading()
        if not self.link.lasting(lambda: self.link.ask(RENEW, (build, token))):
            raise BuildLeased(f"build {build} has another writer")

    def append_project(self, *events: Event, unless: Callable[[list[Event]], bool] | None = None) -> bool:
        """Record facts about the project itself, unless something is said there already."""
        self._refuse_reading()
        rows.about_project(events)
        if not events:
            return True
        batch = new_batch()

        def note() -> bool:
            return bool(self.link.ask(APPEND_PROJECT, (batch, *columns(events))))

        def note_if_new() -> bool:
            with self.link.connection.transaction():
                self.link.ask(ALONE)
                return not (unless is not None and unless(self.project_events())) and note()

        work = note if unless is None else note_if_new
        return self.link.lasting(work, lambda: bool(self.link.ask(NOTED_BY, (batch,))) or None)

    def import_builds(self, histories: Iterable[tuple[str, Sequence[Event]]]) -> ImportCount:
        """Add facts from elsewhere, all or none."""
        from toolkit.store.postgres_import import import_builds

        self._refuse_reading()
        return import_builds(self.link, histories)

    def check(self) -> list[str]:
        """Look for faults."""

        def work() -> list[str]:
            with self.link.connection.transaction():
                self.link.ask_nothing("set transaction isolation level repeatable read")
                return list(faults(self.link.stream))

        return self.link.lasting(work)

    def readable(self) -> Iterator[tuple[int, Event]]:
        """Give what can still be read."""
        for row in self.rows():
            with suppress(StoreDamaged):
                event = rows.event_of(row)
                if event is not None:
                    yield row[0], event

    def close(self) -> None:
        """Hang up."""
        self.link.close()

    def clock_ms(self) -> int:
        """Give the server's time."""
        return int(self.link.lasting(lambda: self.link.ask(CLOCK))[0][0])

    def fetch(self, sql: str, values: tuple[str | int | None, ...]) -> list[Any]:
        """Give all rows of a query."""
        return self.link.lasting(lambda: self.link.ask(sql.replace("?", "%s"), values))

    def _refuse_reading(self) -> None:
        if self.read_only:
            raise StoreUnavailable(f"{self.link.where} was opened for reading only")


class PostgresWriter:
    """The one who may append to a build; see `toolkit.store.protocol.Writer`."""

    def __init__(self, store: PostgresStore, build: str, token: int, seq: int, progress: Progress) -> None:
        """Write `build` with `token`, after the event `seq`."""
        self.build = build
        self.token = token
        self.progress = progress
        self._link = store.link
        self.seq = seq

    def append(self, *events: Event) -> None:
        """Record facts, all or none; BuildLeased when another writer took over."""
        rows.of_build(self.build, events)
        if not events:
            return
        progress = self.progress
        for event in events:
            progress = apply(progress, event)
        batch, seq = new_batch(), self.seq + 1
        stands = Jsonb(dict(zip(rows.SUMMARY, rows.summary(progress), strict=True)))
        told = (self.build, self.token, seq, batch, *columns(events), stands)

        def work() -> bool:
            try:
                return bool(self._link.ask(APPEND, told))
            except errors.DatabaseError as error:
                raise self._turned_away(error) from error

        def settled() -> bool | None:
            found = self._link.ask(BATCH_AT, (self.build, seq))
            return True if found and found[0][0].hex == batch else None

        self._link.lasting(work, settled)
        self.seq, self.progress = seq + len(events) - 1, progress

    def put(self, events: tuple[Event, ...], batch: str) -> None:
        """Record facts inside a transaction."""
        rows.of_build(self.build, events)
        progress = fold(events, self.progress)
        stands = Jsonb(dict(zip(rows.SUMMARY, rows.summary(progress), strict=True)))
        self._link.ask(APPEND, (self.build, self.token, self.seq + 1, batch, *columns(events), stands))
        self.seq, self.progress = self.seq + len(events), progress

    def close(self) -> None:
        """Stop writing."""

    def _turned_away(self, error: psycopg.Error) -> Exception:
        return BuildLeased(f"build {self.build} has another writer") if error.sqlstate in TURNED_AWAY else error


def columns(events: Iterable[Event]) -> tuple[list[int], list[str], list[str]]:
    """Give the moments, kinds and bodies of events."""
    told = [rows.fact(event) for event in events]
    return [ts for ts, _, _ in told], [kind for _, kind, _ in told], [body for _, _, body in told]


def new_batch() -> str:
    """Make a name for a transaction that nobody else will make."""
    return os.urandom(16).hex()
