"""Phase 1: every state runs once in a run, every failure passes through; the toolkit only remembers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.core.action import Run, Stop

if TYPE_CHECKING:
    from toolkit.core.action import Action
    from toolkit.core.policy import Policy
    from toolkit.core.situation import Situation


def track_only(situation: Situation, policy: Policy) -> Action:  # noqa: ARG001 - it decides as if there were no policy
    if situation.failed:
        return Stop(reason="track-only lets every failure through, as it would be without us")
    return Run(reason="track-only runs every state")
