"""What bounds every retry: attempts, budgets, waits, and the breaker; no policy gets around any of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from toolkit.core.action import Pause
from toolkit.core.moments import duration_text
from toolkit.core.policy import MOST_ATTEMPTS, MOST_MINUTES
from toolkit.core.words import how_many

if TYPE_CHECKING:
    from toolkit.core.policy import Budget, RetryRule
    from toolkit.core.situation import Breaker, Situation

BREAKER_WINDOW_SECONDS: Final = 3600
"""Builds that failed alike within so long count together."""

BREAKER_PAUSE: Final = Pause(least=30.0, most=90.0)
"""While the breaker is open, builds ask again after this; not all in the same second."""

_LARGEST_EXPONENT: Final = 64
"""Waits stop growing here at the latest, long before a float would overflow."""


def spent(situation: Situation, rule: RetryRule, budget: Budget) -> str:
    """Say why there is no further retry under a rule; empty when there may be one."""
    failure = situation.failure
    if failure is None:
        return ""
    if situation.forbidden:
        return situation.forbidden
    if situation.failures >= min(rule.max_attempts, MOST_ATTEMPTS):
        tried = f"{how_many(situation.failures, 'attempt')} of state {situation.state.code}"
        return f"{tried} failed, the most that {rule.id} allows"
    if failure.group != "transient" and situation.earlier and situation.earlier[-1].signature == failure.signature:
        return f"{failure.signature} came twice in a row, so another attempt would not help"
    if situation.build_failures >= min(budget.attempts_per_build, MOST_ATTEMPTS):
        return f"{how_many(situation.build_failures, 'attempt')} of this build failed, the most that its budget allows"
    least = pause(situation, rule).least
    if situation.build_minutes + least / 60 >= min(budget.minutes_per_build, MOST_MINUTES):
        return f"the build's time budget is spent: {duration_text(situation.build_minutes * 60)}"
    if rule.max_elapsed is not None and situation.elapsed_seconds + least >= rule.max_elapsed:
        return f"{rule.id} tries for no longer than {duration_text(rule.max_elapsed)}"
    return ""


def pause(situation: Situation, rule: RetryRule) -> Pause:
    """Give the wait before the next attempt: growing, capped, with full jitter, and what a server asked for."""
    grown = rule.wait * rule.factor ** min(max(situation.failures - 1, 0), _LARGEST_EXPONENT)
    wait = min(grown, rule.max_wait)
    asked = (situation.failure.retry_after if situation.failure else None) or 0.0
    if not rule.jitter:
        return Pause(least=max(asked, wait), most=max(asked, wait))
    most = asked + wait
    if rule.max_elapsed is not None:
        most = max(asked, min(most, rule.max_elapsed - situation.elapsed_seconds))
    return Pause(least=asked, most=most)


def breaker(failed_builds: int, budget: Budget, *, probing: bool) -> Breaker:
    """Tell whether a signature's retries wait, given how many builds it failed within the window.

    `probing` tells whether another build is already trying; if none is, this one does.
    """
    if budget.breaker == 0 or failed_builds < budget.breaker:
        return "closed"
    return "open" if probing else "probe"
