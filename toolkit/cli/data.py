"""`toolkit import`, `export`, `sql` and `doctor`: the history in and out, looked at freely, and checked."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from toolkit.cli.opening import JsonOption, ProjectOption, StoreOption, history_of, open_project, print_json
from toolkit.errors import NotFound, UsageError


def register(cli: typer.Typer) -> None:
    """Add the commands to the command line."""
    cli.command("import")(import_)
    for command in (export, sql, doctor):
        cli.command()(command)


def export() -> None:
    """x."""


def sql() -> None:
    """x."""


def doctor() -> None:
    """x."""


def import_() -> None:
    """x."""
