"""What people say about a build: hold it, let it go on, call a state done, give it up; recorded with who said it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.core import events as ev
from toolkit.errors import NotFound, Refused, UsageError
from toolkit.supervise.ledger import now_ms

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolkit.core.progress import Progress
    from toolkit.store import Store

    Wish = Callable[[Progress], ev.Event]


def hold(by: str, note: str | None) -> Wish:
    """Keep a build at its failed state."""

    def fact(progress: Progress) -> ev.Event:
        if progress.status == "completed":
            raise Refused(f"build {progress.build} is completed: there is nothing to hold")
        reason = note or "a person asked for it"
        return ev.BuildHeld(build=progress.build, ts_ms=now_ms(), state=progress.current or 0, reason=reason, by=by)

    return fact


def release(by: str, note: str | None) -> Wish:
    """Let a held build be tried again."""

    def fact(progress: Progress) -> ev.Event:
        if not progress.held:
            raise Refused(f"build {progress.build} is not held", hint="See who waits with `toolkit builds --held`.")
        return ev.BuildReleased(build=progress.build, ts_ms=now_ms(), by=by, note=note)

    return fact


def skip(by: str, note: str | None, state: int | None = None) -> Wish:
    """Declare a state done by hand: the named one, else the one at which the build stands."""
    if not note:
        raise UsageError("a state is skipped for a reason", hint='Say how it was done by hand: -m "…".')

    def fact(progress: Progress) -> ev.Event:
        code = progress.current if state is None else state
        if code is None or progress.states.get(code) == "completed":
            raise Refused(f"state {code} of build {progress.build} needs no skipping: it is completed")
        return ev.StateSkipped(
            build=progress.build, ts_ms=now_ms(), run=progress.run, state=code, name=progress.names.get(code),
            reason=note, by=by,
        )  # fmt: skip

    return fact


def abandon(by: str, note: str | None) -> Wish:
    """Give a build up."""

    def fact(progress: Progress) -> ev.Event:
        if progress.status == "completed":
            raise Refused(f"build {progress.build} is completed: there is nothing to abandon")
        return ev.BuildAbandoned(build=progress.build, ts_ms=now_ms(), by=by, note=note)

    return fact


def say(store: Store, build: str, wish: Wish) -> Progress:
    """Record a wish about a build that nobody runs; Refused while somebody does, or when it makes no sense."""
    token = store.lease(build).token
    row = store.row(build)
    if row is None:
        raise NotFound(f"there is no build {build}")
    if row.status == "in_progress":
        raise Refused(f"build {build} is running", hint="Wait until it has ended, or stop it; then say it again.")
    writer = store.writer(build, replacing=token)
    writer.append(wish(writer.progress))
    return writer.progress
