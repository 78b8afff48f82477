"""What every store can do: keep builds' facts durably, with one writer per build and many readers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from toolkit.core.values import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from toolkit.core.events import Event
    from toolkit.core.progress import Progress

Row = tuple[int, str, int, int, str, str]
"""A fact as it is stored: `(id, build, seq, ts_ms, kind, body)`, the body as JSON text."""


class BuildRow(Value):
    """How a build stands, without its events. Times in milliseconds since 1970 (UTC)."""

    build: str
    pipeline: str | None = None
    target: str | None = None
    current: int | None = None
    status: str = "pending"
    held: bool = False
    abandoned: bool = False
    degraded: bool = False
    runs: int = 0
    started_ms: int = 0
    updated_ms: int = 0
    holder: str | None = None
    """Who supervises the present run, as `RunStarted.holder` says it; None when no run is open."""
    phase: str | None = None


class Lease(Value):
    """Who may write a build. It is a hint to others; the token, checked with every insert, is the guarantee."""

    build: str
    token: int
    holder: str | None = None
    renewed_ms: int | None = None
    """When the present writer last said that it lives, by the store's clock; None when it never did."""
    now_ms: int
    """What the store's clock says now: the server's, where there is one."""


class ImportCount(Value):
    """What an import added: builds that were not there, events that were not there, and events that were."""

    builds: int = 0
    events: int = 0
    already: int = 0


class Writer(Protocol):
    """The only one who may append to a build, until somebody takes over."""

    build: str
    token: int
    progress: Progress

    def append(self, *events: Event) -> None:
        """Record facts, all or none; they are on disk when this returns.

        BuildLeased when another writer took over, StoreUnavailable when it cannot be recorded; then nothing was.
        """

    def close(self) -> None:
        """Stop writing; the build keeps its token."""


class Store(Protocol):
    """The history of one project. A store object belongs to one thread of one process: open another after a fork."""

    url: str

    def begin(self, first: Callable[[str], Sequence[Event]], build: str | None = None) -> Writer:
        """Begin a build, with the next free id or with `build`, and record `first(id)` in the same transaction.

        Refused when `build` exists. `first` runs inside the transaction: it must be quick, and may look at the store
        but not change it.
        """

    def writer(
        self, build: str, *, replacing: int | None = None, first: Callable[[Progress], Sequence[Event]] | None = None
    ) -> Writer:
        """Take the writing of a build over; every older writer is refused from now on. NotFound.

        With `replacing`, a token that `lease` told, only from that writer: BuildLeased when somebody else was quicker.
        Whoever takes over to begin something says so with `first`: its facts are recorded in the same transaction, so
        nobody ever finds the build taken and nothing begun. It must be quick and leave the store alone.
        """

    def lease(self, build: str) -> Lease:
        """Tell who may write a build; NotFound."""

    def renew(self, build: str, token: int) -> None:
        """Say that the writer with this token lives; BuildLeased when another one took over."""

    def events(self, build: str) -> list[Event]:
        """Give a build's facts in order; none when there is no such build."""

    def progress(self, build: str) -> Progress:
        """Fold a build's facts; NotFound."""

    def builds(
        self,
        *,
        pipeline: str | None = None,
        target: str | None = None,
        held: bool | None = None,
        status: str | None = None,
        limit: int | None = None,
    ) -> list[BuildRow]:
        """List builds, oldest first; a filter that is None filters nothing; `limit` keeps the newest."""

    def row(self, build: str) -> BuildRow | None:
        """Tell how one build stands; None when there is no such build."""

    def latest(self, pipeline: str | None, target: str | None) -> BuildRow | None:
        """Give the build of this pipeline and target that was begun last; None as target matches only None."""

    def latest_any(self) -> BuildRow | None:
        """Give the build that was begun last."""

    def with_failures(self) -> frozenset[str]:
        """Name the builds in which something has failed; those that completed all the same did so after retry."""

    def rows(self, after: int = 0, limit: int | None = None) -> Iterator[Row]:
        """Give stored facts with an id above `after`, in the order of recording, as they are stored."""

    def scan(self, after: int = 0, limit: int | None = None) -> Iterator[tuple[int, Event]]:
        """Give all facts with an id above `after`, in the order of recording; kinds of a newer toolkit are left out.

        Ids only grow, and a fact never appears below one already given: the last id is where to go on next time.
        """

    def append_project(self, *events: Event, unless: Callable[[list[Event]], bool] | None = None) -> bool:
        """Record facts about the project itself; tells whether that was done.

        `unless` is asked inside the transaction, of the facts that there are, and nothing is recorded when it holds: so
        of many who come to the same conclusion at the same moment one records it. It must be quick and leave the store
        alone.
        """

    def project_events(self) -> list[Event]:
        """Give the facts about the project itself, in order."""

    def import_builds(self, histories: Iterable[tuple[str, Sequence[Event]]]) -> ImportCount:
        """Add facts from elsewhere, all or none; a fact that a build has already is not added again.

        Refused when facts would be added to a build that is being run.
        """

    def check(self) -> list[str]:
        """Look for faults and say each in a sentence; an empty list means that none was found."""

    def readable(self) -> Iterator[tuple[int, Event]]:
        """Give what can still be read of a damaged store, leaving it untouched."""

    def close(self) -> None:
        """Let go of the store; closing twice is fine."""
