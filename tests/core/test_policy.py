"""Rules speak for exactly the failures that they name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.core.action import Hold, Pause, StartOver
from toolkit.core.classes import CLASSES, GROUP_OF
from toolkit.core.codes import parse_codes
from toolkit.core.pipeline import StateConfig
from toolkit.core.policy import BUILT_IN, Policy, RetryRule, Strategy, strategy_by_kind
from toolkit.core.situation import Diagnosis

NETWORK = Diagnosis(failure_class="network", signature="net.timeout")
UNKNOWN = Diagnosis(failure_class="unknown", signature="tmpl.c0ffee")
KICKSTART = StateConfig(code=5, name="kickstart", strategy="expensive")


def failing(failure_class: str, signature: str = "some.rule") -> Diagnosis:
    return Diagnosis(failure_class=failure_class, signature=signature)


def test_first_match_wins() -> None:
    """Rules are asked in their order, and before the state's strategy."""
    first = RetryRule(id="first", on=("network",), max_attempts=2)
    second = RetryRule(id="second", on=("transient",))
    policy = Policy(rules=(first, second))

    assert policy.rule_for(KICKSTART, NETWORK) == first
    assert policy.rule_for(KICKSTART, failing("contention")) == second
    assert Policy().rule_for(KICKSTART, NETWORK) == RetryRule(id="strategy.expensive", on=("transient",))


@given(st.sampled_from(CLASSES))
def test_no_condition_means_nothing(failure_class: str) -> None:
    """A rule that names no class and no signature speaks for nothing, and neither does a strategy."""
    assert not RetryRule(id="empty").speaks_for(5, failing(failure_class))
    assert Strategy(name="empty", hold=()).rule_for(failing(failure_class)) is None
    assert Policy().rule_for(StateConfig(code=5), failing(failure_class)) is None


@given(st.sampled_from(CLASSES))
def test_a_group_stands_for_its_classes_alone(failure_class: str) -> None:
    """`transient` never covers a persistent class, nor any group another group's class."""
    for group in ("transient", "persistent"):
        rule = RetryRule(id="group", on=(group,))

        assert rule.speaks_for(5, failing(failure_class)) == (GROUP_OF[failure_class] == group)


def test_unknown_is_retried_only_by_name() -> None:
    """What nobody understood is not retried because `uncertain` is: its class or signature has to be written down."""
    assert not RetryRule(id="r", on=("uncertain",)).speaks_for(5, UNKNOWN)
    assert RetryRule(id="r", on=("unknown",)).speaks_for(5, UNKNOWN)
    assert RetryRule(id="r", signatures=("tmpl.c0ffee",)).speaks_for(5, UNKNOWN)
    assert Strategy(name="s", on=("uncertain",)).rule_for(UNKNOWN) is None
    assert RetryRule(id="r", on=("uncertain",), action="hold").speaks_for(5, UNKNOWN)


def test_a_class_from_the_future_is_not_retried() -> None:
    """A class that a newer version recorded counts as uncertain, and nothing retries it."""
    strange = failing("cosmic_rays")

    assert strange.group == "uncertain"
    assert not RetryRule(id="r", on=("uncertain", "transient")).speaks_for(5, strange)


def test_states_and_signatures_narrow_a_rule() -> None:
    """A rule with states or signatures speaks for these alone."""
    rule = RetryRule(id="r", on=("network",), signatures=("net.timeout",), states=parse_codes("5,10-65"))

    assert rule.speaks_for(65, NETWORK)
    assert not rule.speaks_for(70, NETWORK)
    assert not rule.speaks_for(5, failing("network", "net.reset"))
    assert not rule.speaks_for(5, failing("unavailable", "net.timeout"))


def test_afterwards() -> None:
    """When no retry is left, the rule says whether the build starts over or waits for a person."""
    assert RetryRule(id="r").afterwards("spent") == StartOver(reason="spent", rule="r")
    assert RetryRule(id="r", then="hold").afterwards("spent") == Hold(reason="spent", rule="r")
    assert RetryRule(id="r", action="hold").afterwards("so it says") == Hold(reason="so it says", rule="r")
    assert RetryRule(id="r", action="start-over", then="hold").afterwards("no") == StartOver(reason="no", rule="r")


@pytest.mark.parametrize(
    ("code", "name", "strategy"),
    [
        (5, None, "expensive"),
        (5, "kickstart", "expensive"),
        (20, "base", "quick"),
        (40, "install_agent", "expensive"),
        (12, "Ansible: base", "quick"),
        (70, "boot", "manual"),
        (30, "smoke-tests", "manual"),
        (0, "prepare", "expensive"),
        (100, "publish", "expensive"),
    ],
)
def test_strategy_by_kind(code: int, name: str | None, strategy: str) -> None:
    """Where every state has a strategy, its name tells which, then its place in the design, then caution."""
    assert strategy_by_kind(code, name) == strategy
    assert Policy(every_state=True).strategy_of(StateConfig(code=code, name=name)) == BUILT_IN[strategy]
    assert Policy().strategy_of(StateConfig(code=code, name=name)) is None


def test_a_state_may_refuse_every_strategy() -> None:
    """`none` stays none, also where every state gets a strategy."""
    state = StateConfig(code=5, strategy="none")

    assert Policy(every_state=True).rule_for(state, NETWORK) is None
    assert Policy(every_state=True).rule_for(state, failing("auth")) is None


@given(st.floats(0, 1), st.floats(0, 100), st.floats(0, 100))
def test_chance_stays_within_a_pause(chance: float, least: float, more: float) -> None:
    """Whatever chance says, a pause is at least as long as it has to be and no longer than it may be."""
    pause = Pause(least=least, most=least + more)

    assert least <= pause.drawn(chance) <= pause.most * 1.000001
