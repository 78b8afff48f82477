"""Situations and policies for tests of the phases: written down in a few words, or invented by Hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.histories import CODES, Step, fails, history, restarts, step_lists
from toolkit.core.classes import CLASSES, GROUPS
from toolkit.core.codes import CodeRange, parse_codes
from toolkit.core.pipeline import StateConfig
from toolkit.core.policy import BUILT_IN, Budget, Policy, RetryRule, Strategy
from toolkit.core.progress import fold
from toolkit.core.situation import Diagnosis, Situation, Validity, after_failure

SIGNATURES = ("net.timeout", "auth.denied", "disk.full", "test.failed", "tmpl.4f1c")

_CLASS = st.sampled_from(CLASSES)
_WORDS = st.lists(st.sampled_from((*GROUPS, *GROUPS, *GROUPS, *CLASSES)), max_size=3).map(tuple)
_RANGES: st.SearchStrategy[CodeRange | None] = st.sampled_from(["5", "10-65", "0-90", "5,10-65"]).map(parse_codes)
_PACING = {
    "max_attempts": st.integers(4, 10) | st.integers(1, 200),
    "wait": st.floats(0, 100),
    "factor": st.floats(1, 3) | st.floats(1, 100),
    "max_wait": st.floats(0, 3600),
    "jitter": st.booleans(),
    "max_elapsed": st.none() | st.floats(600, 10_000),
    "then": st.sampled_from(["start-over", "hold"]),
    "command": st.sampled_from(["", "play --limit failed"]),
}

rules = st.builds(
    RetryRule,
    id=st.sampled_from("abcdef"),
    states=st.none() | st.none() | _RANGES,
    on=_WORDS,
    signatures=st.just(()) | st.lists(st.sampled_from(SIGNATURES), max_size=2).map(tuple),
    action=st.sampled_from(["retry", "retry", "retry", "start-over", "hold"]),
    **_PACING,
)
strategies = st.builds(Strategy, name=st.just("own"), on=_WORDS, hold=_WORDS, **_PACING)
budgets = st.builds(
    Budget,
    attempts_per_build=st.integers(12, 30) | st.integers(1, 11),
    minutes_per_build=st.floats(60, 1e6),
    breaker=st.integers(0, 9),
)
GENEROUS = RetryRule(id="generous", on=("transient", "uncertain"), max_attempts=12, max_elapsed=None)
policies = st.builds(
    lambda listed, last, own, budget: Policy(
        rules=(*listed, *last), strategies={**BUILT_IN, "own": own}, budget=budget
    ),
    st.lists(rules, max_size=2),
    st.sampled_from([(), (GENEROUS,)]),
    strategies,
    budgets,
)

states = st.builds(
    StateConfig,
    code=st.sampled_from(CODES),
    name=st.sampled_from([None, "kickstart", "ansible", "tests"]),
    strategy=st.sampled_from([None, "expensive", "quick", "manual", "none", "own"]),
    resume=st.sampled_from(["auto", "never"]),
)
diagnoses = st.builds(
    Diagnosis,
    failure_class=_CLASS,
    signature=st.sampled_from(SIGNATURES),
    retry_after=st.none() | st.floats(0, 7200),
)
_SHARED = {
    "state": states,
    "now_ms": st.integers(0, 2**41),
    "resume": st.sampled_from(["auto", "auto", "never"]),
    "degraded": st.booleans(),
    "build_minutes": st.floats(0, 50) | st.floats(0, 50) | st.floats(0, 20_000),
}
_invented = st.builds(
    Situation,
    failure=diagnoses,
    earlier=st.lists(diagnoses, max_size=2).map(tuple),
    build_failures=st.integers(1, 10) | st.integers(1, 200),
    elapsed_seconds=st.floats(0, 1000) | st.floats(0, 100_000),
    breaker=st.sampled_from(["closed", "closed", "closed", "open", "probe"]),
    forbidden=st.sampled_from(["", "", "", "", "its reset failed"]),
    **_SHARED,
)


def after(*steps: Step, state: StateConfig) -> Situation:
    """Describe where a build stands after a history whose last word is a failure of the state."""
    events = history(*steps, holder="builder1/boot/1/2")
    return after_failure(fold(events), state, now_ms=events[-1].ts_ms)


def rule_of(situation: Situation, policy: Policy) -> RetryRule:
    """Give the rule that speaks for a failure; there has to be one."""
    assert situation.failure is not None
    rule = policy.rule_for(situation.state, situation.failure)
    assert rule is not None
    return rule


@st.composite
def _lived(draw: st.DrawFn) -> Situation:
    """Take the situation after some failure of an invented history."""
    state = draw(states)
    failing = st.builds(fails, st.just(state.code), st.sampled_from(SIGNATURES), failure_class=_CLASS)
    told = [*draw(step_lists), restarts(), *draw(st.lists(failing, min_size=1, max_size=3))]
    return after(*told, state=state)


failures = _invented | _lived()
beginnings = st.builds(
    Situation,
    validity=st.none() | st.builds(Validity, ok=st.booleans(), why=st.just("so it is")),
    ran_again=st.none() | st.sampled_from(CODES),
    **_SHARED,
)
situations = failures | beginnings
