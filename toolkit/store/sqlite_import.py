"""Facts from elsewhere into the SQLite store: prepared aside, so that builds at work wait only for the last step."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import apsw

from toolkit.core.progress import Progress, fold
from toolkit.store import rows
from toolkit.store.lacking import lacking
from toolkit.store.protocol import ImportCount

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from toolkit.core.events import Event
    from toolkit.store.sqlite import SqliteStore

COLUMNS = ", ".join(rows.SUMMARY)
STAGE = f"""
    create temp table staged_build (id integer primary key, build text unique, number integer, {COLUMNS});
    create temp table staged_event (id integer primary key, build text, seq integer, ts integer, kind text, body text);
"""
UNSTAGE = "drop table if exists temp.staged_build; drop table if exists temp.staged_event"
STAGE_BUILD = f"""
    insert into temp.staged_build (build, number, {COLUMNS}) values (?, ?, {", ".join("?" * len(rows.SUMMARY))})
"""  # noqa: S608 - the names are our own
STAGE_EVENT = "insert into temp.staged_event (build, seq, ts, kind, body) values (?, ?, ?, ?, ?)"
IS_STAGED = "select 1 from temp.staged_build where build = ?"
OVERTAKEN = "select build from temp.staged_build where build in (select build from main.build)"
STAGED_FACTS = "select ts, kind, body from temp.staged_event where build = ? order by id"
UNSTAGE_EVENTS = "delete from temp.staged_event where build = ?"
UNSTAGE_BUILD = "delete from temp.staged_build where build = ?"
BEGIN_ALL = f"""
    insert into build (build, number, token, {COLUMNS})
    select build, number, 1, {COLUMNS} from temp.staged_build order by id
"""  # noqa: S608 - as above
ADD_ALL = """
    insert into event (build, seq, ts, kind, body, token)
    select build, seq, ts, kind, body, 1 from temp.staged_event order by id
"""
STANDING = "select holder from build where build = ?"
KEPT = "select id, build, seq, ts, kind, body from event where build = ? order by seq"
CONTINUE = f"""
    update build set token = token + 1, {", ".join(f"{name} = ?" for name in rows.SUMMARY)} where build = ?
    returning token
"""  # noqa: S608 - as above
ADD = "insert into event (build, seq, ts, kind, body, token) values (?, ?, ?, ?, ?, ?)"


def import_builds(store: SqliteStore, histories: Iterable[tuple[str, Sequence[Event]]]) -> ImportCount:
    """Add what is not there yet, all or none; see `Store.import_builds`."""
    connection = store.connection
    connection.execute(UNSTAGE + ";" + STAGE)
    automatic = connection.execute("pragma wal_autocheckpoint").fetchall()[0][0]
    try:
        known, more = _stage(connection, histories)
        connection.execute("pragma wal_autocheckpoint = 0")
        count = store.transact(lambda: _add(connection, more))
    except apsw.Error as error:
        raise store.explained(error) from error
    finally:
        connection.execute(f"pragma wal_autocheckpoint = {automatic}")
        connection.execute(UNSTAGE)
    with suppress(apsw.Error):  # now that nobody waits for us; it is done again later if not now
        connection.wal_checkpoint()
    return count.but(already=count.already + known)


def _stage(
    connection: apsw.Connection, histories: Iterable[tuple[str, Sequence[Event]]]
) -> tuple[int, dict[str, list[Event]]]:
    """Prepare new builds in temporary tables; give how many facts are there already, and what other builds lack."""
    known = 0
    more: dict[str, list[Event]] = {}
    connection.execute("begin")
    try:
        for build, told in histories:
            rows.usable_id(build)
            rows.of_build(build, list(told))
            events = rows.each_once(told)
            known += len(told) - len(events)
            if connection.execute(STANDING, (build,)).fetchall():
                kept: list[Any] = connection.execute(KEPT, (build,)).fetchall()
                if lacking(kept, events.values()):
                    more.setdefault(build, []).extend(events.values())
                else:
                    known += len(events)
            elif build in more or connection.execute(IS_STAGED, (build,)).fetchall():
                more.setdefault(build, []).extend(events.values())
            elif events:
                progress = fold(events.values())
                connection.execute(STAGE_BUILD, (build, rows.number_of(build), *rows.summary(progress)))
                connection.executemany(STAGE_EVENT, [(build, seq, *each) for seq, each in enumerate(events, 1)])
    finally:
        connection.execute("commit")
    return known, more


def _add(connection: apsw.Connection, more: dict[str, list[Event]]) -> ImportCount:
    overtaken: dict[str, list[Event]] = {}  # begun by somebody else since we looked
    names: list[Any] = connection.execute(OVERTAKEN).fetchall()
    for (build,) in names:
        facts: list[Any] = connection.execute(STAGED_FACTS, (build,)).fetchall()
        found = (rows.event_of((0, build, 0, *fact)) for fact in facts)
        overtaken[build] = [event for event in found if event is not None]
        connection.execute(UNSTAGE_EVENTS, (build,))
        connection.execute(UNSTAGE_BUILD, (build,))
    connection.execute(BEGIN_ALL)
    builds = connection.changes()
    connection.execute(ADD_ALL)
    events = connection.changes()
    known = 0
    for late in (overtaken, more):
        for build, told in late.items():
            added, there = _continue(connection, build, told)
            events, known = events + added, known + there
    return ImportCount(builds=builds, events=events, already=known)


def _continue(connection: apsw.Connection, build: str, told: Sequence[Event]) -> tuple[int, int]:
    """Add to a build what it lacks; give how many facts were added and how many were there."""
    kept: list[Any] = connection.execute(KEPT, (build,)).fetchall()
    missing = lacking(kept, told)
    if missing:
        if connection.execute(STANDING, (build,)).fetchall()[0][0] is not None:
            raise rows.being_run(build)
        before = [event for row in kept if (event := rows.event_of(row)) is not None]
        progress = fold([*before, *missing.values()], Progress(build=build))
        token = connection.execute(CONTINUE, (*rows.summary(progress), build)).fetchall()[0][0]
        seq = kept[-1][2] if kept else 0
        connection.executemany(ADD, [(build, place, *fact, token) for place, fact in enumerate(missing, seq + 1)])
    return len(missing), len(told) - len(missing)
