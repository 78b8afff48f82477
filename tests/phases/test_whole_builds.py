"""What the ladder promises of single decisions holds for whole builds, whatever befalls them."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from phases import PHASES, phase
from tests.driving import MOST_RUNS, Life, Try, drive
from tests.phases.situations import diagnoses, policies
from toolkit.core.action import Retry
from toolkit.core.pipeline import StateConfig
from toolkit.core.policy import MOST_ATTEMPTS, Policy
from toolkit.core.situation import Diagnosis

STATES = tuple(
    StateConfig(code=code, strategy=strategy)
    for code, strategy in ((5, "expensive"), (20, "quick"), (45, None), (50, "own"), (70, "manual"))
)


@dataclass
class Scripted:
    """A world in which each state fails as written, attempt by attempt, and then comes through."""

    failures: dict[int, list[Diagnosis]]
    fortune: float = 0.5
    asked: list[int] = field(default_factory=list)

    def fails(self, tried: Try) -> Diagnosis | None:
        listed = self.failures.get(tried.state, [])
        return listed[tried.attempt - 1] if tried.attempt <= len(listed) else None

    def seconds(self, tried: Try, failure: Diagnosis | None) -> float:
        return 60.0 if failure is None else 10.0 * tried.attempt

    def restarted(self, runs: int) -> float:
        return 300.0 * runs

    def mended(self, state: int) -> float:
        self.asked.append(state)
        return 3600.0

    def chance(self) -> float:
        return self.fortune


scripts = st.dictionaries(st.sampled_from([5, 20, 45, 50, 70]), st.lists(diagnoses, max_size=6), max_size=3)


def lived(name: str, failures: dict[int, list[Diagnosis]], policy: Policy) -> Life:
    return drive(STATES, Scripted(failures), phase(name), policy)


@given(scripts, policies)
def test_track_only_runs_each_state_once_per_run(failures: dict[int, list[Diagnosis]], policy: Policy) -> None:
    """Under phase 1 no run attempts a state twice, nothing is skipped, and nothing but the build takes time."""
    life = lived("track-only", failures, policy)

    for _, tries in groupby(life.tries, key=lambda each: each[0].run):
        codes = [tried.state for tried, _ in tries]
        assert codes == [state.code for state in STATES][: len(codes)]
    assert not life.reused
    assert life.holds == 0


@given(scripts, policies)
def test_selective_retry_never_skips(failures: dict[int, list[Diagnosis]], policy: Policy) -> None:
    """Under phase 2 every run goes through every state up to its end; a state is only ever repeated in its place."""
    life = lived("selective-retry", failures, policy)

    for _, tries in groupby(life.tries, key=lambda each: each[0].run):
        codes = [code for code, _ in groupby(tried.state for tried, _ in tries)]
        assert codes == [state.code for state in STATES][: len(codes)]
    assert not life.reused


@given(scripts, policies)
def test_resume_executes_no_more_than_retry_does(failures: dict[int, list[Diagnosis]], policy: Policy) -> None:
    """Phase 3 changes where a build begins again: each state completes once, and no more runs than under phase 2."""
    everywhere = policy.but(every_state=True)
    retried, resumed = lived("selective-retry", failures, everywhere), lived("full-resume", failures, everywhere)
    completed = [tried.state for tried, failure in resumed.tries if failure is None]

    assert len(completed) == len(set(completed))
    assert len(resumed.tries) <= len(retried.tries)
    assert resumed.machine_seconds <= retried.machine_seconds


@given(scripts, policies, st.sampled_from(PHASES))
def test_every_build_ends(failures: dict[int, list[Diagnosis]], policy: Policy, name: str) -> None:
    """Whatever the policy, a build whose failures end gets green; retries in place stay below the ceiling."""
    life = lived(name, failures, policy)

    assert life.green
    assert life.runs < MOST_RUNS
    assert sum(isinstance(each, Retry) for each in life.decisions) < MOST_ATTEMPTS


@given(st.lists(diagnoses, min_size=1, max_size=12), policies)
def test_no_state_exceeds_its_policy(failures: list[Diagnosis], policy: Policy) -> None:
    """Between two words of a person, a state is retried no more often than its most generous rule allows."""
    life = lived("selective-retry", {50: failures}, policy)
    rules = [rule for rule in policy.rules if rule.action == "retry"]
    most = max([each.max_attempts for each in rules] + [policy.strategies["own"].max_attempts])
    in_place = [tried for tried, _ in life.tries if tried.state == 50 and tried.in_place]

    assert len(in_place) <= (most - 1) * (1 + life.holds)
