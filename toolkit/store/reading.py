"""What can be asked of a history, the same in every SQL database."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from toolkit.core.events import PROJECT
from toolkit.core.progress import Progress, fold
from toolkit.errors import NotFound
from toolkit.store import rows
from toolkit.store.protocol import Lease

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolkit.core.events import Event
    from toolkit.store.protocol import BuildRow, Row

COLUMNS = ", ".join(rows.ROW)
LEASE = "select build, token, holder, renewed_ms from build where build = ?"
EVENTS = "select id, build, seq, ts, kind, body from event where build = ? and seq > ? order by seq"
PAGE = "select id, build, seq, ts, kind, body from event where id > ? order by id limit ?"
ONE = f"select {COLUMNS} from build where build = ?"  # noqa: S608 - the names are our own
LATEST = f"""
    select {COLUMNS} from build where pipeline is not distinct from ? and target is not distinct from ?
    order by started_ms desc, id desc limit 1
"""  # noqa: S608 - as above
BUILDS = f"""
    select {COLUMNS} from build
    where (cast(? as text) is null or pipeline = ?) and (cast(? as text) is null or target = ?)
        and (cast(? as text) is null or status = ?) and (cast(? as integer) is null or held = ?)
    order by started_ms desc, id desc limit ?
"""  # noqa: S608 - as above
FAILED = "select distinct build from event where kind = 'attempt_failed'"

PAGE_ROWS = 2_000
NO_LIMIT = 2**62


class Reading(ABC):
    """The half of a store that changes nothing; see `toolkit.store.protocol.Store`."""

    _folded: tuple[int, Progress] = (0, Progress(build=PROJECT))
    """The last fact of the build that was asked for last, and its progress: whoever resumes it asks again and again."""

    @abstractmethod
    def fetch(self, sql: str, values: tuple[str | int | None, ...]) -> list[Any]:
        """Give all rows of a query, whose values are marked `?`; StoreUnavailable and its kin."""

    @abstractmethod
    def clock_ms(self) -> int:
        """Give the store's own time, in milliseconds since 1970 (UTC)."""

    def lease(self, build: str) -> Lease:
        """Tell who may write a build; NotFound."""
        found = self.fetch(LEASE, (build,))
        if not found:
            raise NotFound(f"there is no build {build}")
        name, token, holder, renewed_ms = found[0]
        return Lease(build=name, token=token, holder=holder, renewed_ms=renewed_ms, now_ms=self.clock_ms())

    def events(self, build: str) -> list[Event]:
        """Give a build's facts in order."""
        return [event for row in self.fetch(EVENTS, (build, 0)) if (event := rows.event_of(row)) is not None]

    def progress(self, build: str) -> Progress:
        """Fold a build's facts; NotFound."""
        self.lease(build)
        return self.taken_up(build)[1]

    def taken_up(self, build: str) -> tuple[int, Progress]:
        """Give the number of a build's last fact, and its progress: facts are only ever added, so a fold goes on."""
        seq, progress = self._folded if self._folded[1].build == build else (0, Progress(build=build))
        kept = self.fetch(EVENTS, (build, seq))
        events = [event for row in kept if (event := rows.event_of(row)) is not None]
        self._folded = (kept[-1][2] if kept else seq), fold(events, progress)
        return self._folded

    def builds(
        self,
        *,
        pipeline: str | None = None,
        target: str | None = None,
        held: bool | None = None,
        status: str | None = None,
        limit: int | None = None,
    ) -> list[BuildRow]:
        """List builds, oldest first; `limit` keeps the newest."""
        filters = (rows.plain(pipeline), rows.plain(target), status, None if held is None else int(held))
        twice = tuple(value for value in filters for _ in range(2))
        found = self.fetch(BUILDS, (*twice, NO_LIMIT if limit is None else limit))
        return [rows.build_row(each) for each in reversed(found)]

    def row(self, build: str) -> BuildRow | None:
        """Tell how one build stands; None when there is no such build."""
        found = self.fetch(ONE, (build,))
        return rows.build_row(found[0]) if found else None

    def latest(self, pipeline: str | None, target: str | None) -> BuildRow | None:
        """Give the build of this pipeline and target that was begun last."""
        found = self.fetch(LATEST, (rows.plain(pipeline), rows.plain(target)))
        return rows.build_row(found[0]) if found else None

    def latest_any(self) -> BuildRow | None:
        """Give the build that was begun last."""
        found = self.builds(limit=1)
        return found[0] if found else None

    def with_failures(self) -> frozenset[str]:
        """Name the builds in which something has failed."""
        return frozenset(name for (name,) in self.fetch(FAILED, ()))

    def rows(self, after: int = 0, limit: int | None = None) -> Iterator[Row]:
        """Give stored facts in the order of recording, a page at a time, so that a slow reader holds nobody up."""
        left = NO_LIMIT if limit is None else limit
        while left > 0:
            wanted = min(left, PAGE_ROWS)
            page = self.fetch(PAGE, (after, wanted))
            yield from page
            if len(page) < wanted:
                return
            after, left = page[-1][0], left - len(page)

    def scan(self, after: int = 0, limit: int | None = None) -> Iterator[tuple[int, Event]]:
        """Give all facts in the order of recording."""
        for row in self.rows(after, limit):
            event = rows.event_of(row)
            if event is not None:
                yield row[0], event

    def project_events(self) -> list[Event]:
        """Give the facts about the project itself."""
        return self.events(PROJECT)
