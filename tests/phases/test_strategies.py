"""The built-in strategies do what the design asks of them, word for word."""

from __future__ import annotations

import pytest

from phases import phase
from phases.selective_retry import selective_retry
from tests.histories import completes, fails, holds, releases, restarts, waits
from tests.phases.situations import after
from toolkit.core.action import Action, Hold, Retry, StartOver, Stop, Wait
from toolkit.core.pipeline import StateConfig
from toolkit.core.policy import BUILT_IN, Policy, RetryRule
from toolkit.core.situation import Diagnosis, Situation

KICKSTART = StateConfig(code=5, name="kickstart", strategy="expensive")
ANSIBLE = StateConfig(code=20, name="base", strategy="quick")
TESTS = StateConfig(code=70, name="smoke tests", strategy="manual")
BARE = StateConfig(code=40, name="agents")
LEFT = StateConfig(code=45, name="cleanup", strategy="none")


def decided(state: StateConfig, failure_class: str, name: str = "selective-retry") -> type[Action]:
    """Give the kind of action after a state's first failure."""
    failure = Diagnosis(failure_class=failure_class, signature=f"{failure_class}.some")
    return type(phase(name)(Situation(state=state, failure=failure, build_failures=1), Policy()))


@pytest.mark.parametrize(
    ("words", "failure_class", "kickstart", "ansible", "tests"),
    [
        ("network time-outs retry by themselves", "network", Retry, Retry, Hold),
        ("rate limits retry by themselves", "rate_limited", Retry, Retry, Hold),
        ("a service without capacity: scarce, retries", "unavailable", Retry, Retry, Hold),
        ("a lock or port that others hold: scarce, retries", "contention", Retry, Retry, Hold),
        ("a host that went away retries", "infrastructure", Retry, Retry, Hold),
        ("disk and memory are scarce: retried where that costs little", "resource", StartOver, Retry, Hold),
        ("left-overs: a playbook may be played on them", "dirty", StartOver, Retry, Hold),
        ("configuration errors wait for a person", "config", Hold, Hold, Hold),
        ("missing dependencies wait for a person", "dependency", Hold, Hold, Hold),
        ("authentication waits for a person", "auth", Hold, Hold, Hold),
        ("failed tests wait for a person", "test", Hold, Hold, Hold),
        ("what was killed starts over", "killed", StartOver, StartOver, Hold),
        ("a time-out of ours starts over", "timeout", StartOver, StartOver, Hold),
        ("a hang starts over", "stall", StartOver, StartOver, Hold),
        ("what nobody understood starts over", "unknown", StartOver, StartOver, Hold),
    ],
)
def test_design(words: str, failure_class: str, kickstart: type, ansible: type, tests: type) -> None:
    """Each class of failure, in each kind of state, gets what the design says about it."""
    assert (decided(KICKSTART, failure_class), decided(ANSIBLE, failure_class), decided(TESTS, failure_class)) == (
        kickstart,
        ansible,
        tests,
    ), words


@pytest.mark.parametrize("failure_class", ["network", "auth", "unknown"])
def test_without_a_strategy_all_is_as_before(failure_class: str) -> None:
    """A state that names no strategy starts over under selective-retry, and so does one that wants none."""
    assert decided(BARE, failure_class) is StartOver
    assert decided(LEFT, failure_class) is StartOver


def test_every_state_has_a_strategy_under_full_resume() -> None:
    """Under full-resume a state without a strategy gets that of its kind; `none` stays none and can be resumed."""
    assert decided(BARE, "network", "full-resume") is Retry
    assert decided(StateConfig(code=75), "network", "full-resume") is Hold
    assert decided(LEFT, "network", "full-resume") is Stop


def test_kickstart_backs_off_and_tries_three_times() -> None:
    """Kickstart: exponential backoff with jitter, at most three attempts, then a start-over."""
    policy = Policy()
    first = selective_retry(after(fails(5, "net.timeout"), state=KICKSTART), policy)
    second = selective_retry(after(fails(5, "net.timeout"), fails(5, "net.timeout"), state=KICKSTART), policy)
    third = selective_retry(after(*[fails(5, "net.timeout")] * 3, state=KICKSTART), policy)

    assert isinstance(first, Retry)
    assert isinstance(second, Retry)
    assert (first.wait_seconds, second.wait_seconds) == (30.0, 60.0)
    assert first.pause.least == second.pause.least == 0.0
    assert third == StartOver(
        reason="3 attempts of state 5 failed, the most that strategy.expensive allows", rule="strategy.expensive"
    )


def test_ansible_is_played_again_soon() -> None:
    """Ansible: a quick retry, with another playbook run if one is configured."""
    limited = BUILT_IN["quick"].but(command="ansible-playbook site.yml --limit @failed")
    policy = Policy(strategies={**BUILT_IN, "quick": limited})
    action = selective_retry(after(completes(5), fails(20, "net.timeout"), state=ANSIBLE), policy)

    assert isinstance(action, Retry)
    assert action.wait_seconds <= 5
    assert action.command == "ansible-playbook site.yml --limit @failed"


