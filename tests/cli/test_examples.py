"""What help pages and README tell people to type is taken by the command line as it stands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer.main

from toolkit.cli.app import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

README = Path(__file__).resolve().parents[2] / "README.md"
ROOT: Any = typer.main.get_command(cli)
REST_OF_THE_LINE = {"|", ">", ">>", "&&", ";"}


def commands(command: Any = ROOT) -> Iterator[Any]:
    """Give a command and all below it."""
    yield command
    for each in getattr(command, "commands", {}).values():
        yield from commands(each)


def examples() -> list[str]:
    """Give every line that begins with our name, from the help pages and README."""
    pages = "\n".join(each.help or "" for each in commands())
    readme = README.read_text()
    lines = re.findall(r"^ *(toolkit .*)", f"{pages}\n{readme}", re.MULTILINE)
    return sorted({*lines, *re.findall(r"`(toolkit [^`\n]*)`", f"{pages}\n{readme}")})


@pytest.mark.parametrize("line", examples())
def test_examples_are_taken(line: str) -> None:
    """Commands, options and arguments of every example exist; nothing is run."""
    words = shlex.split(line, comments=True)[1:]
    words = words[: next((place for place, word in enumerate(words) if word in REST_OF_THE_LINE), len(words))]
    command = ROOT
    while words and hasattr(command, "commands") and not words[0].startswith("-"):
        command, words = command.commands[words[0]], words[1:]
    if command is ROOT:  # its own options answer at once
        assert words[0] in {name for each in command.params for name in each.opts} | {"--help"}
    elif words:  # a command that is only named needs no argument
        command.make_context(line, words, resilient_parsing=words == ["--help"]).close()


def test_every_command_shows_an_example() -> None:
    """Nobody has to guess how a command is typed."""
    leaves = [each for each in commands() if not hasattr(each, "commands") and not each.hidden]
    assert [each.name for each in leaves if "toolkit " not in (each.help or "")] == []
