"""A word to the person at the terminal, where a build waits or stays for a reason that its own output does not say.

Only where standard error is a terminal: into a pipe or a file goes what the build says, and nothing of ours.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from toolkit.core.action import Stop

if TYPE_CHECKING:
    from toolkit.core.action import Action
    from toolkit.core.progress import Attempt, Progress

NOTICEABLE_SECONDS = 1.0
"""A shorter wait needs no explanation."""


def tell_of_wait(failed: Attempt, action: Action, seconds: float) -> None:
    """Say that nothing happens for a while, and why."""
    if seconds >= NOTICEABLE_SECONDS and _is_seen():
        from toolkit.core.moments import duration_text

        does = "is tried again" if action.name == "retry" else "is looked at again"
        _say(f"state {failed.state} {does} in {duration_text(seconds)}: {action.reason}")


def tell_of_stay(progress: Progress, last: Action | None) -> None:
    """Say that the build stays where it is, why, and how it is gone on with."""
    if not _is_seen() or progress.abandoned:
        return
    build = progress.build
    if progress.held and progress.hold is not None:
        _say(f"build {build} is held at state {progress.hold.state}: {progress.hold.reason}")
        _say(f"`toolkit why {build}` says more; `toolkit release {build}`, once it is mended, lets it go on")
    elif isinstance(last, Stop) and last.resumable:
        _say(f"build {build} stops here: {last.reason}")
        _say(f"`toolkit why {build}` says more; `toolkit resume {build}` goes on")


def _is_seen() -> bool:
    try:
        return os.isatty(2)
    except OSError:
        return False


def _say(message: str) -> None:
    with suppress(OSError):
        os.write(2, f"toolkit: {message}\n".encode(errors="replace"))
