"""The live view on a terminal: a few lines for each build, in the width and height there are."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING, Final

from rich.console import Console, Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from toolkit.core.visible import safe
from toolkit.live import words

if TYPE_CHECKING:
    from rich.console import RenderableType

    from toolkit.live.view import LiveBuild, View

STYLES: Final = {
    "running": "bold green", "waiting": "bold yellow", "between": "bold yellow", "held": "bold magenta",
    "completed": "bold green", "failed": "bold red", "interrupted": "bold red", "abandoned": "bold",
}  # fmt: skip
FAINT: Final = "bright_black"
BAR_FROM: Final = 70
"""Columns; in fewer there is no room for a bar."""
BAR: Final = 24


def plain(view: View, width: int, *, nothing: str) -> str:
    """Give the view as plain text of a width."""
    out = StringIO()
    console = Console(file=out, width=width, highlight=False, emoji=False, markup=False, color_system=None)
    console.print(screen(view, width, nothing=nothing))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def screen(view: View, width: int, *, nothing: str, height: int | None = None, foot: str = "") -> RenderableType:
    """Lay the view out, what runs before what is held; builds for which `height` has no room are counted at the end."""
    builds = sorted(view.builds, key=lambda each: each.doing == "held")
    parts: list[RenderableType] = []
    lines, shown = bool(view.trouble) + bool(foot), 0
    for each in builds:
        block = _block(each, view, width)
        last = shown == len(builds) - 1
        if height is not None and lines + len(block) + (0 if last else 2) > height and shown:
            break
        parts += [*block, Text()]
        lines += len(block) + 1
        shown += 1
    if not builds:
        parts.append(_line(nothing, FAINT))
    if shown < len(builds):
        parts.append(_line(f"and {len(builds) - shown} more", FAINT))
    elif builds:
        parts.pop()
    if view.trouble:
        parts.append(_line(safe(view.trouble), "bold red"))
    if foot:
        parts.append(_line(foot, FAINT))
    return Group(*parts)


def _block(each: LiveBuild, view: View, width: int) -> list[RenderableType]:
    ended = "abandoned" if each.abandoned else each.status
    style = STYLES.get(ended if each.is_over else each.doing, "")
    head = Table.grid(expand=True)
    head.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    head.add_column(no_wrap=True, justify="right")
    name = Text.assemble((safe(each.build), "bold"), "  ", words.title(each))
    head.add_row(name, Text(f" {words.doing(each, view.at_ms)}", style=style))
    block: list[RenderableType] = [head, _line(f"  {words.place(each, view.at_ms)}")]
    block += [_line(f"  {note}", style if each.held or each.waiting else "") for note in words.notes(each, view)]
    if each.held:
        block.append(_line(f"  toolkit release {safe(each.build)} lets it go on", FAINT))
    block += [_line(f"  {sentence}") for sentence in words.done(each, view.at_ms)]
    if (bar := _bar(each, view, width)) is not None:
        block.append(bar)
    if each.said and not each.is_over:
        block.append(_line(f"  | {safe(each.said)}", FAINT))
    return block


def _bar(each: LiveBuild, view: View, width: int) -> RenderableType | None:
    """Draw how much of the expected time is over, where it is known."""
    if each.done is None or each.done.median is None or each.started_ms is None or width < BAR_FROM:
        return None
    over = max(0.0, (view.at_ms - each.started_ms) / 1000)
    grid = Table.grid(padding=(0, 1))
    share = over / (over + each.done.median) if over + each.done.median else 0.0
    grid.add_row(
        " ", ProgressBar(total=1.0, completed=share, width=BAR), Text(f"about {share:.0%} of the time", style=FAINT)
    )
    return grid


def _line(text: str, style: str = "") -> Text:
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")
