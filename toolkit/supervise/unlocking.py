"""Taking a build away from a supervisor that cannot be seen from here, once it gives no sign of life any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.core import events as ev
from toolkit.errors import BuildLeased, Refused
from toolkit.supervise.holder import fate, spoken
from toolkit.supervise.lease import WATCHED, is_silent
from toolkit.supervise.ledger import now_ms
from toolkit.supervise.linking import take_away

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolkit.core.progress import Progress
    from toolkit.store import BuildRow, Store


def unlock(  # noqa: PLR0913 - who, why, and how
    store: Store, row: BuildRow, *, by: str, note: str, force: bool, say: Callable[[str], None]
) -> Progress:
    """End an open run in the place of its supervisor, and say in the history who did it and why.

    Refused when there is nothing to unlock; BuildLeased when the supervisor lives, and without `force` also when
    nothing can tell. `say` is told when it takes a while to find out.
    """
    token = store.lease(row.build).token
    progress = store.progress(row.build)
    if not progress.run_open:
        raise Refused(f"build {row.build} is not locked: nobody runs it", hint="Go on with `toolkit resume`.")
    who = spoken(progress.holder)
    if fate(progress.holder or "") == "alive":
        raise BuildLeased(f"build {row.build} is being run by {who}, which lives", hint="Stop that process instead.")
    if progress.lease is not None:
        seconds = progress.lease * WATCHED
        say(f"watching for {seconds:.0f} s whether {who} still renews its lease")
        if not is_silent(store, row.build, seconds):
            raise BuildLeased(f"build {row.build} is being run by {who}, which lives", hint="Stop it there instead.")
    elif not force:
        raise BuildLeased(
            f"build {row.build} is being run by {who}, which took no lease: nothing tells whether it lives",
            hint="Look there. If it is gone for good, repeat the command with --force.",
        )
    unlocked = ev.BuildUnlocked(build=row.build, ts_ms=now_ms(), by=by, holder=progress.holder, note=note)
    take_away(store, progress, token, f"unlocked by {by}: {note}", unlocked)
    return store.progress(row.build)
