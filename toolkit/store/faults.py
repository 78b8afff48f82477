"""Faults that any store can have: gaps, orphans, facts that do not decode, builds whose line is not true."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from toolkit.core.events import PROJECT
from toolkit.core.progress import Progress, fold
from toolkit.errors import StoreDamaged
from toolkit.store import rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from toolkit.core.events import Event

GAPS = "select build, count(*), max(seq) from event group by build having max(seq) <> count(*) or min(seq) <> 1"
STRAY = f"""
    select distinct build from event where build <> '{PROJECT}' and build not in (select build from build)
"""  # noqa: S608 - the names are our own
HOLLOW = "select build from build where build not in (select build from event)"
AHEAD = "select distinct e.build from event e join build b on b.build = e.build where e.token > b.token"
STANDING = f"select build, {', '.join(rows.SUMMARY)} from build"  # noqa: S608 - as above
ALL = "select id, build, seq, ts, kind, body from event order by build, seq"


def faults(ask: Callable[[str], Iterable[tuple[Any, ...]]]) -> Iterator[str]:
    """Name every fault of a store that answers `ask(sql)` with rows."""
    for build, count, last in ask(GAPS):
        yield f"build {build} has {count} events numbered up to {last}"
    for (build,) in ask(STRAY):
        yield f"build {build} has events and no line of its own"
    for (build,) in ask(HOLLOW):
        yield f"build {build} has no events"
    for (build,) in ask(AHEAD):
        yield f"build {build} has events by a writer that it does not know yet"
    yield from _of_builds(ask)


def _of_builds(ask: Callable[[str], Iterable[tuple[Any, ...]]]) -> Iterator[str]:
    """Read every event and fold every build: the line of the build must say the same."""
    standing = {row[0]: tuple(row[1:]) for row in ask(STANDING)}
    for build, kept in groupby(ask(ALL), key=lambda row: row[1]):
        events: list[Event] = []
        for row in kept:
            try:
                event = rows.event_of(row)
            except StoreDamaged as error:
                yield str(error)
            else:
                events += [event] if event is not None else []
        if build in standing:
            folded = rows.summary(fold(events, Progress(build=build)))
            told = zip(rows.SUMMARY, standing[build], folded, strict=True)
            wrong = [name for name, one, other in told if one != other]
            if wrong:
                yield f"build {build} does not stand as its events say: {', '.join(wrong)}"
