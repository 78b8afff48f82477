"""`toolkit watch` and `toolkit serve`: what is going on now, on a terminal and in a browser."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from toolkit.cli import completing
from toolkit.cli.opening import ProjectOption, StoreOption, must_be_there, open_project, print_json
from toolkit.errors import NothingRecorded, UsageError

if TYPE_CHECKING:
    from toolkit.project import Project

BuildArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[BUILD]",
        help="Only this build, until it ends; else all that run or are held.",
        autocompletion=completing.builds,
    ),
]


def register(cli: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (watch, serve):
        cli.command()(command)


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
    with suppress(NothingRecorded):
        must_be_there(store_url(here, store), store)
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


def serve(
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8321,
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TOKEN", envvar="TOOLKIT_SERVE_TOKEN",
            help="Who knows it may release, skip and abandon held builds; without one the pages only show. Other "
            "users of the machine can see an option: better set the variable.",
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Another name under which the server may be asked.")
    ] = None,
    project: ProjectOption = None,
    store: StoreOption = None,
) -> None:  # fmt: skip
    """Serve the live view and the report as web pages, until Ctrl-C.

    Without a token nothing can be changed through it. What people do with one is recorded with the name they give and
    the address they come from.

    Examples:

      toolkit serve

      TOOLKIT_SERVE_TOKEN="$(cat token)" toolkit serve --host 0.0.0.0 --allow-host builds.example.net
    """
    from toolkit.live.guard import SHORTEST_TOKEN, Guard, is_open, own_names
    from toolkit.project import store_url

    try:
        from toolkit.live.server import bound, run
        from toolkit.live.serving import Serving
    except ImportError as error:
        raise UsageError(
            f"`toolkit serve` needs a package that is not installed: {error.name}",
            hint="Install the toolkit with its extra: build-state-toolkit[serve].",
        ) from None
    if token is not None and len(token) < SHORTEST_TOKEN:
        raise UsageError(
            f"the token is shorter than {SHORTEST_TOKEN} characters", hint="Make one, such as: openssl rand -hex 16"
        )
    here = open_project(project)
    url = store_url(here, store)
    with suppress(NothingRecorded):
        must_be_there(url, store)
    at = bound(host, port)
    guard = Guard(token=token, hosts=own_names(host, tuple(allow_host or ())))
    serving = Serving(
        url, here.directory, guard, name=here.pipeline.name, report=lambda: _report_page(here, url),
        log=lambda told: print(told, flush=True),
    )  # fmt: skip
    if is_open(host):
        print("warning: everybody who reaches this address can read these pages, and nothing encrypts them",
              file=sys.stderr, flush=True)  # fmt: skip
    shown = f"[{host}]" if ":" in host else host
    may = "read-only" if token is None else "held builds can be decided about with the token"
    run(serving, at, lambda: print(f"serving http://{shown}:{at.getsockname()[1]}/ ({may})", flush=True))


def _report_page(project: Project, url: str) -> str:
    """Make the report in a process of its own, so that what it needs of memory is given back."""
    import os
    import subprocess
    import tempfile

    from toolkit.errors import ToolkitError

    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "report.html")
        made = subprocess.run(
            [sys.executable, "-m", "toolkit", "report", "--html", file, "--project", project.directory],
            env={**os.environ, "TOOLKIT_STORE": url}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        if made.returncode != 0:
            said, _, hint = made.stderr.strip().partition("\nhint: ")
            raise ToolkitError(said.removeprefix("error: ") or "the report cannot be made", hint=hint)
        with open(file, encoding="utf-8") as page:
            return page.read()
