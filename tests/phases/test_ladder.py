"""The phases form a ladder: each rung does what the one below does, and one thing more."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from phases import PHASES, phase
from phases.full_resume import full_resume
from phases.selective_retry import selective_retry
from phases.shadow import shadow
from phases.track_only import track_only
from tests.phases.situations import beginnings, diagnoses, failures, policies, rule_of, rules, situations
from toolkit.core.action import Hold, Retry, Reuse, Run, StartOver, Stop, Wait
from toolkit.core.pipeline import StateConfig
from toolkit.core.policy import MOST_ATTEMPTS, Budget, Policy, RetryRule
from toolkit.core.situation import Diagnosis, Situation

ROUNDING = 1.000001


@given(beginnings, policies)
def test_track_only_runs_each_state(situation: Situation, policy: Policy) -> None:
    """Phase 1 runs every state."""
    assert isinstance(track_only(situation, policy), Run)


@given(failures, policies)
def test_track_only_lets_failures_through(situation: Situation, policy: Policy) -> None:
    """Phase 1 does nothing about a failure."""
    assert isinstance(track_only(situation, policy), Stop)


@given(beginnings, policies)
def test_retry_never_skips_a_state(situation: Situation, policy: Policy) -> None:
    """Phase 2 runs every state, as phase 1 does."""
    assert isinstance(selective_retry(situation, policy), Run)


@given(failures, policies)
def test_resume_runs_exactly_when_retry_does(situation: Situation, policy: Policy) -> None:
    """Phase 3 changes where a build restarts, never whether."""
    resumed, retried = full_resume(situation, policy), selective_retry(situation, policy)

    if isinstance(retried, StartOver):
        assert isinstance(resumed, Stop | StartOver)
    else:
        assert resumed == retried


@given(failures, policies)
def test_resume_never_resumes_what_it_cannot_trust(situation: Situation, policy: Policy) -> None:
    """A build whose record may have holes, or that may not be resumed, starts over."""
    distrusted = situation.degraded or situation.resume == "never"

    assert not (distrusted and isinstance(full_resume(situation, policy), Stop))


@given(beginnings, policies)
def test_resume_reuses_only_what_still_holds(situation: Situation, policy: Policy) -> None:
    """A state is skipped only when it completed, still holds, and nothing before it ran again."""
    if isinstance(full_resume(situation, policy), Reuse):
        assert situation.validity is not None
        assert situation.validity.ok
        assert situation.ran_again is None
        assert not situation.degraded
        assert "never" not in {situation.resume, situation.state.resume}


@given(situations, policies, st.sampled_from(PHASES))
def test_every_decision_has_its_reason(situation: Situation, policy: Policy, name: str) -> None:
    """Whatever is decided, a person can read why; and the same situation is decided the same way again."""
    action = phase(name)(situation, policy)

    assert action.reason
    assert phase(name)(situation, policy) == action


@given(failures, policies)
def test_no_rule_no_retry(situation: Situation, policy: Policy) -> None:
    """Only a rule retries, and only one that speaks for this failure."""
    action = selective_retry(situation, policy)

    if isinstance(action, Retry | Wait):
        rule = rule_of(situation, policy)
        assert (rule.id, rule.action) == (action.rule, "retry")


@given(failures, policies)
def test_unknown_is_not_worth_a_retry(situation: Situation, policy: Policy) -> None:
    """What nobody understood is retried only where a person wrote its class or its signature down."""
    situation = situation.but(failure=Diagnosis(failure_class="unknown", signature="tmpl.4f1c"))

    if isinstance(selective_retry(situation, policy), Retry):
        rule = rule_of(situation, policy)
        assert "unknown" in rule.on or "tmpl.4f1c" in rule.signatures


@given(failures, policies)
def test_no_retry_exceeds_the_policy(situation: Situation, policy: Policy) -> None:
    """Attempts, budgets and times of the policy bound every retry, and so does the ceiling above any policy."""
    action = selective_retry(situation, policy)

    if isinstance(action, Retry):
        rule = rule_of(situation, policy)
        assert situation.failures < min(rule.max_attempts, MOST_ATTEMPTS)
        assert situation.build_failures < min(policy.budget.attempts_per_build, MOST_ATTEMPTS)
        assert situation.build_minutes < policy.budget.minutes_per_build
        assert situation.breaker != "open"
        assert not situation.forbidden
        if rule.max_elapsed is not None:
            assert situation.elapsed_seconds + action.pause.drawn(1.0) <= rule.max_elapsed * ROUNDING


@given(failures, policies, st.floats(0, 1))
def test_a_pause_honours_the_server_and_the_cap(situation: Situation, policy: Policy, chance: float) -> None:
    """Nobody comes back before the server said, nor waits longer than the rule on top of it."""
    action = selective_retry(situation, policy)

    if isinstance(action, Retry):
        asked = (situation.failure.retry_after if situation.failure else None) or 0.0
        most = asked + rule_of(situation, policy).max_wait
        assert asked / ROUNDING <= action.pause.drawn(chance) <= most * ROUNDING


@given(diagnoses, rules, st.integers(1, 1000))
def test_a_build_that_always_fails_ends(failure: Diagnosis, rule: RetryRule, budget: int) -> None:
    """However generous the policy, a state that keeps failing is left alone."""
    policy = Policy(rules=(rule,), budget=Budget(attempts_per_build=budget, minutes_per_build=1e9))
    situation = Situation(state=StateConfig(code=5), failure=failure, build_failures=1)
    attempts = 1
    while isinstance(selective_retry(situation, policy), Retry):
        situation = situation.but(earlier=(*situation.earlier, failure), build_failures=situation.build_failures + 1)
        attempts += 1

    assert attempts <= min(rule.max_attempts, max(budget, 1), MOST_ATTEMPTS)
    assert isinstance(selective_retry(situation, policy), StartOver | Hold)


@given(diagnoses, policies)
def test_twice_the_same_is_enough(failure: Diagnosis, policy: Policy) -> None:
    """An uncertain failure that comes back unchanged is not retried again, whatever the policy says."""
    twice = Situation(state=StateConfig(code=5, strategy="own"), failure=failure, earlier=(failure,), build_failures=2)

    if failure.group != "transient":
        assert not isinstance(selective_retry(twice, policy), Retry)


@given(situations, policies, st.sampled_from(PHASES))
def test_shadows_are_what_the_others_would_have_done(situation: Situation, policy: Policy, name: str) -> None:
    """A shadow decision comes from the very function that would have decided."""
    shadows = shadow(situation, policy, besides=name)

    assert set(shadows) == set(PHASES) - {name}
    for other, told in shadows.items():
        action = phase(other)(situation, policy)
        expected = {"action": action.name, "reason": action.reason, "rule": action.rule}
        assert {key: told[key] for key in expected} == expected
        assert action != phase(name)(situation, policy) or told["gain_seconds"] == 0.0


def test_a_shadow_says_what_it_would_gain() -> None:
    """The gain is what the recommended rule was expected to save against what was decided; null where nobody knows."""
    failure = Diagnosis(failure_class="network", signature="net.timeout")
    situation = Situation(state=StateConfig(code=5, strategy="expensive"), failure=failure, build_failures=1)
    learned = RetryRule(id="learned.5.1", on=("network",), saves=412.0)

    assert shadow(situation, Policy(rules=(learned,)), "track-only")["selective-retry"]["gain_seconds"] == 412.0
    assert shadow(situation, Policy(rules=(learned,)), "selective-retry")["track-only"]["gain_seconds"] == -412.0
    assert shadow(situation, Policy(rules=(learned,)), "selective-retry")["full-resume"]["gain_seconds"] == 0.0
    assert shadow(situation, Policy(), "track-only")["selective-retry"]["gain_seconds"] is None
