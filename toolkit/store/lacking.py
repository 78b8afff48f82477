"""What a build's record lacks of an import: the same thing told in other words is no news."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit.core import events as ev
from toolkit.core.interchange import STATUS_OF, interchange
from toolkit.core.moments import rfc3339
from toolkit.core.progress import apply, fold
from toolkit.store import rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from toolkit.store.protocol import Row

Fact = tuple[int, str, str]
Line = tuple[int, int | None, str, str]
"""State, attempt, status and moment: what makes one line of a build's history another than the next."""
AFTERWARDS = (ev.Decided, ev.FailureDiagnosed)


def lacking(kept: Sequence[Row], told: Iterable[ev.Event]) -> dict[Fact, ev.Event]:
    """Give what a build of these rows lacks of what is told of it, each fact once.

    An export leaves out what only we need (labels, leases, who began what), so its lines come back as facts that differ
    from the recorded ones. Taken for new, they would tell each failure twice and forget the labels.
    """
    there = {(row[3], row[4], row[5]) for row in kept}
    missing = {fact: event for fact, event in rows.each_once(told).items() if fact not in there}
    if not missing or not kept:
        return missing
    recorded = [event for row in kept if (event := rows.event_of(row)) is not None]
    news = _news(recorded, list(missing.values()))
    return {fact: event for fact, event in missing.items() if id(event) in news}


def _news(recorded: Sequence[ev.Event], told: Sequence[ev.Event]) -> set[int]:
    """Give the ids of the events that say something new."""
    lines: set[Line] = {
        (each["state"], each.get("attempt"), each["status"], each["ts"]) for each in interchange(recorded)
    }
    ended = {(state, attempt) for state, attempt, status, _ in lines if status != "started"}
    progress = fold(recorded)
    begun = any(isinstance(event, ev.BuildBegun) for event in recorded)
    news: set[int] = set()
    run: list[ev.Event] = []  # as new as anything that is told of it
    resets: list[ev.Event] = []  # makes way for the attempt behind it, and is as new as that
    for event in told:
        if isinstance(event, ev.RunStarted):
            run = [event] if event.run > progress.run else []
            continue
        if isinstance(event, ev.StateReset):
            resets.append(event)
            continue
        if isinstance(event, ev.BuildBegun):
            new = not begun
        elif isinstance(event, tuple(STATUS_OF)):
            new = _line(event) not in lines
        elif isinstance(event, AFTERWARDS):
            new = (event.state, event.attempt) not in ended
        else:
            new = apply(progress, event) != progress
        if new:
            news.update(id(each) for each in (*run, *resets, event))
            run = []
        resets = []
    return news


def _line(event: Any) -> Line:  # noqa: ANN401 - one of those that `STATUS_OF` names
    return event.state, getattr(event, "attempt", None), STATUS_OF[type(event)], rfc3339(event.ts_ms)
