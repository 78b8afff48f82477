"""How long a build or an attempt may take and be silent, and what happens then: SIGTERM, a grace, SIGKILL."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from toolkit.supervise.clock import monotonic
from toolkit.supervise.control import Asked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from toolkit.supervise.control import Cause, Control, Part
    from toolkit.supervise.stalls import Informative
    from toolkit.supervise.tree import Family

LOOK_SECONDS = 0.05
"""How often we look whether everybody is gone while ending a build."""
FRESH = 0.05
"""News within this share of the stall limit spares us looking for more."""


class Clock:
    """The time of a part, or of the whole build, and its ending once that has begun."""

    def __init__(self, asked: Asked) -> None:
        """Count from now."""
        self.timeout = asked.timeout
        self.stall = asked.stall
        self.grace = asked.grace
        self.since = self.news = monotonic()
        self.family: Family | None = None
        self.cause: Cause | None = None
        self.kill_at = 0.0

    def moments(self) -> list[tuple[float, Cause]]:
        """Give when a limit is reached, and which, soonest first."""
        moments: list[tuple[float, Cause]] = []
        if self.family is None and self.timeout is not None:
            moments.append((self.since + self.timeout, "timeout"))
        if self.family is None and self.stall is not None:
            moments.append((self.news + self.stall, "stall"))
        return sorted(moments)

    def begin(self, family: Family, cause: Cause) -> None:
        """Ask the family to end."""
        self.family, self.cause = family, cause
        self.kill_at = monotonic() + self.grace
        family.send(signal.SIGTERM)
        family.send(signal.SIGCONT)  # who is stopped cannot obey

    def slept(self, seconds: float) -> None:
        """Do not count so long."""
        self.since += seconds
        self.news += seconds
        self.kill_at += seconds


class Limits:
    """The loop's side of a `Control`: all clocks of one child."""

    def __init__(self, control: Control, marks: Mapping[str, str], child: int) -> None:
        """Obey `control` about `child`; `marks` are the variables by which its orphans are known."""
        self._child = child
        self._control = control
        self._marks = marks
        self._clocks: dict[Part | None, Clock] = {}
        self._informative: Informative | None = None
        self._whole: Clock | None = None

    @property
    def cause(self) -> Cause | None:
        """Why the child itself was ended by us."""
        return None if self._whole is None else self._whole.cause

    def heard(self, stream: int, data: bytes, at: float) -> None:
        """Note output; only what is news postpones a stall."""
        for clock in self._clocks.values():
            if clock.stall is not None and clock.family is None and at - clock.news >= clock.stall * FRESH:
                break
        else:
            return
        if self._informative is None:
            from toolkit.supervise.stalls import Informative

            self._informative = Informative()
        if self._informative.hears(stream, data):
            for clock in self._clocks.values():
                clock.news = at

    def slept(self, seconds: float) -> None:
        """Do not count a time in which the build was stopped."""
        for clock in self._clocks.values():
            clock.slept(seconds)

    def connect(self, wake: Callable[[], None] | None) -> None:
        """Let the control wake the loop, and take what was asked of it before."""
        self._control.connect(wake)
        if wake is not None:
            self.obey()

    def obey(self) -> None:
        """Take what was asked of the control."""
        for asked in self._control.take():
            part = asked.part
            if asked.what == "end":
                self._asked_to_end(asked)
            elif asked.what == "limit":
                if part not in self._clocks or self._clocks[part].family is None:
                    self._clocks[part] = Clock(asked)
            elif part in self._clocks and self._clocks[part].family is None:
                del self._clocks[part]

    def wait(self) -> float | None:
        """Give the seconds until something of ours is due; None: nothing is."""
        clocks = self._clocks.values()
        if any(clock.family is not None for clock in clocks):
            return LOOK_SECONDS
        due = [moment for clock in clocks for moment, _ in clock.moments()[:1]]
        return max(0.0, min(due) - monotonic()) if due else None

    def act(self) -> None:
        """Do what is due."""
        now = monotonic()
        for part, clock in list(self._clocks.items()):
            if clock.family is not None:
                self._go_on(part, clock, clock.family, now)
                continue
            for moment, cause in clock.moments():
                if moment <= now:
                    self._begin(part, clock, cause)
                    break

    @property
    def ending(self) -> bool:
        """Whether members of a family are still to be waited for although the child itself has ended."""
        return any(clock.family is not None and clock.family.alive for clock in self._clocks.values())

    def close(self) -> None:
        """Let go of all processes."""
        for part, clock in self._clocks.items():
            if clock.family is not None:
                clock.family.close()
                if part is not None:
                    self._control.gone(part)

    def _asked_to_end(self, asked: Asked) -> None:
        clock = self._clocks.setdefault(asked.part, Clock(asked))
        if clock.family is None and asked.cause is not None:
            self._begin(asked.part, clock, asked.cause)

    def _begin(self, part: Part | None, clock: Clock, cause: Cause) -> None:
        """End what a clock is about: the step where its shell is there to go on, else the whole build."""
        from toolkit.supervise.tree import Family, lives

        if part is None or not lives(part.shell):
            self._begin_whole(clock, cause)
        elif self._control.cut(part, cause):
            marks = {**self._marks, "TOOLKIT_STATE": str(part.state), "TOOLKIT_ATTEMPT": str(part.attempt)}
            clock.begin(Family(part.shell, marks, spared=part.before), cause)
        else:
            del self._clocks[part]

    def _begin_whole(self, clock: Clock, cause: Cause) -> None:
        from toolkit.supervise.tree import Family

        if self._whole is None:
            self._whole = clock
            clock.begin(Family(self._child, self._marks), cause)

    def _go_on(self, part: Part | None, clock: Clock, family: Family, now: float) -> None:
        """Go on ending what does not end by itself."""
        if now >= clock.kill_at:
            family.send(signal.SIGKILL)
        if part is None or clock is self._whole:
            return
        if now < clock.kill_at:
            family.send_to_new_children(signal.SIGTERM)  # a function goes on with its next command
        if self._control.is_over(part):
            if not family.alive:
                family.close()
                del self._clocks[part]
                self._control.gone(part)
        elif now >= clock.kill_at + clock.grace and clock.cause is not None:
            # A loop of the shell's own: there is no process to be ended but the shell.
            self._begin_whole(self._clocks.setdefault(None, Clock(Asked(what="end", grace=clock.grace))), clock.cause)
