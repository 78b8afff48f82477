"""What the other phases would have done: recorded with every decision, and scored later by what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from phases import PHASES, phase
from toolkit.core.action import Retry, StartOver, Stop

if TYPE_CHECKING:
    from toolkit.core.action import Action
    from toolkit.core.policy import Policy
    from toolkit.core.situation import Situation


def shadow(situation: Situation, policy: Policy, besides: str) -> dict[str, dict[str, Any]]:
    """Give the decision of every phase but the one that decided: phase -> action, reason, rule, expected gain."""
    decided = phase(besides)(situation, policy)
    decisions = {name: phase(name)(situation, policy) for name in PHASES if name != besides}
    return {
        name: {
            "action": action.name, "reason": action.reason, "rule": action.rule,
            "gain_seconds": _gain(action, decided, policy),
        }
        for name, action in decisions.items()
    }  # fmt: skip


def _gain(action: Action, decided: Action, policy: Policy) -> float | None:
    """Give the seconds that an action is expected to save beyond the one decided; None where nothing is known of it."""
    if action.name == decided.name and action.rule == decided.rule:
        return 0.0
    ours, theirs = _worth(action, policy), _worth(decided, policy)
    return None if ours is None or theirs is None else round(ours - theirs, 1)


def _worth(action: Action, policy: Policy) -> float | None:
    """Give what an action saves against starting over, as far as a recommendation has said so."""
    if isinstance(action, StartOver) or (isinstance(action, Stop) and not action.resumable):
        return 0.0
    if not isinstance(action, Retry):
        return None
    return next((rule.saves for rule in policy.rules if rule.id == action.rule), None)
