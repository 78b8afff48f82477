"""What people say about a build: hold it, let it go on, call a state done, give it up; recorded with who said it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from toolkit.core import events as ev
from toolkit.errors import NotFound, Refused, UsageError
from toolkit.supervise.ledger import now_ms

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolkit.core.progress import Progress
    from toolkit.project import Project
    from toolkit.store import Store

    Facts = tuple[ev.Event, ...]
    Wish = Callable[[Progress], Facts]


_ANOTHER: Final = "Begin another with `toolkit run --build new`."


def hold(by: str, note: str | None) -> Wish:
    """Keep a build at its failed state."""

    def facts(progress: Progress) -> Facts:
        _refuse_ended(progress)
        reason = note or "a person asked for it"
        return (ev.BuildHeld(build=progress.build, ts_ms=now_ms(), state=progress.current or 0, reason=reason, by=by),)

    return facts


def release(by: str, note: str | None) -> Wish:
    """Let a held build be tried again."""

    def facts(progress: Progress) -> Facts:
        if not progress.held:
            raise Refused(f"build {progress.build} is not held", hint="See who waits with `toolkit builds --held`.")
        return (ev.BuildReleased(build=progress.build, ts_ms=now_ms(), by=by, note=note),)

    return facts


def skip(by: str, note: str | None, state: int | None, project: Project) -> Wish:
    """Declare a state done by hand: the named one, else the one at which the build stands.

    What the state has to leave behind is looked at first. A build that is held at this state may go on.
    """
    if not note:
        raise UsageError("a state is skipped for a reason", hint='Say how it was done by hand: -m "…".')

    def facts(progress: Progress) -> Facts:
        _refuse_ended(progress)
        held_at = progress.hold.state if progress.held and progress.hold is not None else None
        code = (progress.current if held_at is None else held_at) if state is None else state
        if code is None or progress.states.get(code) == "completed":
            done = f"state {code} of build {progress.build} needs no skipping: it is completed"
            raise Refused(
                f"build {progress.build} stands at no state" if code is None else done,
                hint="Name the state that was done by hand: --state CODE.",
            )
        if wrong := _not_done(progress, project, code):
            raise Refused(f"state {code} is not done: {wrong}", hint="Finish it by hand, then skip it.")
        skipped = ev.StateSkipped(
            build=progress.build, ts_ms=now_ms(), run=progress.run, state=code, name=progress.names.get(code),
            reason=note, by=by,
        )  # fmt: skip
        if held_at != code:
            return (skipped,)
        return skipped, ev.BuildReleased(build=progress.build, ts_ms=now_ms(), by=by, note=note)

    return facts


def _refuse_ended(progress: Progress) -> None:
    """Refused when a build is done or given up: nobody waits for it, and nothing of it is left to decide."""
    if progress.abandoned or progress.status == "completed":
        ended = "abandoned" if progress.abandoned else "completed"
        raise Refused(f"build {progress.build} is {ended}: nothing of it waits for a person", hint=_ANOTHER)


def _not_done(progress: Progress, project: Project, code: int) -> str:
    """Say what of a state's work is not there; empty when all that can be looked at is."""
    from toolkit.supervise.fingerprint import missing_outputs
    from toolkit.supervise.hooks import run_hook

    state = project.state(code)
    if state.outputs and (missing := missing_outputs(state, project)):
        return f"its outputs are missing: {', '.join(missing)}"
    if not state.verify:
        return ""
    return run_hook(state.verify, project, extra={"TOOLKIT_BUILD": progress.build, "TOOLKIT_STATE": str(code)})


def abandon(by: str, note: str | None) -> Wish:
    """Give a build up."""

    def facts(progress: Progress) -> Facts:
        if progress.status == "completed":
            raise Refused(f"build {progress.build} is completed: there is nothing to abandon", hint=_ANOTHER)
        return (ev.BuildAbandoned(build=progress.build, ts_ms=now_ms(), by=by, note=note),)

    return facts


def say(store: Store, build: str, wish: Wish) -> Progress:
    """Record a wish about a build that nobody runs; Refused while somebody does, or when it makes no sense."""
    token = store.lease(build).token
    row = store.row(build)
    if row is None:
        raise NotFound(f"there is no build {build}")
    if row.status == "in_progress":
        raise Refused(f"build {build} is running", hint="Wait until it has ended, or stop it; then say it again.")
    return store.writer(build, replacing=token, first=wish).progress