def test_a_restart_resets_no_counter() -> None:
    """Three attempts are three attempts, whoever started the build over in between."""
    situation = after(
        fails(5, "net.timeout"), restarts(), fails(5, "net.timeout"), restarts(), fails(5, "net.timeout"),
        state=KICKSTART,
    )  # fmt: skip

    assert isinstance(selective_retry(situation, Policy()), StartOver)


def test_a_person_gives_a_new_allowance() -> None:
    """Who releases a held build after mending something gets all attempts again."""
    spent = [fails(5, "net.timeout")] * 3
    situation = after(*spent, holds(5), releases(), restarts("resume"), fails(5, "net.timeout"), state=KICKSTART)

    assert isinstance(selective_retry(situation, Policy()), Retry)


def test_the_same_again_ends_an_uncertain_failure() -> None:
    """A full disk that is full again is not tried a third time; a network that is down again is."""
    quick = Policy(strategies={**BUILT_IN, "quick": BUILT_IN["quick"].but(max_attempts=9)})
    full = [fails(20, "disk.full", failure_class="resource")] * 2
    away = [fails(20, "net.timeout", failure_class="network")] * 2

    assert isinstance(selective_retry(after(*full, state=ANSIBLE), quick), StartOver)
    assert isinstance(selective_retry(after(*away, state=ANSIBLE), quick), Retry)


def test_different_uncertain_failures_go_on() -> None:
    """Only the same signature in a row ends the retries of an uncertain class."""
    first, second = fails(20, "disk.full", failure_class="resource"), fails(20, "ram.full", failure_class="resource")

    assert isinstance(selective_retry(after(first, second, state=ANSIBLE), Policy()), Retry)


def test_what_a_server_asks_for_is_honoured() -> None:
    """A Retry-After is waited for in full, with the jitter on top; beyond max_elapsed nobody waits."""
    limited = Diagnosis(failure_class="rate_limited", signature="http.429", retry_after=120.0)
    situation = Situation(state=KICKSTART, failure=limited, build_failures=1)
    action = selective_retry(situation, Policy())
    too_long = situation.but(failure=limited.but(retry_after=3 * 3600.0))

    assert isinstance(action, Retry)
    assert (action.pause.least, action.pause.most) == (120.0, 150.0)
    assert selective_retry(too_long, Policy()) == StartOver(
        reason="strategy.expensive tries for no longer than 2h", rule="strategy.expensive"
    )


def test_time_is_a_budget_too() -> None:
    """Failing slowly spends what failing often does not."""
    policy = Policy()
    slow = after(fails(5, "net.timeout"), waits(4 * 3600), fails(5, "net.timeout"), state=KICKSTART)
    long = Situation(state=KICKSTART, failure=slow.failure, build_failures=1, build_minutes=240.0)
    many = Situation(state=KICKSTART, failure=slow.failure, build_failures=12)

    assert [selective_retry(each, policy).reason for each in (slow, long, many)] == [
        "the build's time budget is spent: 4h 2m",
        "the build's time budget is spent: 4h",
        "12 attempts of this build failed, the most that its budget allows",
    ]


def test_a_failed_reset_forbids_the_retry() -> None:
    """What could not be reset is not retried in place, and the reason is the reset's."""
    situation = Situation(
        state=KICKSTART,
        failure=Diagnosis(failure_class="network", signature="net.timeout"),
        forbidden="its reset failed with exit code 1",
    )

    assert selective_retry(situation, Policy()) == StartOver(
        reason="its reset failed with exit code 1", rule="strategy.expensive"
    )


def test_the_breaker_lets_one_try() -> None:
    """When many builds fail alike, all wait but the one that probes."""
    failure = Diagnosis(failure_class="network", signature="net.timeout")
    situation = Situation(state=KICKSTART, failure=failure, build_failures=1, breaker="open")
    waiting = selective_retry(situation, Policy())

    assert isinstance(waiting, Wait)
    assert waiting.pause.least > 0
    assert waiting.reason == "many builds fail with net.timeout: waiting while one of them tries"
    assert isinstance(selective_retry(situation.but(breaker="probe"), Policy()), Retry)


def test_rules_come_before_strategies() -> None:
    """A recommended rule has the say before the state's strategy, and its words are those a person reads."""
    rule = RetryRule(id="r5", on=("network",), signatures=("net.timeout",), action="hold")
    situation = after(fails(5, "net.timeout"), state=KICKSTART)

    assert selective_retry(situation, Policy(rules=(rule,))) == Hold(
        reason="net.timeout in state 5 calls for a person: r5", rule="r5"
    )
