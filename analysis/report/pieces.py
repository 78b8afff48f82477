"""What the terminal's report is laid out with: headings, tables and colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich import box
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import RenderableType

COLOURS: Final = {
    "green": "green", "later": "yellow", "failed": "red", "cut": "magenta", "open": "blue", "faint": "bright_black",
}  # fmt: skip


def title(text: str, note: str = "") -> RenderableType:
    """Head a section."""
    return Text.assemble("\n", (text, "bold"), (f"  {note}" if note else "", COLOURS["faint"]))


def table(*columns: tuple[str, str], **more: Any) -> Table:  # noqa: ANN401 - as in rich
    """Give a table of columns `(name, side)`; `fill` takes what is left and breaks its lines, `cut` shortens them."""
    laid = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False, header_style=COLOURS["faint"], **more
    )
    for name, justify in columns:
        ratio = 1 if justify in {"fill", "cut"} else None
        laid.add_column(
            name,
            justify="right" if justify == "right" else "left",
            no_wrap=justify != "fill",
            overflow="fold" if justify == "fill" else "ellipsis",
            ratio=ratio,
            min_width=12 if ratio else None,
        )
    return laid
