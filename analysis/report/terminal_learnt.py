"""What the history teaches, on a terminal: advice, replays, shadow decisions, the trial, and what has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.padding import Padding
from rich.text import Text

from analysis.report.pieces import COLOURS, table, title
from analysis.report.wording import arm_hours, builds, percent, span, state, sure
from analysis.report.wording import watched as watched_tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from analysis.findings_model import Findings

_MOST: Final = 10
_MOST_CHANGES: Final = 8
_MOST_WATCHED: Final = 8
_TINTS: Final = {"retry": "green", "hold": "yellow", "start-over": "red", "collect": COLOURS["faint"]}


def advice(findings: Findings) -> Iterator[RenderableType]:
    """Say what to do about each state, how sure that is, and why."""
    if findings.totals.failures and not findings.recommendations:
        yield title("What to do")
        yield Text("Not enough evidence yet: no pipeline of this report was studied.")
    for each in findings.recommendations:
        shown = [one for one in each.states if one.evidence.failures]
        if not shown:
            continue
        yield title(f"What to do in {each.pipeline}", f"{builds(each.builds)}, 90 % intervals")
        for one in sorted(shown, key=lambda one: -one.saves.hours_per_100_builds.mean)[:_MOST]:
            told = f"saves {span(one.saves.hours_per_100_builds)} h per 100 builds, {sure(one.confidence)} sure"
            if one.action == "collect":
                told = "not enough evidence yet"
            yield Text.assemble(
                (f"{one.action:<11}", f"bold {_TINTS[one.action]}"), (state(one.code, one.name), "bold"),
                (f"  {told}, n={one.evidence.failures:,}", COLOURS["faint"]),
            )  # fmt: skip
            yield Padding(Text(one.why), (0, 0, 0, 11))


def previews(findings: Findings) -> Iterator[RenderableType]:
    """Set the recorded builds beside their replays under other phases."""
    if not findings.previews:
        return
    of = findings.previews[0].pipeline
    yield title("Replayed under another phase", f"{of}, strategies as in toolkit.toml" if of else "")
    laid = table(
        ("phase", "left"), ("hours to green", "right"), ("was", "right"), ("start-overs", "right"), ("was", "right"),
        ("observed", "right"),
    )  # fmt: skip
    for one in findings.previews:
        laid.add_row(
            one.phase,
            span(one.hours_to_green.replayed, 2),
            f"{one.hours_to_green.recorded:.2f}",
            span(one.start_overs.replayed, 0),
            f"{one.start_overs.recorded:,.0f}",
            percent(one.observed_share),
        )
    yield laid


def shadows(findings: Findings) -> Iterator[RenderableType]:
    """Score what other phases would have done by what happened next."""
    if not findings.shadows:
        return
    yield title("Shadow decisions", "judged by the next attempt")
    laid = table(
        ("phase", "left"), ("judged", "right"), ("passed", "right"), ("in vain", "right"), ("missed", "right"),
        ("spared", "right"), ("hours saved", "right"),
    )  # fmt: skip
    for one in findings.shadows:
        laid.add_row(
            one.phase, f"{one.judged:,} of {one.failures:,}", f"{one.retried_and_passed:,}", f"{one.retried_in_vain:,}",
            f"{one.missed:,}", f"{one.spared:,}", f"{one.hours_saved:,.1f}",
        )  # fmt: skip
    yield laid


def arms(findings: Findings) -> Iterator[RenderableType]:
    """Set the two arms of a trial side by side."""
    told = findings.arms
    if told is None:
        return
    yield title("The trial", f"{percent(told.share)} of the builds follow {told.new.phase}")
    laid = table(
        ("arm", "left"), ("phase", "left"), ("builds", "right"), ("green", "right"), ("hours to green", "right")
    )  # fmt: skip
    for name, arm in (("new", told.new), ("old", told.old)):
        laid.add_row(name, arm.phase, f"{arm.builds:,}", f"{arm.green:,}", arm_hours(arm))
    yield laid
    yield Text(f"{told.verdict}: {told.why}")


def changes(findings: Findings) -> Iterator[RenderableType]:
    """Say what differs of late."""
    if not findings.changes:
        return
    left = len(findings.changes) - _MOST_CHANGES
    yield title("What has changed of late", f"{left} more are less sure" if left > 0 else "")
    for change in findings.changes[:_MOST_CHANGES]:
        yield Text(f"- {change.why}")


def watched(findings: Findings) -> Iterator[RenderableType]:
    """List the problems of hosts, the incidents, and the rules that prove nothing."""
    for name, columns, rows in watched_tables(findings):
        left = len(rows) - _MOST_WATCHED
        yield title(name, f"{left:,} more are left out" if left > 0 else "")
        laid = table(*((column, "right" if number else "left") for column, number in columns))
        for row in rows[:_MOST_WATCHED]:
            laid.add_row(*map(Text, row))
        yield laid
