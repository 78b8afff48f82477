"""What the other phases would have done: recorded with every decision, and scored later by what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from phases import PHASES, phase

if TYPE_CHECKING:
    from toolkit.core.policy import Policy
    from toolkit.core.situation import Situation


def shadow(situation: Situation, policy: Policy, besides: str) -> dict[str, dict[str, Any]]:
    """Give the decision of every phase but the one that decided: phase -> action, reason, rule."""
    decisions = {name: phase(name)(situation, policy) for name in PHASES if name != besides}
    return {
        name: {"action": action.name, "reason": action.reason, "rule": action.rule}
        for name, action in decisions.items()
    }
