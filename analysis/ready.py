"""Whether history and configuration are ready for the next phase: each condition, what there is, what it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import polars as pl

from analysis.recommendation import Said
from toolkit.core.moments import duration_text
from toolkit.core.words import how_many

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from analysis.preview import Preview
    from analysis.recommendation import Recommendation
    from toolkit.core.pipeline import StateConfig

Phase = Literal["track-only", "selective-retry", "full-resume"]
LEAST_BUILDS: Final = 30
LEAST_INCIDENTS: Final = 10
_MOST_DEGRADED: Final = 0.05
_MOST_UNCLASSIFIED: Final = 0.5


class Check(Said):
    """One condition."""

    name: str
    ok: bool
    have: str
    need: str


class Readiness(Said):
    """All conditions of moving to a phase; it is ready when all of them hold."""

    phase: str
    ready: bool
    checks: tuple[Check, ...]
    why: str


def ready(  # noqa: PLR0913 - all that readiness depends on
    phase: Phase,
    builds: pl.DataFrame,
    recommendation: Recommendation,
    *,
    preview: Preview | None = None,
    states: Sequence[StateConfig] = (),
    covered: Mapping[int, bool] | None = None,
) -> Readiness:
    """Check whether to move up to a phase.

    `builds` is the history's table of builds (columns `pipeline`, `status`, `degraded`), `recommendation` that of the
    pipeline, `preview` the replay under the phase, `states` the configured ones. `covered` says for a state whether the
    configuration has a strategy or a rule for it; by default, whether it names a strategy. Moving down is always ready.
    """
    ours = builds.filter(pl.col("pipeline") == recommendation.pipeline)
    if phase == "track-only":
        return Readiness(phase=phase, ready=True, checks=(), why="watching needs nothing")
    checks = [
        _enough_builds(ours),
        _enough_failures(recommendation),
        _understood(recommendation),
        _sound(ours),
        _in_favour(recommendation, preview),
    ]
    if phase == "selective-retry":
        checks.append(_strategies(recommendation, states, covered))
    else:
        checks.append(_fingerprints(recommendation, states))
    open_ones = [check for check in checks if not check.ok]
    why = (
        "all conditions hold"
        if not open_ones
        else "; ".join(f"{each.name}: {each.have}, it takes {each.need}" for each in open_ones)
    )
    return Readiness(phase=phase, ready=not open_ones, checks=tuple(checks), why=why)


def _enough_builds(builds: pl.DataFrame) -> Check:
    ended = builds.filter(pl.col("status").is_in(("completed", "failed"))).height
    return Check(name="builds", ok=ended >= LEAST_BUILDS, have=how_many(ended, "ended build"), need=f"{LEAST_BUILDS}")


def _enough_failures(recommendation: Recommendation) -> Check:
    incidents = sum(state.evidence.incidents for state in recommendation.states)
    return Check(
        name="failures",
        ok=incidents >= LEAST_INCIDENTS,
        have=how_many(incidents, "independent failure"),
        need=f"{LEAST_INCIDENTS}",
    )


def _understood(recommendation: Recommendation) -> Check:
    share = recommendation.unclassified.share
    return Check(
        name="classification", ok=share <= _MOST_UNCLASSIFIED, have=f"{share:.0%} of the failures are of unknown class",
        need=f"{_MOST_UNCLASSIFIED:.0%} at most: add [[rules]] for the frequent ones",
    )  # fmt: skip


def _sound(builds: pl.DataFrame) -> Check:
    bad = int(builds["degraded"].fill_null(value=False).sum()) if "degraded" in builds.columns else 0
    share = bad / max(builds.height, 1)
    return Check(
        name="records", ok=share <= _MOST_DEGRADED,
        have=f"{bad} of {how_many(builds.height, 'build')} with holes in the record",
        need=f"{_MOST_DEGRADED:.0%} at most",
    )  # fmt: skip


def _in_favour(recommendation: Recommendation, preview: Preview | None) -> Check:
    if preview is not None and not preview.hours_to_green.recorded:
        return Check(name="evidence", ok=False, have="no recorded build became green", need="some that did")
    if preview is not None:
        hours = preview.hours_to_green
        mean, low, high = (_said(each) for each in (hours.replayed.mean, hours.replayed.low, hours.replayed.high))
        return Check(
            name="evidence", ok=hours.replayed.high < hours.recorded,
            have=f"{mean} to green ({low} to {high}), {_said(hours.recorded)} recorded",
            need="a replay that is surely quicker than the record",
        )  # fmt: skip
    acting = [
        state.code for state in recommendation.states if any(rule.action in {"retry", "hold"} for rule in state.rules)
    ]
    have = f"rules that surely gain for states {', '.join(map(str, acting))}" if acting else "no rule that surely gains"
    return Check(name="evidence", ok=bool(acting), have=have, need="one")


def _said(hours: float) -> str:
    return duration_text(3600 * hours)


def _strategies(
    recommendation: Recommendation, states: Sequence[StateConfig], covered: Mapping[int, bool] | None
) -> Check:
    told = covered if covered is not None else {state.code: state.strategy is not None for state in states}
    worth = [state.code for state in recommendation.states if any(rule.action == "retry" for rule in state.rules)]
    bare = [code for code in worth if not told.get(code, False)]
    have = (
        f"states {', '.join(map(str, bare))} have neither strategy nor rule"
        if bare
        else "every state worth a retry has a strategy or a rule"
    )
    return Check(
        name="configuration",
        ok=not bare,
        have=have,
        need="one for each state worth a retry: `toolkit recommend --apply`",
    )


def _fingerprints(recommendation: Recommendation, states: Sequence[StateConfig]) -> Check:
    seen = {state.code for state in recommendation.states}
    told = {
        state.code: bool(state.inputs) and bool(state.outputs or state.verify)
        for state in states
        if state.resume != "never"
    }
    barred = {state.code for state in states if state.resume == "never"}
    bare = sorted(code for code in seen - barred if not told.get(code, False))
    have = (
        f"states {', '.join(map(str, bare))} do not say what goes in and how one sees that it came out" if bare
        else "every state says what goes in and how one sees that it came out"
    )  # fmt: skip
    return Check(
        name="configuration",
        ok=not bare,
        have=have,
        need='inputs, and outputs or verify, for each state; or resume = "never"',
    )
