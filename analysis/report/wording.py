"""How figures are written, the same in every rendering: shares with their interval and n, hours, states, bars."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from analysis.recommendation import Interval
from toolkit.core.moments import duration_text
from toolkit.core.words import how_many

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analysis.arms import Arm
    from analysis.findings_model import Findings, Rate, Scope, StateFinding

DASH: Final = "\N{EN DASH}"
_UNSEEN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
"""What commands a terminal or turns text around; a log may hold it, a report must not."""
_NUMBERS: Final = frozenset((int, float, bool, type(None)))
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
_LEVELS: Final = "▁▂▃▄▅▆▇█"
_DAYS: Final = 48.0
MOST_STATES: Final = 25


def readable(findings: Findings) -> Findings:
    """Give the findings with every control character in their texts replaced by what can be seen."""
    told: Findings = type(findings).model_validate(_readable(findings.model_dump(by_alias=True)))
    return told


def _readable(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return value if value.isprintable() else _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, dict):
        return {key: _readable(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        # A long history has a hundred thousand numbers in long rows, and numbers are readable.
        return tuple(map(_readable, value)) if set(map(type, value)) - _NUMBERS else value
    return value


def builds(number: int) -> str:
    """Write a number of builds."""
    return how_many(number, "build")


def percent(share: float) -> str:
    """Write a share: `12%`, with a decimal below 10 %, and never 0 or 100 for what is not quite."""
    if 0 < share < 0.001:  # noqa: PLR2004 - smaller than a decimal shows
        return "<0.1%"
    if 0.999 < share < 1:  # noqa: PLR2004 - the same
        return ">99.9%"
    return f"{share:.0%}" if share >= 0.0995 or share == 0 else f"{share:.1%}"  # noqa: PLR2004 - 9.95 % rounds to 10


def sure(confidence: float) -> str:
    """Write how sure something is; never wholly."""
    return ">99%" if confidence > 0.99 else percent(confidence)  # noqa: PLR2004 - the last per cent is nobody's


def _decimal(share: float) -> str:
    return "<0.1%" if 0 < share < 0.001 else f"{share:.1%}"  # noqa: PLR2004 - the same


def rate(told: Rate, *, n: bool = False) -> str:
    """Write a rate as observed, with its interval: `12% (9% to 16%)`, with a dash."""
    if told.share is None:
        return DASH
    shares = (told.hits / told.n, told.share.low, told.share.high)
    narrow = told.share.high - told.share.low < 0.05  # noqa: PLR2004 - decimals only where they mean something
    observed, low, high = (_decimal(share) if narrow else percent(share) for share in shares)
    text = f"{observed} ({low}{DASH}{high})"
    return f"{text}, n={told.n:,}" if n else text


def span(interval: Interval, digits: int = 1) -> str:
    """Write an estimate with its interval: `11.2 (8.0 to 14.9)`, with a dash."""
    return f"{interval.mean:,.{digits}f} ({interval.low:,.{digits}f}{DASH}{interval.high:,.{digits}f})"


def arm_hours(arm: Arm) -> str:
    """Write the mean hours to green of an arm, with the interval where there is one."""
    if arm.mean is None or arm.low is None or arm.high is None:
        return DASH if arm.mean is None else f"{arm.mean:.2f}"
    return span(Interval(mean=arm.mean, low=arm.low, high=arm.high), 2)


def hours(value: float) -> str:
    """Write hours for a person: `38s`, `12m 5s`, `3h 20m`, `412 h`."""
    if value == 0:
        return "0"
    return f"{value:,.0f} h" if value >= _DAYS else duration_text(value * 3600)


def seconds(value: float | None) -> str:
    """Write seconds for a person; a dash for what is not known."""
    return DASH if value is None else hours(value / 3600) if value else "0s"


def day(moment: str | None) -> str:
    """Write the day of an RFC 3339 time."""
    return DASH if moment is None else moment[:10]


def state(code: int, name: str | None) -> str:
    """Write a state: `5 kickstart`."""
    return f"{code} {name}" if name else str(code)


def state_of(each: StateFinding, findings: Findings) -> str:
    """Write a state, with its pipeline where there are several."""
    label = state(each.code, each.name)
    return f"{each.pipeline}: {label}" if len(findings.scope.pipelines) > 1 and each.pipeline else label


def scope(told: Scope) -> str:
    """Write what is spoken of, in one line."""
    names = ", ".join(told.pipelines[:3]) + (f" and {len(told.pipelines) - 3} more" if len(told.pipelines) > 3 else "")  # noqa: PLR2004
    parts = [names or "no pipeline"]
    if told.target:
        parts.append(f"target {told.target}")
    if told.first:
        parts.append(f"{day(told.first)} to {day(told.last)}")
    return " · ".join(parts)


def recovery_of(findings: Findings) -> str:
    """Write of which builds recovery is told, where that is not all of them."""
    told = findings.quality
    if told.folded >= told.folded_of:
        return ""
    return f"recovery: of the latest {told.folded:,} of {told.folded_of:,} builds with failures"


def bar(share: float, width: int) -> str:
    """Draw a share of `width` characters, in eighths; what is above zero is seen."""
    filled = min(max(share, 0.0), 1.0) * width
    eighths = max(round(filled * 8), 1 if share > 0 else 0)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + (_EIGHTHS[rest] if rest else "")).ljust(width)


def sparkline(values: Sequence[float], width: int) -> str:
    """Draw values as a line of `width` characters at most, neighbours added up where there are more."""
    if not values:
        return ""
    size = -(-len(values) // width)
    sums = [sum(values[at : at + size]) for at in range(0, len(values), size)]
    top = max(sums)
    return "".join(_LEVELS[round(value / top * 7)] if value else " " for value in sums) if top else " " * len(sums)


def states_shown(findings: Findings) -> tuple[StateFinding, ...]:
    """Choose the states that fit a page: all of them, or those that lost most, in their order."""
    if len(findings.states) <= MOST_STATES:
        return findings.states
    costly = sorted(findings.states, key=lambda each: (-each.hours_lost, -each.failures, each.code))[:MOST_STATES]
    return tuple(sorted(costly, key=lambda each: (each.pipeline or "", each.code)))


class Listed(NamedTuple):
    """A table: its title, its columns with whether they hold numbers, its rows."""

    title: str
    columns: Sequence[tuple[str, bool]]
    rows: Sequence[Sequence[str]]


def watched(findings: Findings) -> list[Listed]:
    """Give what no single failure shows as tables, no empty one: hosts, incidents, rules that prove nothing."""
    told = findings.watched
    if told is None:
        return []
    hosts = [
        (one.signature, one.host, f"{one.on_host:,} of {one.failures:,}", percent(one.attempts_share))
        for one in told.hosts
    ]
    incidents = [
        (one.signature, minute(one.began), minute(one.ended), f"{one.builds:,}", f"{one.failures:,}")
        for one in reversed(told.incidents)
    ]
    rules = [
        (one.rule, f"{one.successes:,}", f"{one.matched:,} ({percent(one.share)})", f"{one.failures:,}")
        for one in told.worthless
    ]
    found = [
        Listed(
            "Failures of one host",
            (("failure", False), ("host", False), ("on it", True), ("of the work", True)),
            hosts,
        ),
        Listed(
            "Incidents",
            (("failure", False), ("began", False), ("ended", False), ("builds", True), ("failures", True)),
            incidents,
        ),
        Listed(
            "Rules that prove nothing",
            (("rule", False), ("successes read", True), ("matched", True), ("failures told", True)),
            rules,
        ),
    ]
    return [each for each in found if each.rows]


def minute(moment: str) -> str:
    """Write a time to the minute."""
    return moment[:16].replace("T", " ")
