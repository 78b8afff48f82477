"""The list of commands in `--help`: what each is for, whole, wrapped where it is long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typer.core import TyperGroup

if TYPE_CHECKING:
    from typer._click import Context, HelpFormatter


class Summaries(TyperGroup):
    """A group of commands whose summaries are not cut off in the middle of a sentence."""

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write a line for each command: the first paragraph of its help, up to the first full stop or semicolon."""
        named = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [(name, _summary(command.help or "")) for name, command in named if command and not command.hidden]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _summary(text: str) -> str:
    paragraph = " ".join(text.strip().partition("\n\n")[0].split())
    return paragraph.partition(";")[0].removesuffix(".")
