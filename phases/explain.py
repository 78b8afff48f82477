"""Says of every rule whether it speaks for a failure, and why not: what a person asks before trusting a policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.core.policy import among, known
from toolkit.core.values import Value

if TYPE_CHECKING:
    from toolkit.core.pipeline import StateConfig
    from toolkit.core.policy import Policy, RetryRule
    from toolkit.core.situation import Diagnosis


class Considered(Value):
    """A rule, or the state's strategy, and what it has to say about a failure."""

    id: str
    speaks: bool
    """The first that speaks decides; later ones are not asked."""
    why: str


def explain(policy: Policy, state: StateConfig, failure: Diagnosis) -> tuple[Considered, ...]:
    """Go through a policy in its order; the state's strategy, where it has one, comes last."""
    rules = tuple(
        Considered(id=rule.id, speaks=rule.speaks_for(state.code, failure), why=_why(rule, state, failure))
        for rule in policy.rules
    )
    strategy = policy.strategy_of(state)
    if strategy is None:
        return rules
    rule = strategy.rule_for(failure)
    if rule is None:
        why = f"retries {_words(strategy.on)}, not {failure.failure_class}"
    elif rule.action == "retry":
        why = f"retries {_words(strategy.on)}"
    else:
        why = f"leaves {failure.failure_class} to a person"
    return (*rules, Considered(id=strategy.id, speaks=rule is not None, why=why))


def _why(rule: RetryRule, state: StateConfig, failure: Diagnosis) -> str:
    if rule.states is not None and state.code not in rule.states:
        return f"is about states {rule.states}"
    if rule.signatures and failure.signature not in rule.signatures:
        return f"is about {_words(rule.signatures)}"
    if rule.on and not among(rule.on, failure):
        return f"is about {_words(rule.on)}, not {failure.failure_class}"
    if not rule.on and not rule.signatures:
        return "names no failure"
    if rule.action == "retry" and not rule.signatures and not known(rule.on, failure):
        return f"{failure.failure_class} is retried only by its own name"
    doing = {"retry": "retries", "hold": "holds", "start-over": "starts over from"}[rule.action]
    return f"{doing} {_words(rule.signatures or rule.on)}"


def _words(words: tuple[str, ...]) -> str:
    return ", ".join(words) or "nothing"
