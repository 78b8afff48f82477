"""Facts from elsewhere into the PostgreSQL store: sent aside first, so that builds at work wait only a moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg

from toolkit.core.progress import Progress, fold
from toolkit.store import rows
from toolkit.store.lacking import lacking
from toolkit.store.protocol import ImportCount

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from toolkit.core.events import Event
    from toolkit.store.postgres_connection import Link

SUMMARY = ", ".join(rows.SUMMARY)
STAGE = """
    create temp table staged_build (place bigserial, like build) on commit drop;
    alter table staged_build alter id drop not null;
    create temp table staged_event (
        place bigserial, build text, seq bigint, ts bigint, kind text, body text
    ) on commit drop;
    set local idle_in_transaction_session_timeout = 0
"""
SEND_BUILDS = f"copy staged_build (build, number, token, {SUMMARY}) from stdin"
SEND_EVENTS = "copy staged_event (build, seq, ts, kind, body) from stdin"
TURN = "select event, build from counter for update"
OVERTAKEN = "select build from staged_build where build in (select build from build)"
STAGED_FACTS = "select ts, kind, body from staged_event where build = %s order by place"
UNSTAGE = (
    "with gone as (delete from staged_event where build = %(build)s) delete from staged_build where build = %(build)s"
)
BEGIN_ALL = f"""
    insert into build (id, build, number, token, {SUMMARY})
    select %s + row_number() over (order by place), build, number, token, {SUMMARY} from staged_build
"""  # noqa: S608 - the names are our own
ADD_ALL = """
    insert into event (id, build, seq, ts, kind, body, token, batch)
    select %s + row_number() over (order by place), build, seq, ts, kind, body, 1, gen_random_uuid() from staged_event
"""
COUNTED = "update counter set event = event + %s, build = build + %s"
STANDING = "select holder from build where build = %s"
KEPT = "select id, build, seq, ts, kind, body from event where build = %s order by seq"
CONTINUE = f"""
    update build set token = token + 1, {", ".join(f"{name} = %s" for name in rows.SUMMARY)} where build = %s
    returning token
"""  # noqa: S608 - as above
RECORD = "select record(%s, %s, %s, gen_random_uuid(), %s::bigint[], %s::text[], %s::text[])"
AT_ONCE = 10_000


def import_builds(link: Link, histories: Iterable[tuple[str, Sequence[Event]]]) -> ImportCount:
    """Add what is not there yet, all or none; see `Store.import_builds`."""
    try:
        with link.connection.transaction():
            link.ask_nothing(STAGE)
            staging = _Staging(link)
            for build, told in histories:
                staging.take(build, told)
            staging.send()
            count = _add(link, staging.more)
            return count.but(already=count.already + staging.already)
    except psycopg.Error as error:
        raise link.explained(error) from error


class _Staging:
    """What of an import is new, on its way into temporary tables."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.already = 0
        self.more: dict[str, list[Event]] = {}
        self.staged: set[str] = set()
        self.builds: list[tuple[Any, ...]] = []
        self.events: list[tuple[Any, ...]] = []

    def take(self, build: str, told: Sequence[Event]) -> None:
        """Sort one history: a new build, one that lacks something, or one that is all there."""
        rows.usable_id(build)
        rows.of_build(build, list(told))
        events = rows.each_once(told)
        self.already += len(told) - len(events)
        if build in self.staged or build in self.more:
            self.more.setdefault(build, []).extend(events.values())
        elif self.link.ask(STANDING, (build,)):
            if lacking(self.link.ask(KEPT, (build,)), events.values()):
                self.more[build] = list(events.values())
            else:
                self.already += len(events)
        elif events:
            self.staged.add(build)
            self.builds.append((build, rows.number_of(build), 1, *rows.summary(fold(events.values()))))
            self.events += [(build, seq, *fact) for seq, fact in enumerate(events, 1)]
            if len(self.events) >= AT_ONCE:
                self.send()

    def send(self) -> None:
        """Send what has come together."""
        for sql, lines in ((SEND_BUILDS, self.builds), (SEND_EVENTS, self.events)):
            self.link.send(sql, lines)
            lines.clear()


def _add(link: Link, more: dict[str, list[Event]]) -> ImportCount:
    last_event, last_build = link.ask(TURN)[0]
    overtaken: dict[str, list[Event]] = {}  # begun by somebody else since we looked
    for (build,) in link.ask(OVERTAKEN):
        found = (rows.event_of((0, build, 0, *fact)) for fact in link.ask(STAGED_FACTS, (build,)))
        overtaken[build] = [event for event in found if event is not None]
        link.ask_nothing(UNSTAGE, {"build": build})
    builds = link.ask_nothing(BEGIN_ALL, (last_build,))
    events = link.ask_nothing(ADD_ALL, (last_event,))
    link.ask_nothing(COUNTED, (events, builds))
    already = 0
    for late in (overtaken, more):
        for build, told in late.items():
            added, there = _continue(link, build, told)
            events, already = events + added, already + there
    return ImportCount(builds=builds, events=events, already=already)


def _continue(link: Link, build: str, told: Sequence[Event]) -> tuple[int, int]:
    """Add to a build what it lacks; give how many facts were added and how many were there."""
    kept: list[Any] = link.ask(KEPT, (build,))
    missing = lacking(kept, told)
    if missing:
        if link.ask(STANDING, (build,))[0][0] is not None:
            raise rows.being_run(build)
        before = [event for row in kept if (event := rows.event_of(row)) is not None]
        progress = fold([*before, *missing.values()], Progress(build=build))
        token = link.ask(CONTINUE, (*rows.summary(progress), build))[0][0]
        seq = kept[-1][2] if kept else 0
        moments, kinds, bodies = (list(each) for each in zip(*missing, strict=True))
        link.ask(RECORD, (build, token, seq + 1, moments, kinds, bodies))
    return len(missing), len(told) - len(missing)
