"""What `--from`, `--through` and `--only` ask for: where a build goes on and stops, whatever its phase says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.core.action import Reuse, Run, Stop
from toolkit.core.codes import StateCode
from toolkit.core.values import Value
from toolkit.errors import NotFound, Refused, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection

    from phases import Decide
    from toolkit.core.action import Action
    from toolkit.core.policy import Policy
    from toolkit.core.situation import Situation


class Selection(Value):
    """A part of a pipeline: the states from `first` through `last`, both included; None is no limit."""

    first: StateCode | None = None
    """This state and those behind it run, valid or not; those before it have to be reused."""
    last: StateCode | None = None
    """The build stops behind this state, to be resumed."""
    force: bool = False
    """Reuse what completed before `first` although it no longer holds."""

    def runs(self, code: StateCode) -> bool:
        """Tell whether a state runs, or is left out, whether it holds or not."""
        return (self.first is not None and code >= self.first) or (self.last is not None and code > self.last)

    def among(self, states: Collection[StateCode]) -> None:
        """Raise NotFound when a state that was asked for is none of those known; where none is, any will do."""
        for code in (self.first, self.last):
            if code is not None and states and code not in states:
                known = ", ".join(map(str, sorted(states)))
                raise NotFound(f"no state has the code {code}", hint=f"There are {known}.")


WHOLE = Selection()


def selection(
    states: Collection[StateCode],
    from_: StateCode | None = None,
    through: StateCode | None = None,
    only: StateCode | None = None,
    *,
    force: bool = False,
) -> Selection:
    """Understand the three options together; UsageError when they contradict each other, NotFound for no such state.

    `states` are those that are known; where none is, any will do.
    """
    if only is not None and (from_ is not None or through is not None):
        raise UsageError("--only says it all: it goes with neither --from nor --through", hint="Leave the others out.")
    first, last = (only, only) if only is not None else (from_, through)
    if first is not None and last is not None and last < first:
        raise UsageError(f"--from {first} --through {last} is no way forward", hint=f"Swap {first} and {last}.")
    if force and first is None:
        raise UsageError("--force goes with --from or --only", hint="Say where to go on, or leave --force out.")
    asked = Selection(first=first, last=last, force=force)
    asked.among(states)
    return asked


def narrowed(decide: Decide, asked: Selection) -> Decide:
    """Give a decision function that does what was asked for, and for the rest decides like `decide`.

    | state             | action                                                                    |
    | ----------------- | ------------------------------------------------------------------------- |
    | before `first`    | reuse what holds, or, by force, what ever completed; else stop, resumable |
    | from `first` on   | run                                                                       |
    | behind `last`     | stop, resumable                                                           |
    | any, after a failure | as `decide` says                                                       |
    """
    if asked == WHOLE:
        return decide

    def narrow(situation: Situation, policy: Policy) -> Action:
        code = situation.state.code
        if situation.failed:
            return decide(situation, policy)
        if asked.last is not None and code > asked.last:
            return Stop(reason=f"it was asked to go through state {asked.last} and no further", resumable=True)
        if asked.first is None:
            return decide(situation, policy)
        return Run(reason="asked for") if code >= asked.first else _before(situation, policy)

    def _before(situation: Situation, policy: Policy) -> Action:
        told = decide(situation, policy)
        if isinstance(told, Reuse):
            return told
        if asked.force and situation.validity is not None:
            return Reuse(reason=f"by force, although: {told.reason}")
        reason = f"state {situation.state.label} before state {asked.first} cannot be reused: {told.reason}"
        return Stop(reason=reason, resumable=True, exit_code=Refused.exit_code)

    return narrow
