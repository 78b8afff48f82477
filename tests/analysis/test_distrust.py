"""A retry that a clean rebuild spoke against is not recommended."""

from __future__ import annotations

from analysis.distrust import distrusted
from analysis.recommendation import Evidence, Interval, Recommendation, RuleAdvice, Saving, StateAdvice, Unclassified
from toolkit.core.events import PROJECT, CleanVerified

NOTHING = Interval(mean=0.5, low=0.4, high=0.6)
SAVES = Saving.model_construct(hours_per_100_builds=NOTHING)


def rule(*signatures: str, action: str = "retry") -> RuleAdvice:
    return RuleAdvice.model_construct(on=(), signatures=signatures, action=action, why="evidence")


def advice(*rules: RuleAdvice) -> Recommendation:
    state = StateAdvice.model_construct(
        code=5, name="kickstart", action=rules[0].action, confidence=0.9, why="evidence",
        evidence=Evidence.model_construct(attempts=9), rules=rules, saves=SAVES,
    )  # fmt: skip
    return Recommendation.model_construct(
        pipeline="image", builds=9, since=None, until=None, states=(state,),
        unclassified=Unclassified(failures=0, share=0.0),
    )  # fmt: skip


def taint(signature: str, state: str = "5") -> CleanVerified:
    return CleanVerified(
        build=PROJECT, ts_ms=0, of="b-0001", by_build="b-0002", verdict="disagrees", reason="state 5 failed",
        rules=("mirror",), states=(state,), failures=(signature,), classes=("network",),
    )  # fmt: skip


def test_a_tainted_retry_is_left_out() -> None:
    """The rule goes, what else is known of the state stays, and the reason names both builds."""
    told = distrusted(advice(rule("net.timeout"), rule("net.dns")), [taint("net.timeout")]).states[0]

    assert [each.signatures for each in told.rules] == [("net.dns",)]
    assert told.action == "retry"
    assert "b-0001" in told.why
    assert "b-0002" in told.why
    assert distrusted(advice(rule("net.timeout")), [taint("net.timeout")]).states[0].action == "hold"


def test_other_advice_is_left_alone() -> None:
    """Other states, other failures, and rules that retry nothing are not touched."""
    plain = advice(rule("net.timeout"))
    assert distrusted(plain, []) is plain
    assert distrusted(plain, [taint("net.dns"), taint("net.timeout", state="20")]).states == plain.states
    held = advice(rule("net.timeout", action="hold"))
    assert distrusted(held, [taint("net.timeout")]).states == held.states
