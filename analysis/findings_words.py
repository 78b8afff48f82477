"""The first screen in sentences: what failures cost, where, what to do about it, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from toolkit.core.moments import duration_text
from toolkit.core.words import how_many

if TYPE_CHECKING:
    from collections.abc import Iterator

    from analysis.findings_model import Findings, Rate, StateFinding, Totals
    from analysis.recommendation import StateAdvice

_DO: Final = {
    "retry": "retry in place",
    "hold": "hold for a person",
    "start-over": "start over",
    "collect": "collect more",
}


def headline(findings: Findings) -> tuple[str, ...]:
    """Give the sentences, the most important first."""
    return tuple(_sentences(findings))


def _sentences(findings: Findings) -> Iterator[str]:
    outcomes, totals = findings.outcomes, findings.totals
    if not outcomes.builds:
        yield "No builds are recorded in this period."
        return
    if not totals.failures:
        yield f"{how_many(outcomes.builds, 'build')}, no failures, {hours_text(totals.hours)} of work."
        return
    if findings.quality.without_duration == totals.attempts:
        told = f"{totals.failures:,} of {how_many(totals.attempts, 'attempt')} failed"
        yield f"{told}; how long they took is not recorded, so what that cost is unknown."
    else:
        yield _costs(totals)
    if totals.first_run_green.n:
        later = outcomes.completed_in_place + outcomes.completed_after_start_over
        yield (
            f"{_percent(totals.first_run_green)} of the builds are green at the first run; "
            f"{later:,} came green only later, {outcomes.failed:,} ended failed."
        )
    if costly := [state for state in findings.states if state.hours_lost > 0]:
        worst = max(costly, key=lambda state: state.hours_lost)
        yield _where(worst, totals.hours_lost, of_several=len(findings.scope.pipelines) > 1)
    if findings.signatures:
        first = findings.signatures[0]
        share = f"{first.share:.0%} of {totals.failures:,}"
        yield f"The most frequent failure is {first.signature} ({share}): {first.title[:120].rstrip('.')}."
    yield from _advice(findings)


def _costs(totals: Totals) -> str:
    return (
        f"Failures cost {hours_text(totals.hours_lost)} of {hours_text(totals.hours)} machine time "
        f"({totals.lost_share:.0%}): {hours_text(totals.hours_failed)} in "
        f"{how_many(totals.failures, 'failed attempt')}, "
        f"{hours_text(totals.hours_repeated) if totals.hours_repeated else 'none'} in work that was done before."
    )


def _where(state: StateFinding, lost: float, *, of_several: bool) -> str:
    label = f"{state.code} {state.name}" if state.name else str(state.code)
    label += f" of {state.pipeline}" if of_several and state.pipeline else ""
    told = f", failing in {_percent(state.failure_rate)} of its attempts" if state.failure_rate.n else ""
    return f"State {label} accounts for {state.hours_lost / lost:.0%} of the loss{told}."


def _advice(findings: Findings) -> Iterator[str]:
    wins = [
        (state, each) for each in findings.recommendations for state in each.states if state.action in {"retry", "hold"}
    ]
    if findings.recommendations and not wins:
        yield "Nothing is recommended yet: the evidence does not yet favour any retry over starting over."
    for state, each in sorted(wins, key=lambda pair: -pair[0].saves.hours_per_100_builds.mean)[:2]:
        yield _do(state, each.pipeline)


def _do(state: StateAdvice, pipeline: str) -> str:
    label = f"{state.code} {state.name}" if state.name else str(state.code)
    saved = state.saves.hours_per_100_builds
    return (
        f"Recommended for state {label} of {pipeline}: {_DO[state.action]}; it saves {saved.mean:.1f} hours "
        f"per 100 builds ({saved.low:.1f} to {saved.high:.1f})."
    )


def hours_text(hours: float) -> str:
    """Write hours for a person: `38 s`, `12m 5s`, `3h 20m`, or `412 h` where minutes no longer matter."""
    return f"{hours:,.0f} h" if hours >= 48 else duration_text(hours * 3600)  # noqa: PLR2004 - two days


def _percent(rate: Rate) -> str:
    if rate.share is None:
        return "none"
    low, high = rate.share.low, rate.share.high
    digits = 0 if high - low > 0.05 else 1  # noqa: PLR2004 - decimals only where they mean something
    return f"{rate.hits / rate.n:.{digits}%} ({low:.{digits}%} to {high:.{digits}%})"
