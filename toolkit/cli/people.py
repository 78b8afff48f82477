"""`toolkit hold`, `release`, `unlock`, `skip`, `abandon`: what people say about builds, recorded with who said it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from toolkit.cli.opening import JsonOption, ProjectOption, StoreOption, history_of, open_project, print_json, row_of
from toolkit.core import events as ev
from toolkit.errors import Refused, UsageError

if TYPE_CHECKING:
    from toolkit.core.progress import Progress

BuildArgument = Annotated[str | None, typer.Argument(metavar="[BUILD]", help="The build's id; else the latest build.")]
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

    def fact(progress: Progress) -> ev.Event:
        if progress.status == "completed":
            raise Refused(f"build {progress.build} is completed: there is nothing to hold")
        reason = note or "a person asked for it"
        return ev.BuildHeld(build=progress.build, ts_ms=_now(), state=progress.current or 0, reason=reason, by=me())

    _say(build, fact, "is held; `toolkit release` lets it go on", as_json, project, store)


def release(
    build: BuildArgument = None, note: NoteOption = None, as_json: JsonOption = False,
    project: ProjectOption = None, store: StoreOption = None,
) -> None:  # fmt: skip
    """Let a held build be tried again, with a fresh allowance of attempts.

    Example:

      toolkit release b-0007 -m "mirror is back"
    """

    def fact(progress: Progress) -> ev.Event:
        if not progress.held:
            raise Refused(f"build {progress.build} is not held", hint="See who waits with `toolkit builds --held`.")
        return ev.BuildReleased(build=progress.build, ts_ms=_now(), by=me(), note=note)

    _say(build, fact, "is released; run the build again to go on", as_json, project, store)


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
    state: Annotated[int | None, typer.Option(min=0, help="The state that was done by hand.")] = None,
    note: NoteOption = None,
    as_json: JsonOption = False,
    project: ProjectOption = None,
    store: StoreOption = None,
) -> None:
    """Declare a failed state done by hand; full-resume then goes on behind it.

    Example:

      toolkit skip b-0007 --state 70 -m "checked on the machine itself"
    """
    if note is None:
        raise UsageError("a state is skipped for a reason", hint='Say how it was done by hand: -m "…".')

    def fact(progress: Progress) -> ev.Event:
        code = progress.current if state is None else state
        if code is None or progress.states.get(code) == "completed":
            raise Refused(f"state {code} of build {progress.build} needs no skipping: it is completed")
        return ev.StateSkipped(
            build=progress.build, ts_ms=_now(), run=progress.run, state=code, name=progress.names.get(code),
            reason=note, by=me(),
        )  # fmt: skip

    _say(build, fact, "counts the state as done by hand", as_json, project, store)


def abandon(
    build: BuildArgument = None, note: NoteOption = None, as_json: JsonOption = False,
    project: ProjectOption = None, store: StoreOption = None,
) -> None:  # fmt: skip
    """Give a build up: it is neither continued nor resumed; the next run begins a new one.

    Example:

      toolkit abandon b-0007 -m "superseded by release 43"
    """

    def fact(progress: Progress) -> ev.Event:
        if progress.status == "completed":
            raise Refused(f"build {progress.build} is completed: there is nothing to abandon")
        return ev.BuildAbandoned(build=progress.build, ts_ms=_now(), by=me(), note=note)

    _say(build, fact, "is abandoned", as_json, project, store)


def _say(
    build: str | None,
    fact: Callable[[Progress], ev.Event],
    said: str,
    as_json: bool,
    project: str | None,
    store: str | None,
) -> None:
    from toolkit.core.interchange import build_record

    with history_of(open_project(project), store) as kept:
        token = kept.lease(row_of(kept, build).build).token
        row = row_of(kept, build)
        if row.status == "in_progress":
            raise Refused(
                f"build {row.build} is running", hint="Wait until it has ended, or stop it; then say it again."
            )
        writer = kept.writer(row.build, replacing=token)
        writer.append(fact(writer.progress))
        progress = writer.progress
    if as_json:
        print_json(build_record(progress))
    else:
        print(f"{progress.build} {said}")


def _now() -> int:
    from toolkit.supervise.ledger import now_ms

    return now_ms()


def me() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
