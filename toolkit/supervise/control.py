"""A handle on a running build for any thread: limits for all of it or for one attempt, and an end before its time.

An attempt that a shell of the build runs as a step can be ended alone: what the shell has started since is ended, the
shell stays, hears that its step failed, and the phase decides how it goes on.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Literal

from toolkit.core.values import Value
from toolkit.supervise.tree import Kin, children_of

if TYPE_CHECKING:
    from collections.abc import Callable

Cause = Literal["timeout", "stall", "stopped", "fatal", "lost", "asked"]

GRACE_SECONDS = 10.0


class Part(Value):
    """One attempt at a state, as the part of a build that a limit or an end is about."""

    state: int
    attempt: int
    shell: int = 0
    """The process that runs the step and is to survive it; 0: there is none, and the build is ended as a whole."""
    before: frozenset[Kin] = frozenset()
    """What that process had started earlier."""


def step_of(state: int, attempt: int, shell: int) -> Part:
    """Name what the process `shell` starts from now on; call it while that process waits."""
    return Part(state=state, attempt=attempt, shell=shell, before=children_of(shell))


class Asked(Value):
    """One thing that is wanted of the loop."""

    what: Literal["limit", "end", "over"]
    part: Part | None = None
    timeout: float | None = None
    stall: float | None = None
    grace: float = GRACE_SECONDS
    cause: Cause | None = None


class Control:
    """Asks the loop; without a child, what is asked waits for the next one. A `part` of None is the whole build."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: list[Asked] = []
        self._wake: Callable[[], None] | None = None
        self._over: set[Part] = set()
        self._cut: dict[Part, Cause] = {}
        self._busy: set[Part] = set()

    def limit(
        self,
        *,
        timeout: float | None,
        stall: float | None,
        grace: float = GRACE_SECONDS,
        part: Part | None = None,
    ) -> None:
        """Start both clocks anew, in seconds; None switches a limit off. `grace` lies between SIGTERM and SIGKILL."""
        self._ask(Asked(what="limit", part=part, timeout=timeout, stall=stall, grace=grace))

    def end(self, cause: Cause, part: Part | None = None, *, grace: float = GRACE_SECONDS) -> None:
        """End the child and all it has started (`Ended.cause` will say why), or only what belongs to a part."""
        self._ask(Asked(what="end", part=part, cause=cause, grace=grace))

    def over(self, part: Part) -> Cause | None:
        """Take note that a part has ended, and tell why when it was ended from here; from now on it never will be."""
        with self._lock:
            self._over.add(part)
            cause = self._cut.get(part)
        self._ask(Asked(what="over", part=part))
        return cause

    def busy(self, part: Part) -> bool:
        """Tell whether processes of a part are still being ended."""
        return part in self._busy

    # ------------------------------------------------------------ the loop's side

    def connect(self, wake: Callable[[], None] | None) -> None:
        """Name what wakes the loop that serves us, None when there is none any more."""
        self._wake = wake

    def take(self) -> list[Asked]:
        """Give what was asked, each once."""
        with self._lock:
            asked, self._asked = self._asked, []
        return asked

    def cut(self, part: Part, cause: Cause) -> bool:
        """Begin to end a part, unless it is over already."""
        with self._lock:
            if part in self._over:
                return False
            self._cut[part] = cause
            self._busy.add(part)
        return True

    def is_over(self, part: Part) -> bool:
        """Tell whether a part has ended."""
        return part in self._over

    def gone(self, part: Part) -> None:
        """Take note that nothing of a part runs any more."""
        self._busy.discard(part)

    def _ask(self, asked: Asked) -> None:
        with self._lock:
            self._asked.append(asked)
        wake = self._wake
        if wake is not None:
            wake()
