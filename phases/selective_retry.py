"""Phase 2: retry in place what is worth it, hold what needs a person, start over from everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phases.limits import BREAKER_PAUSE, pause, spent
from toolkit.core.action import Retry, Run, StartOver, Wait

if TYPE_CHECKING:
    from toolkit.core.action import Action
    from toolkit.core.policy import Policy
    from toolkit.core.situation import Situation


def selective_retry(situation: Situation, policy: Policy) -> Action:
    failure = situation.failure
    if failure is None:
        return Run(reason="selective-retry runs every state")
    rule = policy.rule_for(situation.state, failure)
    if rule is None:
        bare = "" if policy.strategy_of(situation.state) else ", which has no strategy"
        return StartOver(reason=f"no rule retries {failure.signature} in state {situation.state.code}{bare}")
    if rule.action != "retry":
        wanted = "a person" if rule.action == "hold" else "a new start"
        return rule.afterwards(f"{failure.signature} in state {situation.state.code} calls for {wanted}: {rule.id}")
    if limit := spent(situation, rule, policy.budget):
        return rule.afterwards(limit)
    if situation.breaker == "open":
        reason = f"many builds fail with {failure.signature}: waiting while one of them tries"
        return Wait(reason=reason, rule=rule.id, pause=BREAKER_PAUSE)
    return Retry(
        reason=f"{failure.signature} is worth another attempt: {rule.id}",
        rule=rule.id,
        pause=pause(situation, rule),
        command=rule.command,
    )
