"""How facts and progress become rows of a table, and rows facts again, in every store alike."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from toolkit.core.events import PROJECT, Event, body_of, event_from
from toolkit.errors import BadInput, Refused, StoreDamaged, StoreUnavailable
from toolkit.store.protocol import BuildRow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from toolkit.core.progress import Progress
    from toolkit.store.protocol import Row


SUMMARY = (
    "phase", "current", "status", "held", "abandoned", "degraded", "runs", "updated_ms", "holder",
    "pipeline", "target", "started_ms",
)  # fmt: skip
"""The columns that a build's line has from its progress; the last `ORIGIN` of them change only when it begins."""
ORIGIN = 3

ROW = ("build", *SUMMARY)

_NUMBERED = re.compile(r"b-(\d{1,15})")
_encode = json.JSONEncoder(separators=(",", ":"), sort_keys=True, default=dict).encode


def fact(event: Event) -> tuple[int, str, str]:
    """Give an event as `(ts_ms, kind, body)`; equal events give equal rows."""
    return event.ts_ms, event.kind, _encode(body_of(event))


def each_once(events: Iterable[Event]) -> dict[tuple[int, str, str], Event]:
    """Give events by their facts, the first of equal ones: saying a thing twice does not make it happen twice."""
    once: dict[tuple[int, str, str], Event] = {}
    for event in events:
        once.setdefault(fact(event), event)
    return once


def event_of(row: Row) -> Event | None:
    """Give the event of a row; None when its kind is not known, StoreDamaged when it cannot be read."""
    try:
        return event_from(row[4], row[1], row[3], json.loads(row[5]))
    except (ValueError, TypeError, AttributeError) as error:
        raise StoreDamaged(f"event {row[2]} of build {row[1]} cannot be read: {error}") from error


def summary(progress: Progress) -> tuple[str | int | None, ...]:
    """Give the values of the columns `SUMMARY`."""
    return (
        plain(progress.phase), progress.current, progress.status, int(progress.held), int(progress.abandoned),
        int(progress.degraded), progress.run, progress.updated_ms or 0,
        plain(progress.holder) if progress.run_open else None,
        plain(progress.pipeline), plain(progress.target), progress.started_ms or 0,
    )  # fmt: skip


def build_row(values: tuple[str | int | None, ...]) -> BuildRow:
    """Give the build of a row with the columns `ROW`."""
    known = dict(zip(ROW, values, strict=True))
    flags = {name: bool(known[name]) for name in ("held", "abandoned", "degraded")}
    return BuildRow(**{**known, **flags})  # type: ignore[arg-type]  # the columns have the fields' types


def plain(text: str | None) -> str | None:
    """Write what no database takes in a text column, lone surrogates and NUL, as escapes."""
    if text is None or (text.isascii() and "\0" not in text):
        return text
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def number_of(build: str) -> int | None:
    """Give 7 for `b-0007`, None for an id that somebody chose."""
    match = _NUMBERED.fullmatch(build)
    return int(match[1]) if match else None


def numbered(number: int) -> str:
    """Give `b-0007` for 7."""
    return f"b-{number:04d}"


def usable_id(build: str) -> str:
    """Give the id back when a build may have it; BadInput otherwise."""
    if not build or build.startswith("@") or plain(build) != build or not build.isprintable():
        raise BadInput(f"{build!r} cannot be a build's id", hint="Use letters, digits, '-', '_', '.' and the like.")
    return build


def of_build(build: str, events: tuple[Event, ...] | list[Event]) -> None:
    """Refuse, as the bug it is, an event of one build that is recorded under another: ValueError."""
    for event in events:
        if event.build != build:
            raise ValueError(f"an event of {event.build} cannot be recorded under {build}")


def about_project(events: tuple[Event, ...]) -> None:
    of_build(PROJECT, events)


def exists_already(build: str) -> Refused:
    return Refused(f"build {build} exists already", hint="Choose another id, or leave the choice to us.")


def being_run(build: str) -> Refused:
    return Refused(
        f"build {build} is being run, and the import has facts about it that are not recorded",
        hint="Wait until the build has ended, then import again. Nothing was imported.",
    )


def no_history(where: str) -> StoreUnavailable:
    return StoreUnavailable(
        f"there is no history at {where}", hint="Record a build with `toolkit run`, or name the store with --store."
    )
