"""`toolkit watch` and `toolkit serve`: what is going on now, on a terminal and in a browser."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from toolkit.cli.opening import ProjectOption, StoreOption, open_project, print_json

BuildArgument = Annotated[
    str | None, typer.Argument(metavar="[BUILD]", help="Only this build, until it ends; else all that run or are held.")
]


def register(cli: typer.Typer) -> None:
    """Add the commands to the command line."""
    cli.command()(watch)


def watch(
    build: BuildArgument = None,
    once: Annotated[bool, typer.Option("--once", help="Show it once and end.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document and nothing else; implies --once.")
    ] = False,
    interval: Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="How often to look.")] = 1.0,
    project: ProjectOption = None,
    store: StoreOption = None,
) -> None:
    """Watch running builds: state, attempt, when they will be done and how sure that is, waits and holds.

    Ends with 0 when BUILD ends, however that was; without BUILD it goes on until Ctrl-C. Where the output is no
    terminal, each change is a line.

    Examples:

      toolkit watch

      toolkit watch b-0007

      toolkit watch --once --json
    """
    from toolkit.live.eyes import Eyes
    from toolkit.live.following import follow, show
    from toolkit.live.view import shape
    from toolkit.project import store_url

    here = open_project(project)
    eyes = Eyes(store_url(here, store), here.directory)
    try:
        if as_json:
            print_json(shape(eyes.look(build)))
        elif once:
            show(eyes.look(build), sys.stdout)
        else:
            follow(eyes, build, sys.stdout, interval)
    finally:
        eyes.close()
