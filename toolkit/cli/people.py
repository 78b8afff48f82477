"""`toolkit hold`, `release`, `unlock`, `skip`, `abandon`: what people say about builds, recorded with who said it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from toolkit.cli import completing
from toolkit.cli.opening import (
    BuildArgument,
    JsonOption,
    ProjectOption,
    StoreOption,
    history_of,
    open_project,
    print_json,
    row_of,
)
from toolkit.errors import UsageError
from toolkit.supervise import wishes

if TYPE_CHECKING:
    from toolkit.core.progress import Progress
    from toolkit.supervise.wishes import Wish

NoteOption = Annotated[str | None, typer.Option("--note", "-m", metavar="TEXT", help="Why; kept in the history.")]


def register(cli: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (hold, release, unlock, skip, abandon):
        cli.command()(command)


def hold(
    build: BuildArgument = None, note: NoteOption = None, as_json: JsonOption = False,
    project: ProjectOption = None, store: StoreOption = None,
) -> None:  # fmt: skip
    """Keep a build at its failed state until a person releases it.

    Example:

      toolkit hold b-0007 -m "looking at the VM"
    """
    _say(build, wishes.hold(me(), note), "is held; `toolkit release` lets it go on", as_json, project, store)


def release(
    build: BuildArgument = None, note: NoteOption = None,
    now: Annotated[bool, typer.Option("--now", help="And resume it at once, as `toolkit resume` does.")] = False,
    as_json: JsonOption = False, project: ProjectOption = None, store: StoreOption = None,
) -> int:  # fmt: skip
    """Let a held build be tried again, with a fresh allowance of attempts.

    Examples:

      toolkit release b-0007 -m "mirror is back"

      toolkit release b-0007 --now -m "key renewed"
    """
    from toolkit.core.interchange import build_record
    from toolkit.core.notices import going_on

    if not now:
        progress = _wished(build, wishes.release(me(), note), project, store)
        if as_json:
            print_json(build_record(progress))
        else:
            print(f"{progress.build} is released; {going_on(progress)}")
        return 0
    from toolkit.cli.light_resume import resume_light

    progress = _wished(build, wishes.release(me(), note), project, store)
    options = {"build": progress.build, "project": project, "store": store}
    return resume_light({name: value for name, value in options.items() if value is not None}, ())


def unlock(
    build: BuildArgument = None,
    note: NoteOption = None,
    force: Annotated[bool, typer.Option("--force", help="Also when nothing tells whether it lives.")] = False,
    as_json: JsonOption = False,
    project: ProjectOption = None,
    store: StoreOption = None,
) -> None:
    """Take a build away from a supervisor on another host that is gone for good.

    It is looked first whether that supervisor lives: one on this host by its process, one elsewhere by whether it still
    renews its lease, which takes a while. One that lives keeps its build, whatever is asked. Who did it and why is kept
    in the history; should the supervisor wake up all the same, it is refused at its next word and ends what it runs.

    Example:

      toolkit unlock b-0007 -m "builder1 has burnt down"
    """
    if note is None:
        raise UsageError("a build is unlocked for a reason", hint='Say what became of its host: -m "…".')
    from toolkit.core.interchange import build_record
    from toolkit.supervise.unlocking import unlock as take

    with history_of(open_project(project), store) as kept:
        progress = take(kept, row_of(kept, build), by=me(), note=note, force=force, say=_tell)
    if as_json:
        print_json(build_record(progress))
    else:
        print(f"{progress.build} is unlocked; `toolkit resume {progress.build}` goes on")


def _tell(what: str) -> None:
    print(what, file=sys.stderr)


def skip(
    build: BuildArgument = None,
    state: Annotated[
        int | None, typer.Option(min=0, help="The state that was done by hand.", autocompletion=completing.states)
    ] = None,
    note: NoteOption = None,
    as_json: JsonOption = False,
    project: ProjectOption = None,
    store: StoreOption = None,
) -> None:
    """Declare a failed state done by hand; full-resume then goes on behind it.

    Its outputs have to be there, and its `verify` has to agree. A build that is held at this state is released.

    Example:

      toolkit skip b-0007 --state 70 -m "checked on the machine itself"
    """
    wish = wishes.skip(me(), note, state, open_project(project))
    _say(
        build, wish, "counts state {state} as done by hand; `toolkit resume` goes on behind it", as_json, project, store
    )


def abandon(
    build: BuildArgument = None, note: NoteOption = None, as_json: JsonOption = False,
    project: ProjectOption = None, store: StoreOption = None,
) -> None:  # fmt: skip
    """Give a build up: it is neither continued nor resumed; the next run begins a new one.

    Example:

      toolkit abandon b-0007 -m "superseded by release 43"
    """
    _say(build, wishes.abandon(me(), note), "is abandoned", as_json, project, store)


def _say(
    build: str | None, wish: Wish, said: str, as_json: bool, project: str | None, store: str | None
) -> None:  # fmt: skip
    from toolkit.core.interchange import build_record

    progress = _wished(build, wish, project, store)
    if as_json:
        print_json(build_record(progress))
    else:
        print(f"{progress.build} {said.format(state=progress.current)}")


def _wished(build: str | None, wish: Wish, project: str | None, store: str | None) -> Progress:
    with history_of(open_project(project), store) as kept:
        return wishes.say(kept, row_of(kept, build).build, wish)


def me() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
