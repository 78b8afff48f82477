"""Findings on a terminal: tables, bars and sparklines in the width there is; plain text when piped."""

from __future__ import annotations

import os
from io import StringIO
from typing import TYPE_CHECKING, Any, Final, TextIO

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from analysis.report.pieces import COLOURS, table, title
from analysis.report.terminal_learnt import advice, arms, changes, previews, shadows, watched
from analysis.report.wording import (
    DASH,
    bar,
    day,
    hours,
    percent,
    rate,
    readable,
    recovery_of,
    scope,
    seconds,
    sparkline,
    state_of,
    states_shown,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from analysis.findings_model import Findings, Lane

_PIPED: Final = 120
"""Width where nobody says how wide it is."""
_NARROW: Final = 70
_ROOMY: Final = 110
_WIDE: Final = 150
_MOST: Final = 10
_MARKS: Final = {"completed": "█", "failed": "▓", "interrupted": "▒", "in_progress": "░", "reused": "·", "skipped": "·"}
_TINTS: Final = {"completed": "green", "failed": "red", "interrupted": "magenta", "in_progress": "blue"}


def show(findings: Findings, out: TextIO) -> None:
    """Print the report on a stream: with colours on a terminal unless NO_COLOR is set, plain elsewhere."""
    told = os.environ.get("COLUMNS", "")
    width = int(told) if told.isdigit() and int(told) else None
    if not out.isatty():
        out.write(render(findings, width or _PIPED))
        return
    console = Console(
        file=out, width=width or os.get_terminal_size(out.fileno()).columns or _PIPED, highlight=False, emoji=False,
        markup=False,
    )  # fmt: skip
    console.print(report(findings, console.width))


def render(findings: Findings, width: int = _PIPED) -> str:
    """Give the report as plain text of a width."""
    out = StringIO()
    console = Console(file=out, width=width, highlight=False, emoji=False, markup=False, color_system=None)
    console.print(report(findings, width))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def report(findings: Findings, width: int) -> RenderableType:
    """Lay the report out for a width."""
    return Group(*_parts(readable(findings), width))


def _parts(findings: Findings, width: int) -> Iterator[RenderableType]:
    yield Text(scope(findings.scope), style=COLOURS["faint"], overflow="fold")
    yield Text()
    for place, sentence in enumerate(findings.headline):
        yield Text(sentence, style="bold" if place == 0 else "")
    if not findings.outcomes.builds:
        return
    yield from _outcomes(findings, width)
    yield from advice(findings)
    yield from _states(findings, width)
    yield from _signatures(findings, width)
    yield from _trend(findings, width)
    yield from _comparison(findings)
    yield from changes(findings)
    yield from _hosts(findings)
    yield from watched(findings)
    yield from _worst(findings, width)
    yield from previews(findings)
    yield from shadows(findings)
    yield from arms(findings)
    yield from _quality(findings)


def _outcomes(findings: Findings, width: int) -> Iterator[RenderableType]:
    told = findings.outcomes
    parts = [
        ("green at the first run", told.completed_first, "green"),
        ("green after a retry in place", told.completed_in_place, "later"),
        ("green after a start-over", told.completed_after_start_over, "later"),
        ("failed", told.failed, "failed"),
        ("interrupted", told.interrupted, "cut"),
        ("in progress", told.in_progress, "open"),
    ]
    yield title("Builds", f"{told.builds:,}")
    size = min(40, width - 44)
    laid = Table.grid(padding=(0, 1))
    for name, number, colour in parts:
        if number:
            shown = Text(bar(number / told.builds, size), style=COLOURS[colour])
            laid.add_row(
                name, shown, Text(f"{number:,}", justify="right"), Text(percent(number / told.builds), justify="right")
            )
    yield laid
    extra = [f"{told.held:,} held"] * bool(told.held) + [f"{told.abandoned:,} abandoned"] * bool(told.abandoned)
    green = findings.totals.hours_to_green
    if green.p50 is not None and green.p90 is not None:
        extra.append(f"to green: {hours(green.p50)} in the median, {hours(green.p90)} for the slowest tenth")
    if extra:
        yield Text(" · ".join(extra), style=COLOURS["faint"])


def _states(findings: Findings, width: int) -> Iterator[RenderableType]:
    shown = states_shown(findings)
    left = len(findings.states) - len(shown)
    notes = [f"{left} that lost less are left out"] * bool(left) + [recovery_of(findings)] * (width >= _ROOMY)
    yield title("States", "; ".join(filter(None, notes)))
    most = max((each.hours_lost for each in shown), default=0.0)
    roomy, wide = width >= _ROOMY, width >= _WIDE
    columns = [("state", "fill"), ("reached", "left" if roomy else "right"), ("attempts", "right"), ("failed", "right")]
    columns += [("failure rate", "right"), ("recovered", "right")] if roomy else [("rate", "right")]
    size = 24 if wide else 10 if roomy else 0  # where room is scarce, the interval of the rate is worth more than a bar
    columns += (
        [("lost", "right")] + [("", "left")] * bool(size) + ([("p50", "right"), ("p90", "right")] if wide else [])
    )
    laid = table(*columns, expand=True)
    for each in shown:
        reached = percent(each.reached)
        funnel = Text.assemble((bar(each.reached, 10), "cyan"), f" {reached:>5}") if roomy else Text(reached)
        rates = [rate(each.failure_rate), _of(each.recovery.hits, each.recovery.n)] if roomy else [_rate(each, width)]
        row: list[RenderableType] = [
            Text(state_of(each, findings)), funnel, f"{each.attempts:,}",
            Text(f"{each.failures:,}", style="red" if each.failures else ""), *rates, hours(each.hours_lost),
            *[Text(bar(each.hours_lost / most if most else 0.0, size), style="red")] * bool(size),
        ]  # fmt: skip
        laid.add_row(*row, *([seconds(each.duration.p50), seconds(each.duration.p90)] if wide else []))
    yield laid


def _rate(each: Any, width: int) -> str:  # noqa: ANN401 - a state
    if width >= _NARROW:
        return rate(each.failure_rate)
    return percent(each.failure_rate.hits / each.failure_rate.n) if each.failure_rate.n else DASH


def _of(hits: int, n: int) -> str:
    return f"{hits:,} of {n:,}" if n else DASH


def _signatures(findings: Findings, width: int) -> Iterator[RenderableType]:
    if not findings.signatures:
        return
    left = len(findings.signatures) - _MOST
    yield title("Failures", f"{left} rarer ones are left out" if left > 0 else "")
    roomy = width >= _ROOMY
    columns = [("n", "right"), ("share", "left" if roomy else "right"), ("failure", "left")]
    columns += [("class", "left")] + [("states", "left")] * roomy + [("last seen", "left")]
    columns += [("recovered", "right"), ("weeks", "left")] * roomy
    laid = table(*columns, ("for example", "cut"), expand=True)
    for each in findings.signatures[:_MOST]:
        share = percent(each.share)
        row: list[RenderableType] = [
            f"{each.failures:,}",
            Text.assemble((bar(each.share, 6), "red"), f" {share:>5}") if roomy else share,
            Text(each.signature + (" (one host)" if each.host_bound else "")),
            each.failure_class,
        ]
        if roomy:
            states = ", ".join(str(code) for code in each.states[:3]) + (" …" if len(each.states) > 3 else "")  # noqa: PLR2004
            row.append(states)
        row.append(day(each.last))
        if roomy:
            row += [_of(each.recovery.hits, each.recovery.n), Text(sparkline(each.weeks, 12), style="red")]
        laid.add_row(*row, Text(each.title))
    yield laid
    for line in findings.watched.lines if findings.watched is not None else ():
        yield Text(f"look at: {line}")


def _trend(findings: Findings, width: int) -> Iterator[RenderableType]:
    weeks = findings.weeks
    if len(weeks) < 2:  # noqa: PLR2004 - one week is no trend
        return
    yield title("Weeks", f"{weeks[0].begins} to {weeks[-1].begins}")
    size = min(width - 40, 80)
    lines: list[tuple[str, Sequence[float], str]] = [
        ("builds", [week.builds for week in weeks], "cyan"),
        ("failures", [week.failures for week in weeks], "red"),
        ("hours lost", [week.hours_lost for week in weeks], "red"),
    ]
    for name, values, colour in lines:
        drawn = sparkline(values, size)
        yield Text.assemble(
            f"{name:<11}", (drawn, colour), (f"  {max(values):,.0f} at most in a week", COLOURS["faint"])
        )


def _comparison(findings: Findings) -> Iterator[RenderableType]:
    both = findings.comparison
    if both is None:
        return
    yield title("Compared")
    laid = table(
        ("", "left"),
        (f"{day(both.before.since)} to {day(both.before.until)}", "right"),
        (f"since {day(both.now.since)}", "right"),
    )
    sides = (both.before, both.now)
    laid.add_row("builds", *(f"{each.builds:,}" for each in sides))
    laid.add_row("green at the first run", *(rate(each.first_run_green) for each in sides))
    laid.add_row("failures per 100 builds", *(_figure(each.failures_per_100_builds) for each in sides))
    laid.add_row("hours lost per 100 builds", *(_figure(each.hours_lost_per_100_builds) for each in sides))
    green = [each.hours_to_green.p50 for each in sides]
    laid.add_row("median time to green", *(DASH if each is None else hours(each) for each in green))
    yield laid


def _figure(value: float | None) -> str:
    return DASH if value is None else f"{value:,.1f}"


def _hosts(findings: Findings) -> Iterator[RenderableType]:
    suspicious = [host for host in findings.hosts if host.suspicious]
    if not suspicious:
        return
    yield title("Hosts that fail more than their work explains")
    laid = table(("host", "left"), ("failures", "right"), ("expected", "right"), ("failure rate", "right"))
    for each in suspicious:
        laid.add_row(each.host, f"{each.failures:,}", f"{each.expected:.1f}", rate(each.failure_rate))
    yield laid


def _worst(findings: Findings, width: int) -> Iterator[RenderableType]:
    worst = findings.worst
    if worst is None:
        return
    yield title(
        f"The costliest build: {worst.build}",
        f"{hours(worst.hours_run)} of work, {hours(worst.hours_repeated)} of it repeated",
    )
    longest = max([worst.without.hours, *(lane.hours for lane in worst.lanes)])
    size = max(20, width - 34)
    for lane in worst.lanes:
        if lane.waited_before:
            held = f", {hours(lane.held_before)} of it held" if lane.held_before else ""
            yield Text(f"           waited {hours(lane.waited_before)}{held}", style=COLOURS["faint"])
        yield Text.assemble(f"run {lane.run:<6} ", _drawn(lane, longest, size), f" {hours(lane.hours)}")
    if worst.lanes_left_out:
        yield Text(f"           {worst.lanes_left_out} more runs", style=COLOURS["faint"])
    yield Text.assemble(
        "no repeats ", _drawn(worst.without, longest, size), f" {hours(worst.without.hours)} (estimated)"
    )
    yield Text("           █ completed  ▓ failed  ▒ interrupted  ░ repeated", style=COLOURS["faint"])


def _drawn(lane: Lane, longest: float, size: int) -> Text:
    cells = [(" ", "")] * size
    for step in lane.steps:
        first = min(size - 1, int(step.begins / longest * size)) if longest else 0
        last = max(first + 1, round(step.ends / longest * size)) if longest else first + 1
        mark = "░" if step.repeated and step.what == "completed" else _MARKS.get(step.what, "█")
        for place in range(first, min(last, size)):
            cells[place] = (mark, "yellow" if mark == "░" else _TINTS.get(step.what, ""))
    return Text.assemble(*cells)


def _quality(findings: Findings) -> Iterator[RenderableType]:
    told = findings.quality
    yield title("How far to trust this", "shares as observed, intervals 90 %")
    yield Text(f"of unknown class: {rate(told.unclassified, n=True)}")
    yield Text(f"never tried again, cut short or changed in between: {rate(told.censored, n=True)}")
    for note in told.notes:
        yield Text(note)
