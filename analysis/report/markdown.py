"""Findings as Markdown, for a CI summary, a pull request or a wiki."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from analysis.report.wording import (
    DASH,
    arm_hours,
    builds,
    day,
    hours,
    percent,
    rate,
    readable,
    recovery_of,
    scope,
    seconds,
    span,
    sparkline,
    state,
    state_of,
    states_shown,
    sure,
    watched,
)
from toolkit.core.words import how_many

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from analysis.findings_model import Findings

_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>#|~])")
_MOST: Final = 15
_LONGEST: Final = 160
_TREND: Final = 40


def render(findings: Findings) -> str:
    """Give the report as Markdown; nothing in it can be mistaken for markup or a link."""
    return "\n".join(_lines(readable(findings))) + "\n"


def plain(text: str) -> str:
    """Make text from outside safe in Markdown, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split())).replace("://", ":\u200b//").replace("@", "&#64;")


def _lines(findings: Findings) -> Iterator[str]:
    yield "# Failure report"
    yield ""
    yield f"{plain(scope(findings.scope))} · {builds(findings.outcomes.builds)}"
    yield ""
    for sentence in findings.headline:
        yield f"- {plain(sentence)}"
    if not findings.outcomes.builds:
        return
    yield from _outcomes(findings)
    if findings.recommendations or findings.previews:
        yield from _advice(findings)
    yield from _states(findings)
    if findings.signatures:
        yield from _signatures(findings)
    yield from _trend(findings)
    yield from _changes(findings)
    yield from _comparison(findings)
    yield from _trials(findings)
    yield from _hosts(findings)
    yield from _quality(findings)


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]], right: Collection[int] = ()) -> Iterator[str]:
    yield ""
    yield "| " + " | ".join(titles) + " |"
    yield "|" + "|".join(" ---: " if place in right else " --- " for place in range(len(titles))) + "|"
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def _outcomes(findings: Findings) -> Iterator[str]:
    told = findings.outcomes
    counted = [
        ("green at the first run", told.completed_first),
        ("green after a retry in place", told.completed_in_place),
        ("green after a start-over", told.completed_after_start_over),
        ("failed", told.failed),
        ("interrupted", told.interrupted),
        ("in progress", told.in_progress),
    ]
    yield from _table(
        ("builds", "n", "share"),
        ((name, f"{number:,}", percent(number / told.builds)) for name, number in counted if number),
        right=(1, 2),
    )


def _advice(findings: Findings) -> Iterator[str]:
    yield ""
    yield "## What to do"
    for advice in findings.recommendations:
        rows = [
            (
                plain(state(each.code, each.name)),
                each.action,
                sure(each.confidence),
                str(each.evidence.failures),
                span(each.saves.hours_per_100_builds),
                plain(each.why),
            )
            for each in advice.states
            if each.evidence.failures
        ]
        yield ""
        yield f"Pipeline **{plain(advice.pipeline)}**, {builds(advice.builds)}:"
        titles = ("state", "action", "sure", "failures", "saves h per 100 builds (90 %)", "why")
        yield from _table(titles, rows, right=(2, 3))
    if findings.previews:
        yield from _table(
            ("replayed under", "hours to green", "recorded", "start-overs", "recorded", "observed"),
            (
                (
                    plain(each.phase),
                    span(each.hours_to_green.replayed, 2),
                    f"{each.hours_to_green.recorded:.2f}",
                    span(each.start_overs.replayed, 0),
                    f"{each.start_overs.recorded:,.0f}",
                    percent(each.observed_share),
                )
                for each in findings.previews
            ),
        )


def _states(findings: Findings) -> Iterator[str]:
    shown = states_shown(findings)
    yield ""
    yield "## States"
    yield from _table(
        (
            "state",
            "reached",
            "attempts",
            "failed",
            "failure rate (90 %)",
            "recovered at the next attempt",
            "lost",
            "p50",
            "p90",
        ),
        (
            (
                plain(state_of(each, findings)),
                percent(each.reached),
                f"{each.attempts:,}",
                f"{each.failures:,}",
                rate(each.failure_rate),
                f"{each.recovery.hits} of {each.recovery.n}" if each.recovery.n else DASH,
                hours(each.hours_lost),
                seconds(each.duration.p50),
                seconds(each.duration.p90),
            )
            for each in shown
        ),
        right=(1, 2, 3, 6, 7, 8),
    )
    if of := recovery_of(findings):
        yield ""
        yield f"{of[:1].upper()}{of[1:]}."
    if left := len(findings.states) - len(shown):
        yield ""
        yield f"{how_many(left, 'state')} that lost less {'is' if left == 1 else 'are'} left out."


