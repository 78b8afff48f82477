"""`toolkit plan` and `resume`: what going on with a build would do, and doing it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolkit.cli import completing
from toolkit.cli.opening import (
    JsonOption,
    ProjectOption,
    StoreOption,
    history_of,
    open_project,
    print_json,
    print_table,
)
from toolkit.errors import NothingRecorded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.core.progress import Progress
    from toolkit.project import Project
    from toolkit.store import Store
    from toolkit.supervise.planning import Plan

FromOption = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="CODE",
        help="Run this state and all behind it; reuse those before it.",
        autocompletion=completing.states,
    ),
]
ThroughOption = Annotated[
    str | None,
    typer.Option("--through", metavar="CODE", help="Stop when this state is done.", autocompletion=completing.states),
]
OnlyOption = Annotated[
    str | None, typer.Option("--only", metavar="CODE", help="Run this one state.", autocompletion=completing.states)
]
ForceOption = Annotated[
    bool,
    typer.Option("--force", help="With --from or --only: reuse what completed before, even if it no longer holds."),
]


def register(cli: typer.Typer) -> None:
    """Add the commands to the command line."""
    cli.command()(plan)
    cli.command("resume", context_settings={"allow_interspersed_args": False})(resume)


def plan(
    build: Annotated[
        str | None,
        typer.Argument(
            metavar="[BUILD]",
            help="The build's id; else the one that `resume` would take.",
            autocompletion=completing.builds,
        ),
    ] = None,
    as_json: JsonOption = False,
    from_: FromOption = None,
    through: ThroughOption = None,
    only: OnlyOption = None,
    force: ForceOption = False,
    project: ProjectOption = None,
    store: StoreOption = None,
) -> None:
    """Say what resuming a build would do: which states are reused, which run and why, and how long it takes.

    Nothing runs but the states' own `verify` and `revalidate` commands. Where no build waits to be resumed, the plan is
    that of a new one. How long a state takes is the median of what it took in the last 20 builds, with the range that
    eight of ten lie in and their number.

    Examples:

      toolkit plan

      toolkit plan b-0007 --from 20 --json
    """
    options = {"from": from_, "through": through, "only": only, "force": force}
    here = open_project(project)
    try:
        with history_of(here, store) as kept:
            progress = _standing(kept, here, build)
            planned = _planned(kept, here, progress, options)
    except NothingRecorded:
        if build is not None:
            raise
        progress, planned = None, _planned(None, here, None, options)
    if as_json:
        print_json(planned.shape)
        return
    _print(planned, here, progress)


def resume(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[BUILD] [-- COMMAND...]", help="The build's id; another command.", autocompletion=completing.builds
        ),
    ] = None,
    from_: FromOption = None,
    through: ThroughOption = None,
    only: OnlyOption = None,
    force: ForceOption = False,
    project: ProjectOption = None,
    store: StoreOption = None,
) -> int:
    """Go on with an unfinished build: states that completed and still hold are reused, the rest runs.

    Without BUILD it is the last one that failed or was interrupted. It is run by the command of its last run, in the
    folder where that was given, unless another COMMAND follows; a corrected script is the normal case. It ends as the
    build ends. `toolkit plan` says beforehand what it would do.

    Examples:

      toolkit resume

      toolkit resume b-0007 --from 20

      toolkit resume b-0007 -- ./build.sh --verbose
    """
    from toolkit.cli.light_resume import resume_light

    build, *command = words or [""]
    options = {
        "build": build or None, "from": from_, "through": through, "only": only, "force": force or None,
        "project": project, "store": store,
    }  # fmt: skip
    given = {name: value for name, value in options.items() if value is not None}
    return resume_light(given, command)


def _standing(store: Store, project: Project, build: str | None) -> Progress | None:
    from toolkit.supervise.resuming import to_resume, unfinished

    if build is None and unfinished(store, project.pipeline.name) is None:
        return None
    return to_resume(store, project, build)


def _planned(store: Store | None, project: Project, progress: Progress | None, options: dict[str, Any]) -> Plan:
    from phases import phase
    from toolkit.cli.parts import asked_of
    from toolkit.supervise.planning import Experience, learn, plan, states_of

    experience = Experience() if store is None else learn(store, project.pipeline.name)
    asked = asked_of(options, [each.code for each in states_of(project, progress, experience)])
    return plan(progress, project, phase("full-resume"), experience=experience, asked=asked)


def _print(planned: Plan, project: Project, progress: Progress | None) -> None:
    if not planned.states:
        print("no state is known yet: run the build once, or write its states into toolkit.toml")
        return
    print_table(
        ["state", "name", "action", "takes", "why"],
        [
            [each.code, each.name, each.action,
             "?" if each.expected is None else each.expected.text, each.why]
            for each in planned.states
        ],
        right=frozenset({0, 3}),
    )  # fmt: skip
    print(f"\n{planned.build or 'a new build'}: {_count(planned)}")
    if planned.expected is not None:
        print(f"it takes about {planned.expected.text}{_untimed(planned.unknown)}")
    if planned.build is not None and planned.start_over is not None:
        untimed = [each.code for each in planned.states if each.expected is None]
        print(f"starting over takes about {planned.start_over.text}{_untimed(untimed)}")
    if planned.goes_back_to is not None:
        print(f"before that, the checkpoint of state {planned.goes_back_to} is restored")
    if planned.left_out:
        print(f"left out: {', '.join(map(str, planned.left_out))}")
    if progress is not None and progress.held:
        print(f"it is held: `toolkit release {progress.build}` lets it go on")
    if progress is not None and project.phase != "full-resume":
        print(f"this is what `toolkit resume` does; `toolkit run` follows {project.phase} and reuses nothing")


def _untimed(codes: Sequence[int]) -> str:
    if not codes:
        return ""
    return f", and state{'s' * (len(codes) > 1)} {', '.join(map(str, codes))} that nobody has timed"


def _count(planned: Plan) -> str:
    reused = sum(each.action == "reuse" for each in planned.states)
    runs = len(planned.states) - reused
    return f"{reused} state{'' if reused == 1 else 's'} reused, {runs} run"
