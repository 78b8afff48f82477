"""Before trusting a policy, a person can ask of each rule whether it speaks for a failure, and why not."""

from __future__ import annotations

from hypothesis import given

from phases.explain import Considered, explain
from tests.phases.situations import diagnoses, policies, states
from toolkit.core.codes import parse_codes
from toolkit.core.pipeline import StateConfig
from toolkit.core.policy import Policy, RetryRule
from toolkit.core.situation import Diagnosis

RULES = (
    RetryRule(id="late", states=parse_codes("10-65"), on=("network",)),
    RetryRule(id="named", on=("network",), signatures=("net.reset",)),
    RetryRule(id="people", on=("auth",), action="hold"),
    RetryRule(id="broad", on=("transient",)),
    RetryRule(id="empty"),
)


def test_each_rule_says_why() -> None:
    """Rules that do not speak say what they are about; the one that does says what it does."""
    state = StateConfig(code=5, strategy="quick")

    assert explain(Policy(rules=RULES), state, Diagnosis(failure_class="network", signature="net.timeout")) == (
        Considered(id="late", speaks=False, why="is about states 10-65"),
        Considered(id="named", speaks=False, why="is about net.reset"),
        Considered(id="people", speaks=False, why="is about auth, not network"),
        Considered(id="broad", speaks=True, why="retries transient"),
        Considered(id="empty", speaks=False, why="names no failure"),
        Considered(id="strategy.quick", speaks=True, why="retries transient, resource, dirty"),
    )


def test_the_strategy_says_why() -> None:
    """A strategy leaves some failures to a person and has nothing to say of others."""
    state = StateConfig(code=5, strategy="expensive")

    assert [explain(Policy(), state, Diagnosis(failure_class=name))[0].why for name in ("auth", "resource")] == [
        "leaves auth to a person",
        "retries transient, not resource",
    ]
    assert explain(Policy(), StateConfig(code=5), Diagnosis()) == ()


def test_the_unknown_has_to_be_named() -> None:
    """A rule for a group says that it does not speak for what nobody understood."""
    rule = RetryRule(id="group", on=("uncertain",))

    assert explain(Policy(rules=(rule,)), StateConfig(code=5), Diagnosis())[0] == Considered(
        id="group", speaks=False, why="unknown is retried only by its own name"
    )


@given(policies, states, diagnoses)
def test_the_explanation_is_the_decision(policy: Policy, state: StateConfig, failure: Diagnosis) -> None:
    """The first that speaks in the explanation is the rule that would decide."""
    speaking = [each.id for each in explain(policy, state, failure) if each.speaks]
    rule = policy.rule_for(state, failure)

    assert (speaking[0] if speaking else None) == (rule.id if rule is not None else None)
