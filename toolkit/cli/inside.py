"""`toolkit run`, `state` and `shell` with their help: the full form of what `light` parses."""

from __future__ import annotations

from typing import Annotated

import typer

from toolkit.cli import completing
from toolkit.cli.opening import ProjectOption, StoreOption
from toolkit.cli.resuming import ForceOption, FromOption, OnlyOption, ThroughOption


def register(cli: typer.Typer) -> None:
    """Add the commands to the command line."""
    cli.command("run", context_settings={"allow_interspersed_args": False})(run)
    cli.command("state")(state)
    cli.command("shell")(shell)


def run(
    command: Annotated[list[str] | None, typer.Argument(metavar="[--] COMMAND...", help="The build.")] = None,
    build: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="Continue this build; `new` always begins one.", autocompletion=completing.builds
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT", help="What the image is for; links start-overs.", autocompletion=completing.targets
        ),
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(metavar="K=V", help="Note this with the build; repeatable.")
    ] = None,
    phase: Annotated[
        str | None,
        typer.Option(metavar="PHASE", help="Another phase than toolkit.toml's.", autocompletion=completing.phases),
    ] = None,
    limits: Annotated[
        bool, typer.Option("--limits", help="Obey `timeout` and `stall` of toolkit.toml in track-only, too.")
    ] = False,
    from_: FromOption = None,
    through: ThroughOption = None,
    only: OnlyOption = None,
    force: ForceOption = False,
    verify_clean: Annotated[
        bool, typer.Option("--verify-clean", help="Begin a new build that verifies the last one a retry helped.")
    ] = False,
    project: ProjectOption = None,
    store: StoreOption = None,
) -> int:
    """Run a build under supervision and record it; ends as the build ends.

    Its exit code is the build's, and a build that dies of a signal makes it die of the same signal. In track-only
    nothing else changes. Without a command the `run` entries of the pipeline's states are executed. A run after a
    failure continues the same build (a start-over), whoever restarted it. With `--from` or `--only` it goes on as
    `toolkit resume` does; a build that stops behind `--through` or `--only` stays unfinished, to be resumed.

    Examples:

      toolkit run -- ./build.sh --release 42

      toolkit run --target web --label release=42 -- make image

      toolkit run --build new -- ./build.sh

      toolkit run --verify-clean
    """
    from toolkit.cli.light_run import run_light

    options = {
        "build": build, "target": target, "label": label, "phase": phase, "limits": limits, "from": from_,
        "through": through, "only": only, "force": force, "verify_clean": verify_clean,
        "project": project, "store": store,
    }  # fmt: skip
    return run_light({name: value for name, value in options.items() if value}, command or [])


def state(
    words: Annotated[list[str], typer.Argument(metavar="start|complete|fail|output CODE|NAME=VALUE")],
    name: Annotated[str | None, typer.Option(help="The state's name, with `start`.")] = None,
    error: Annotated[str | None, typer.Option(help="What went wrong, with `fail`.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as one JSON document.")] = False,
) -> int:
    """Tell the supervisor of this build that a state begins or ends, from any language.

    Outside `toolkit run` nothing happens. Exit code 0: go on; 75: try the state again; 6: the build stops here.
    `start --json` says what to do: `{"action": "run", "attempt": 2}`, or `{"action": "reuse", "outputs": {"IMAGE_ID":
    "ami-123"}}` when the state is not to run, with all that was remembered of it.

    Examples:

      toolkit state start 20 --name base --json

      toolkit state fail 20 --error "mirror not reachable"

      toolkit state output IMAGE_ID=ami-123
    """
    from toolkit.cli.light_state import state_light

    return state_light({"name": name, "error": error, "json": as_json}, words)


def shell(path: Annotated[bool, typer.Option("--path", help="Print where it is instead.")] = False) -> int:
    """Print the state helper for sh, bash and zsh scripts.

    Put this at the top of a script; it keeps working where the toolkit is not installed:

      command -v toolkit >/dev/null && eval "$(toolkit shell)" || {

        state() { while [ "$1" != -- ]; do shift; done; shift; "$@"; }

        state_output() { export "$@"; }

      }

    Then say before each step which state it is, and behind it which values a reused state has to give again:

      state 5 kickstart -- ./kickstart.sh --vm green

      state_output IMAGE_ID="${id-}"
    """
    from toolkit.cli.light_shell import shell_light

    return shell_light({"path": path}, [])
