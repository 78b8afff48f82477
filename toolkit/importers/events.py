"""Interchange events, one JSON object a line, become facts: all of them, or none and the reasons."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from pydantic import ValidationError

from toolkit.importers.lines import LINE, Faults, milliseconds
from toolkit.importers.numbering import facts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from toolkit.core.events import Event
    from toolkit.importers.lines import Line

EVERY = 20_000
"""Progress is told once in so many lines."""


def read_events(
    source: Path | IO[bytes], name: str, progress: Callable[[int], None] = lambda _: None
) -> Iterator[tuple[str, Sequence[Event]]]:
    """Give each build of a file, with its facts, as soon as its last line was read.

    The whole file is checked before the first build is given: BadInput names up to twenty faults as `NAME:LINE: key:
    what`. A file whose builds lie together needs the memory of one build. `progress` is told the lines done, of both
    passes together.
    """
    with _twice(source) as file:
        last = _check(file, name, progress)
        file.seek(0)
        open_builds: dict[str, list[dict[str, Any]]] = {}
        lines = 0
        for number, raw in enumerate(file, start=1):
            if not raw.strip():
                continue
            line = LINE.validate_json(raw)
            build = line["build"]
            open_builds.setdefault(build, []).append(row_of(line))
            if last[build] == number:
                yield build, facts_of(build, open_builds.pop(build))
            lines = number
            if number % EVERY == 0:
                progress(lines)


def row_of(line: Line) -> dict[str, Any]:
    """Give a checked line as `facts_of` takes it: its moment in milliseconds."""
    row: dict[str, Any] = {**line}
    row["ts_ms"] = milliseconds(row.pop("ts"))
    return row


def _check(file: IO[bytes], name: str, progress: Callable[[int], None]) -> dict[str, int]:
    """Check every line and give the last one of each build."""
    faults = Faults(name)
    last: dict[str, int] = {}
    for number, raw in enumerate(file, start=1):
        if not raw.strip():
            continue
        try:
            last[LINE.validate_json(raw.rstrip())["build"]] = number
        except ValidationError as error:
            faults.explain(number, error)
        if number % EVERY == 0:
            progress(number)
    faults.check()
    return last


@contextmanager
def _twice(source: Path | IO[bytes]) -> Iterator[IO[bytes]]:
    """Open what can be read twice; a pipe is copied aside first."""
    if hasattr(source, "open"):
        with source.open("rb") as file:
            yield file
    elif source.seekable():
        yield source
    else:
        with tempfile.TemporaryFile() as aside:
            shutil.copyfileobj(source, aside)
            aside.seek(0)
            yield aside
