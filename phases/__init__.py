"""The phases decide: a situation and a policy give an action."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from toolkit.core.phase import PHASES, PhaseName, canonical

if TYPE_CHECKING:
    from toolkit.core.action import Action
    from toolkit.core.policy import Policy
    from toolkit.core.situation import Situation

Decide = Callable[["Situation", "Policy"], "Action"]

__all__ = ["PHASES", "Decide", "PhaseName", "canonical", "phase"]


def phase(name: str) -> Decide:
    """Give the decision function of a phase, by its name or another word for it; ValueError for a word that is none."""
    known = canonical(name)
    if known == "track-only":
        from phases.track_only import track_only

        return track_only
    if known == "selective-retry":
        from phases.selective_retry import selective_retry

        return selective_retry
    return _everywhere_full_resume


def _everywhere_full_resume(situation: Situation, policy: Policy) -> Action:
    """In this phase every state has a strategy: where the project names none, that of its kind."""
    from phases.full_resume import full_resume

    return full_resume(situation, policy.but(every_state=True))
