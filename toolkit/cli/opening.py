"""What nearly every command begins with: find the project, open its history, and be able to print JSON."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolkit.cli import completing
from toolkit.errors import NotFound, NothingRecorded

if TYPE_CHECKING:
    from toolkit.project import Project
    from toolkit.store import BuildRow, Store

ProjectOption = Annotated[
    str | None,
    typer.Option(
        "--project", metavar="DIR", envvar="TOOLKIT_PROJECT", help="The project's folder; else the nearest one upwards "
        "with a toolkit.toml."
    ),
]  # fmt: skip
StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store", metavar="URL", envvar="TOOLKIT_STORE", help="The history: sqlite:///PATH or postgresql://…; else "
        ".toolkit/history.db in the project."
    ),
]  # fmt: skip
BuildArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[BUILD]", help="The build's id; else the latest build.", autocompletion=completing.builds
    ),
]  # fmt: skip
LEAST_LAST = 24
"""A last column that has less room than this in a terminal is left as it is."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


def open_project(option: str | None) -> Project:
    """Find and read the project."""
    from toolkit.project import find_project, load_project

    if option is not None and not os.path.isdir(option):
        raise NotFound(f"there is no project folder {option}", hint="Name a folder that exists with --project.")
    return load_project(option if option is not None else find_project(os.getcwd()))


@contextmanager
def history_of(project: Project, option: str | None, *, create: bool = False) -> Iterator[Store]:
    """Open the project's store, with the truth about dead supervisors recorded; closes it afterwards."""
    from toolkit.project import store_url
    from toolkit.store import open_store
    from toolkit.supervise.linking import settle_all

    url = store_url(project, option)
    if not create:
        must_be_there(url, option)
    store = open_store(url, create=create)
    try:
        settle_all(store, project)
        yield store
    finally:
        store.close()


def must_be_there(url: str, named: str | None) -> None:
    """Refuse to read from a file that is not there: one that was named has to be, one's own begins with a build.

    So does the one that the environment names for all projects. A file with nothing in it is just being made.
    """
    from toolkit.store import sqlite_path

    if not url.startswith("sqlite:") or _holds_something(sqlite_path(url)):
        return
    if named is None or named == os.environ.get("TOOLKIT_STORE"):
        raise NothingRecorded("no build has been recorded yet")
    hint = "Name one that exists with --store; `toolkit run` makes new ones."
    raise NotFound(f"there is no store {sqlite_path(url)}", hint=hint)


def _holds_something(path: str) -> bool:
    try:
        return os.path.getsize(path) > 0
    except FileNotFoundError:
        return False
    except OSError:
        return True  # opening it says what is wrong


def row_of(store: Store, build: str | None) -> BuildRow:
    """Give the named build's row, or the latest; NotFound when there is none."""
    if build is None:
        row = store.latest_any()
        if row is None:
            raise NothingRecorded("no build has been recorded yet")
        return row
    row = store.row(build)
    if row is None:
        raise NotFound(f"there is no build {build}")
    return row


def print_json(document: object) -> None:
    """Print one JSON document."""
    json.dump(document, sys.stdout, ensure_ascii=False, indent=2, default=_as_json)
    sys.stdout.write("\n")


def print_long_json(rest: Callable[[], dict[str, Any]], key: str, items: Iterable[object]) -> None:
    """Print one JSON document whose last key holds a list of any length, without ever holding that.

    The list is written aside first: what fails half-way prints nothing, and `rest`, the keys before it, may count it.
    """
    from tempfile import TemporaryFile

    with TemporaryFile("w+", encoding="utf-8", errors="surrogatepass") as aside:
        between = "\n"
        for each in items:
            lines = json.dumps(each, ensure_ascii=False, indent=2, default=_as_json).split("\n")
            aside.write(between + "\n".join(f"    {line}" for line in lines))
            between = ",\n"
        end = "\n  ]" if aside.tell() else "]"
        aside.seek(0)
        head = json.dumps({**rest(), key: []}, ensure_ascii=False, indent=2, default=_as_json)
        sys.stdout.write(head.removesuffix("]\n}"))
        while text := aside.read(1 << 16):
            sys.stdout.write(text)
        sys.stdout.write(f"{end}\n}}\n")


def _as_json(value: object) -> str:
    """Write times as everywhere else, and whatever else JSON does not know as its own text."""
    from datetime import datetime

    if isinstance(value, datetime) and value.tzinfo is not None:
        from toolkit.core.moments import rfc3339

        return rfc3339(round(value.timestamp() * 1000))
    return str(value)


def print_table(titles: list[str], rows: list[list[Any]], *, right: frozenset[int] = frozenset()) -> None:
    """Print rows under titles, in columns as wide as their content; a terminal's width bounds the last one."""
    cells = [[("" if cell is None else str(cell)) for cell in row] for row in rows]
    widths = [
        max(len(title), *(len(row[i]) for row in cells)) if cells else len(title) for i, title in enumerate(titles)
    ]
    left = shutil.get_terminal_size().columns - sum(each + 2 for each in widths[:-1]) if sys.stdout.isatty() else 0
    for *line, last in ([title.upper() for title in titles], *cells):
        wide = LEAST_LAST <= left < len(last)
        pieces = textwrap.wrap(last, left, break_long_words=False, break_on_hyphens=False) if wide else [last]
        for place, piece in enumerate(pieces):
            told = (
                text.rjust(width) if i in right else text.ljust(width)
                for i, (text, width) in enumerate(
                    zip([*(line if place == 0 else [""] * len(line)), piece], widths, strict=True)
                )
            )
            print("  ".join(told).rstrip())
