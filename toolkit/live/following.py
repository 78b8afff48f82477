"""Follows builds until they end: as a screen on a terminal, as a line for each change elsewhere."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Final, NoReturn, TextIO

from rich.console import Console
from rich.live import Live

from toolkit.live import words
from toolkit.live.screen import plain, screen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolkit.live.eyes import Eyes
    from toolkit.live.view import View

NOTHING: Final = "no build is running or held"
PIPED: Final = 120
"""Width where nobody says how wide it is."""


def show(view: View, out: TextIO) -> None:
    """Print the view once: with colours on a terminal unless NO_COLOR is set, plain elsewhere."""
    if out.isatty():
        console = _console(out)
        console.print(screen(view, console.width, nothing=NOTHING))
        return
    told = os.environ.get("COLUMNS", "")
    out.write(plain(view, int(told) if told.isdigit() and int(told) else PIPED, nothing=NOTHING))


def follow(eyes: Eyes, build: str | None, out: TextIO, interval: float) -> None:
    """Show builds until the named one is over; without a name, until somebody stops us."""
    if out.isatty() and os.environ.get("TERM") != "dumb":
        _on_screen(eyes, build, out, interval)
    else:
        _in_lines(eyes, build, out, interval)


def _on_screen(eyes: Eyes, build: str | None, out: TextIO, interval: float) -> None:
    console = _console(out)
    before = signal.signal(signal.SIGTERM, _leave)  # so that the terminal gets its screen back
    view = first = eyes.look(build)
    try:
        foot = "Ctrl-C leaves; the build goes on"
        with Live(console=console, screen=True, auto_refresh=False) as live:
            for view in _views(eyes, build, interval, first=first):
                width, height = console.size
                live.update(screen(view, width, nothing=NOTHING, height=height - 1, foot=foot), refresh=True)
    finally:
        signal.signal(signal.SIGTERM, before)
    show(view, out)


def _in_lines(eyes: Eyes, build: str | None, out: TextIO, interval: float) -> None:
    known: dict[str, str] = {}
    trouble = ""
    for view in _views(eyes, build, interval, first=eyes.look(build)):
        for each in view.builds:
            line = words.change(each)
            if known.get(each.build) != line:
                known[each.build] = line
                out.write(f"{words.clock(view.at_ms)} {line}\n")
        if view.trouble and view.trouble != trouble:
            sys.stderr.write(f"warning: {view.trouble}\n")
        trouble = view.trouble
        out.flush()


def _views(eyes: Eyes, build: str | None, interval: float, *, first: View) -> Iterator[View]:
    view = first
    while True:
        yield view
        followed = None if build is None else view.of(build)
        if followed is not None and followed.is_over and not view.trouble:
            return
        time.sleep(interval)
        view = eyes.try_look(build)


def _console(out: TextIO) -> Console:
    return Console(file=out, highlight=False, emoji=False, markup=False)


def _leave(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)
