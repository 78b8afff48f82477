"""Phase 3: retries as phase 2 does; what is not retried stays at its failed state, and the next run goes on there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phases.selective_retry import selective_retry
from toolkit.core.action import Reuse, Run, StartOver, Stop

if TYPE_CHECKING:
    from toolkit.core.action import Action
    from toolkit.core.policy import Policy
    from toolkit.core.situation import Situation


def full_resume(situation: Situation, policy: Policy) -> Action:
    if not situation.failed:
        return _starting_point(situation)
    action = selective_retry(situation, policy)
    if isinstance(action, StartOver) and not _distrusted(situation):
        reason = f"{action.reason}; the build stays at state {situation.state.code}, to be resumed"
        return Stop(reason=reason, rule=action.rule, resumable=True)
    return action


def _starting_point(situation: Situation) -> Action:
    validity = situation.validity
    if validity is None:
        return Run(reason="it has not completed in this build")
    if distrust := _distrusted(situation):
        return Run(reason=distrust)
    if situation.state.resume == "never":
        return Run(reason="its `resume` is never")
    if situation.ran_again is not None:
        return Run(reason=f"state {situation.ran_again} before it ran again")
    if not validity.ok:
        return Run(reason=validity.why)
    return Reuse(reason=validity.why)


def _distrusted(situation: Situation) -> str:
    """Say why this build may not go on where it stopped; empty when it may."""
    if situation.resume == "never":
        return "this build always runs from its first state on"
    if situation.degraded:
        return "the record of this build may have holes"
    return ""
