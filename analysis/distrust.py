"""Advice that a clean build has spoken against: a retry of what it disagreed with is not recommended."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from analysis.recommendation import Recommendation, RuleAdvice, StateAdvice
    from toolkit.core.events import CleanVerified


def distrusted(advice: Recommendation, taints: Iterable[CleanVerified]) -> Recommendation:
    """Leave out the retries of failures after which a clean rebuild disagreed, and say so."""
    told = tuple(taints)
    if not told:
        return advice
    return advice.model_copy(update={"states": tuple(_state(each, told) for each in advice.states)})


def _state(state: StateAdvice, taints: tuple[CleanVerified, ...]) -> StateAdvice:
    for taint in taints:
        failed = {
            word
            for code, signature, kind in zip(taint.states, taint.failures, taint.classes, strict=True)
            for word in (signature, kind)
            if code == str(state.code)
        }
        kept = tuple(rule for rule in state.rules if not _retries(rule, failed))
        if kept != state.rules:
            what = f"its clean rebuild {taint.by_build} disagrees ({taint.reason})"
            why = f"no retry: {taint.of} was helped by one, and {what}"
            action = kept[0].action if kept else "hold"
            state = state.model_copy(update={"rules": kept, "action": action, "why": why})
    return state


def _retries(rule: RuleAdvice, failed: set[str]) -> bool:
    return rule.action == "retry" and bool(failed & {*rule.on, *rule.signatures})
