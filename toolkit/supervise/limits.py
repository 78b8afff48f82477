"""How long a build may take and be silent, and what happens then: SIGTERM, a grace, SIGKILL, to its whole family."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Literal

from toolkit.supervise.clock import monotonic

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from toolkit.supervise.stalls import Informative
    from toolkit.supervise.tree import Family

Cause = Literal["timeout", "stall", "stopped", "fatal"]

GRACE_SECONDS = 10.0
LOOK_SECONDS = 0.05
"""How often we look whether everybody is gone while ending a build."""
FRESH = 0.05
"""News within this share of the stall limit spares us looking for more."""


class Control:
    """A handle on the child for any thread, the recorder's above all; without a child, its calls wait for the next."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._limits: tuple[float | None, float | None, float] | None = None
        self._cause: Cause | None = None
        self._wake: Callable[[], None] | None = None

    def limit(self, *, timeout: float | None, stall: float | None, grace: float = GRACE_SECONDS) -> None:
        """Start both clocks anew, in seconds; None switches a limit off. `grace` lies between SIGTERM and SIGKILL."""
        with self._lock:
            self._limits = (timeout, stall, grace)
        self._poke()

    def end(self, cause: Cause) -> None:
        """End the child and all it has started; `Ended.cause` will say why."""
        with self._lock:
            self._cause = self._cause or cause
        self._poke()

    def connect(self, wake: Callable[[], None] | None) -> None:
        """Name what wakes the loop that serves us, None when there is none any more."""
        self._wake = wake

    def take(self) -> tuple[tuple[float | None, float | None, float] | None, Cause | None]:
        """Give new limits and a cause to end, each once."""
        with self._lock:
            limits, cause = self._limits, self._cause
            self._limits = self._cause = None
        return limits, cause

    def _poke(self) -> None:
        wake = self._wake
        if wake is not None:
            wake()


class Limits:
    """The loop's side: the clocks, and the ending once it has begun."""

    def __init__(self, control: Control, marks: Mapping[str, str], child: int) -> None:
        """Obey `control` about `child`; `marks` are the variables by which its orphans are known."""
        self.cause: Cause | None = None
        self._child = child
        self._control = control
        self._marks = marks
        self._grace = GRACE_SECONDS
        self._timeout: float | None = None
        self._stall: float | None = None
        self._since = self._news = monotonic()
        self._informative: Informative | None = None
        self._family: Family | None = None
        self._kill_at = 0.0
        self._killed = False

    def heard(self, stream: int, data: bytes, at: float) -> None:
        """Note output; only what is news postpones a stall."""
        if self._stall is None or self.cause is not None or at - self._news < self._stall * FRESH:
            return
        if self._informative is None:
            from toolkit.supervise.stalls import Informative

            self._informative = Informative()
        if self._informative.hears(stream, data):
            self._news = at

    def slept(self, seconds: float) -> None:
        """Do not count a time in which the build was stopped."""
        self._since += seconds
        self._news += seconds
        self._kill_at += seconds

    def connect(self, wake: Callable[[], None] | None) -> None:
        """Let the control wake the loop, and take what was asked of it before."""
        self._control.connect(wake)
        if wake is not None:
            self.obey()

    def obey(self) -> None:
        """Take what was asked of the control."""
        limits, cause = self._control.take()
        if limits is not None:
            self._timeout, self._stall, self._grace = limits
            self._since = self._news = monotonic()
        if cause is not None:
            self._begin(cause)

    def wait(self) -> float | None:
        """Give the seconds until something of ours is due; None: nothing is."""
        if self._family is not None:
            return LOOK_SECONDS
        due = [moment for moment, _ in self._moments()]
        return max(0.0, min(due) - monotonic()) if due else None

    def act(self) -> None:
        """Do what is due."""
        now = monotonic()
        if self._family is None:
            for moment, cause in self._moments():
                if moment <= now:
                    self._begin(cause)
                    return
        elif now >= self._kill_at:
            self._killed = True
            self._family.send(signal.SIGKILL)

    @property
    def ending(self) -> bool:
        """Whether members of the family are still to be waited for although the child itself has ended."""
        return self._family is not None and self._family.alive

    def close(self) -> None:
        if self._family is not None:
            self._family.close()

    def _moments(self) -> list[tuple[float, Cause]]:
        moments: list[tuple[float, Cause]] = []
        if self._timeout is not None:
            moments.append((self._since + self._timeout, "timeout"))
        if self._stall is not None:
            moments.append((self._news + self._stall, "stall"))
        return sorted(moments)

    def _begin(self, cause: Cause) -> None:
        if self._family is not None:
            return
        from toolkit.supervise.tree import Family

        self.cause = cause
        self._kill_at = monotonic() + self._grace
        self._family = Family(self._child, self._marks)
        self._family.send(signal.SIGTERM)
        self._family.send(signal.SIGCONT)  # who is stopped cannot obey
