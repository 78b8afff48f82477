"""What others teach a report, written by hand: advice, replays, shadow decisions, a trial, changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.arms import Arm, Arms
from analysis.drift import Change
from analysis.preview import Compared, Preview
from analysis.recommendation import (
    Evidence,
    Interval,
    Recommendation,
    RuleAdvice,
    Saving,
    StateAdvice,
    Unclassified,
)
from analysis.shadows import ShadowScore
from analysis.watch import HostProblem, Incident, Watched, WorthlessRule

if TYPE_CHECKING:
    from analysis.findings_model import Findings

WHY = (
    "It failed 80 times (17% of 471 attempts), mostly with net.timeout. Retrying in place up to 3 times, after 30s, "
    "1m, 2m: the first retry recovers 83% of the time (90 % sure: 74% to 90%), and it saves 41m per failure."
)
_SAVES = Saving(
    hours_per_100_builds=Interval(mean=11.2, low=8.0, high=14.9),
    machine_hours_per_100_builds=Interval(mean=9.1, low=6.0, high=12.9),
)
_NONE = Interval(mean=0.0, low=0.0, high=0.0)


def taught(found: Findings) -> Findings:
    """Add to findings everything that they can hold."""
    return found.model_copy(
        update={
            "recommendations": (advice(),),
            "previews": (preview("selective-retry", 1.31), preview("full-resume", 1.02)),
            "shadows": (_shadow("selective-retry", 40), _shadow("full-resume", 48)),
            "changes": (_change(),),
            "arms": _arms(),
            "watched": _watched(),
        }
    )


def advice() -> Recommendation:
    """Advise a retry for one state, and patience for another."""
    rule = RuleAdvice(
        on=("network",), signatures=("net.timeout",), action="retry", max_attempts=4, wait=30.0, factor=2.0,
        max_wait=600.0, max_elapsed=1800.0, jitter=True, then="start-over",
        p_recover=Interval(mean=0.83, low=0.74, high=0.9), p_retry=None, failures=80, incidents=41.0, confidence=0.97,
        why=WHY, saves=_SAVES,
    )  # fmt: skip
    known = Evidence(attempts=471, failures=80, recovered=66, in_place=0, censored=3, incidents=41)
    few = Evidence(attempts=390, failures=2, recovered=1, in_place=0, censored=1, incidents=2)
    nothing = Saving(hours_per_100_builds=_NONE, machine_hours_per_100_builds=_NONE)
    return Recommendation(
        pipeline="golden-image", builds=390, since="2026-01-05T00:00:00.000Z", until="2026-03-16T00:00:00.000Z",
        states=(
            StateAdvice(code=5, name="kickstart", action="retry", confidence=0.97, why=WHY, evidence=known,
                        rules=(rule,), saves=_SAVES),
            StateAdvice(code=10, name="base", action="collect", confidence=0.6, evidence=few, rules=(), saves=nothing,
                        why="It failed 2 times (<1% of 390 attempts). About 9 more failures would decide."),
        ),
        unclassified=Unclassified(failures=0, share=0.0),
    )  # fmt: skip


def preview(phase: str, hours: float) -> Preview:
    """Replay under a phase."""

    def against(recorded: float, mean: float) -> Compared:
        return Compared(recorded=recorded, replayed=Interval(mean=mean, low=mean * 0.9, high=mean * 1.1))

    return Preview(
        phase=phase, pipeline="golden-image", builds=390, hours_to_green=against(1.64, hours),
        machine_hours=against(640.0, 400 * hours), start_overs=against(80.0, 12.0), retries=71.0, futile_retries=9.0,
        held=4.0, recorded_retries=0, observed_share=0.81,
    )  # fmt: skip


def _shadow(phase: str, passed: int) -> ShadowScore:
    return ShadowScore(
        phase=phase, failures=80, judged=70, retried_and_passed=passed, retried_in_vain=6, missed=4, spared=66 - passed,
        right_retries=Interval(mean=0.87, low=0.79, high=0.93), hours_saved=31.5,
    )  # fmt: skip


def _change() -> Change:
    why = "state 5 fails in 24.0% of its attempts of late, and did in 12.0% before"
    return Change(kind="failure rate", state=5, before=0.12, recent=0.24, p=0.0003, why=why)


def _arms() -> Arms:
    return Arms(
        share=0.2, new=Arm(phase="selective-retry", builds=40, green=38, mean=1.2, low=1.1, high=1.3),
        old=Arm(phase="track-only", builds=160, green=140, mean=1.6, low=1.5, high=1.7),
        difference=-0.4, low=-0.56, high=-0.24, worse=0.1, better=55.0, alpha=0.05, verdict="better",
        why="0.40 hours to green less under selective-retry (-0.56 to -0.24)",
    )  # fmt: skip


def _watched() -> Watched:
    begins, ends = "2026-03-07T10:00:00.000Z", "2026-03-07T11:00:00.000Z"
    return Watched(
        successes=50,
        worthless=(WorthlessRule(rule="own.warning", own=True, successes=50, matched=20, share=0.4, failures=3),),
        hosts=(HostProblem(signature="disk.full", host="builder2", failures=6, on_host=6, attempts_share=0.2,
                           chance=0.001),),
        incidents=(Incident(signature="net.timeout", began=begins, ended=ends, builds=4, failures=7, states=(5,),
                            hosts=("builder1", "builder2")),),
        lines=("6 of 6 failures with disk.full were on builder2, which did 20% of the work: look at the host",),
    )  # fmt: skip