def _signatures(findings: Findings) -> Iterator[str]:
    yield ""
    yield "## Failures"
    yield from _table(
        ("failure", "class", "n", "share", "states", "last seen", "recovered", "for example"),
        (
            (
                f"`{each.signature.replace('`', '')}`",
                each.failure_class,
                f"{each.failures:,}",
                percent(each.share),
                ", ".join(str(code) for code in each.states[:5]),
                day(each.last),
                f"{each.recovery.hits} of {each.recovery.n}" if each.recovery.n else DASH,
                plain(each.title[:_LONGEST]) + (" (one host only)" if each.host_bound else ""),
            )
            for each in findings.signatures[:_MOST]
        ),
        right=(2, 3),
    )
    left = len(findings.signatures) - _MOST
    if left > 0:
        yield ""
        yield f"{left} rarer ones are left out."
    if findings.watched is not None and findings.watched.lines:
        yield ""
        yield from (f"- {plain(line)}" for line in findings.watched.lines)
    for name, columns, rows in watched(findings):
        yield ""
        yield f"### {name}"
        right = [place for place, (_, number) in enumerate(columns) if number]
        yield from _table([title for title, _ in columns], (_plain_row(row) for row in rows[:_MOST]), right=right)
        if (left := len(rows) - _MOST) > 0:
            yield ""
            yield f"{left:,} more are left out."


def _plain_row(row: Sequence[str]) -> list[str]:
    """Make each cell plain words in Markdown."""
    return [plain(cell) for cell in row]


def _trend(findings: Findings) -> Iterator[str]:
    weeks = findings.weeks
    if len(weeks) < 2:  # noqa: PLR2004 - one week is no trend
        return
    yield ""
    yield "## Trend"
    yield ""
    yield f"Weeks from {weeks[0].begins} to {weeks[-1].begins}:"
    yield ""
    yield "```text"
    for name, values in (
        ("builds", [week.builds for week in weeks]),
        ("failures", [week.failures for week in weeks]),
        ("hours lost", [week.hours_lost for week in weeks]),
    ):
        yield f"{name:>10}  {sparkline(values, _TREND)}  most in a week: {max(values):,.0f}"
    yield "```"


def _changes(findings: Findings) -> Iterator[str]:
    if findings.changes:
        yield ""
        yield "## What has changed of late"
        yield ""
        yield from (f"- {plain(change.why)}" for change in findings.changes[:_MOST])


def _trials(findings: Findings) -> Iterator[str]:
    if findings.shadows:
        yield ""
        yield "## Shadow decisions"
        yield from _table(
            ("phase", "failures", "judged", "retried, and it passed", "in vain", "missed", "spared", "hours saved"),
            (
                (
                    plain(each.phase), f"{each.failures:,}", f"{each.judged:,}", f"{each.retried_and_passed:,}",
                    f"{each.retried_in_vain:,}", f"{each.missed:,}", f"{each.spared:,}", f"{each.hours_saved:,.1f}",
                )
                for each in findings.shadows
            ),
            right=range(1, 8),
        )  # fmt: skip
    told = findings.arms
    if told is not None:
        yield ""
        yield "## The trial"
        yield ""
        yield f"{percent(told.share)} of the builds follow {plain(told.new.phase)}. {told.verdict}: {plain(told.why)}"
        yield from _table(
            ("arm", "phase", "builds", "green", "hours to green (90 %)"),
            (
                (name, plain(arm.phase), f"{arm.builds:,}", f"{arm.green:,}", arm_hours(arm))
                for name, arm in (("new", told.new), ("old", told.old))
            ),
            right=(2, 3, 4),
        )


def _comparison(findings: Findings) -> Iterator[str]:
    both = findings.comparison
    if both is None:
        return
    yield ""
    yield "## Compared with the period before"

    def figures(name: str, before: str, now: str) -> tuple[str, str, str]:
        return (name, before, now)

    def per_100(value: float | None) -> str:
        return DASH if value is None else f"{value:.1f}"

    before, now = both.before, both.now
    p50 = [DASH if each.hours_to_green.p50 is None else hours(each.hours_to_green.p50) for each in (before, now)]
    yield from _table(
        ("", f"{day(before.since)} to {day(before.until)}", f"since {day(now.since)}"),
        [
            figures("builds", f"{before.builds:,}", f"{now.builds:,}"),
            figures("green at the first run", rate(before.first_run_green), rate(now.first_run_green)),
            figures(
                "failures per 100 builds", per_100(before.failures_per_100_builds), per_100(now.failures_per_100_builds)
            ),
            figures(
                "hours lost per 100 builds",
                per_100(before.hours_lost_per_100_builds),
                per_100(now.hours_lost_per_100_builds),
            ),
            figures("median time to green", p50[0], p50[1]),
        ],
        right=(1, 2),
    )


def _hosts(findings: Findings) -> Iterator[str]:
    suspicious = [host for host in findings.hosts if host.suspicious]
    if not suspicious:
        return
    yield ""
    yield "## Hosts that fail more than their work explains"
    yield from _table(
        ("host", "failures", "expected", "failure rate (90 %)"),
        (
            (plain(each.host), str(each.failures), f"{each.expected:.1f}", rate(each.failure_rate))
            for each in suspicious
        ),
        right=(1, 2),
    )


def _quality(findings: Findings) -> Iterator[str]:
    told = findings.quality
    yield ""
    yield "## How far to trust this"
    yield ""
    yield f"- of unknown class: {rate(told.unclassified, n=True)}"
    yield f"- never tried again, cut short or changed in between: {rate(told.censored, n=True)}"
    yield f"- attempts interrupted: {rate(told.interrupted, n=True)}"
    for note in told.notes:
        yield f"- {plain(note)}"
    yield ""
    yield "Shares are as observed; intervals are 90 % credible intervals."
