"""`toolkit demo`: the whole of it on a small real build, in a folder of its own."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from toolkit.cli.writing import make_folder
from toolkit.errors import UsageError


def register(cli: typer.Typer) -> None:
    """Add the command to the command line."""
    cli.command()(demo)


def demo(
    folder: Annotated[
        str | None, typer.Argument(metavar="[FOLDER]", help="Where to play; else a temporary one.")
    ] = None,
) -> int:
    """Show the toolkit at work: import a history, run a real build that fails and is started over, read the report.

    Nothing is needed but this command, and nothing outside the folder is touched.

    Example:

      toolkit demo /tmp/toolkit-demo
    """
    import tempfile

    from toolkit.demo.story import tell

    if folder is not None and os.path.isdir(folder) and os.listdir(folder):
        raise UsageError(f"the folder {folder} is not empty", hint="Name a new one.")
    where = folder or tempfile.mkdtemp(prefix="toolkit-demo-")
    make_folder(where)
    return tell(where, sys.stdout)
