"""The attempts of a run that are under way, as what limits and early ends are about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.core.values import Value
from toolkit.supervise.control import GRACE_SECONDS, Part, step_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolkit.supervise.control import Cause, Control


class Limited(Value):
    """How long an attempt may take and be silent, in seconds; None: as long as it likes."""

    timeout: float | None = None
    stall: float | None = None
    grace: float = GRACE_SECONDS


class Attempts:
    """Tells the control when attempts begin and end; on the recorder's thread."""

    def __init__(self, control: Control, limits: Callable[[int], Limited | None]) -> None:
        """Let `limits` say what a state is limited to; None: nothing of it is ever ended by us."""
        self._control = control
        self._limits = limits
        self._parts: dict[tuple[int, int], Part] = {}
        self._grace: dict[Part, float] = {}

    def begin(self, state: int, attempt: int, shell: int) -> None:
        """An attempt begins; `shell` waits for our answer, runs the step and goes on after it (0: nobody does)."""
        limited = self._limits(state)
        if limited is None:
            return
        part = self._parts[state, attempt] = step_of(state, attempt, shell)
        self._grace[part] = limited.grace
        if limited.timeout is not None or limited.stall is not None:
            self._control.limit(timeout=limited.timeout, stall=limited.stall, grace=limited.grace, part=part)

    def cut_short(self, state: int, attempt: int, cause: Cause) -> bool:
        """End an attempt before its time: its step, where a shell runs it, or else the build; tell whether we may."""
        part = self._parts.get((state, attempt))
        if part is not None:
            self._control.end(cause, part, grace=self._grace[part])
        return part is not None

    def end_build(self, cause: Cause) -> None:
        """End all of the build before its time."""
        self._control.end(cause)

    def over(self, state: int, attempt: int) -> Cause | None:
        """An attempt has ended; tell why when it was ended by us."""
        part = self._parts.get((state, attempt))
        return None if part is None else self._control.over(part)

    def busy(self, state: int, attempt: int) -> bool:
        """Tell whether processes of an attempt that was ended by us still run."""
        part = self._parts.get((state, attempt))
        return part is not None and self._control.busy(part)
