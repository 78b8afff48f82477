"""Weighs the lines that rules know against each other and against the way the process ended."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import log2
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from toolkit.core.classes import GROUP_OF
from toolkit.core.evidence import Sighting
from toolkit.core.rules.rule import Rule, stamped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.core.reading import Reading

Ending = Literal["timeout", "stall"]


@dataclass(frozen=True, slots=True)
class End:
    """How an attempt ended, and at which state: what is known of it."""

    exit_code: int | None = None
    signal: int | None = None
    state: int | None = None
    ended_by: Ending | None = None

    @classmethod
    def of(cls, exit_code: int | None, signal: int | None, state: int | None, ended_by: Ending | None) -> End:
        """Agree on one account: shells report signal n as 128 + n, Python as -n."""
        if signal is None and exit_code is not None:
            if exit_code < 0:
                signal = -exit_code
            elif _SHELL < exit_code <= _SHELL + 31:
                signal = exit_code - _SHELL
        return cls(exit_code, signal, state, ended_by)

    @property
    def known(self) -> bool:
        return self.exit_code is not None or self.signal is not None or self.ended_by is not None

    @property
    def failed(self) -> bool:
        return self.known and self.exit_code != 0

    @property
    def words(self) -> str:
        """The end as a person would say it; empty when nothing is known."""
        if self.ended_by is not None:
            return "ended by the time limit" if self.ended_by == "timeout" else "ended because it made no progress"
        if self.signal is not None:
            return f"ended by signal {self.signal}"
        return "" if self.exit_code is None else f"exit code {self.exit_code}"

    def suits(self, rule: Rule) -> bool:
        """Tell whether the rule asks for an end and a state like this."""
        return rule.asks_for(self.state, self.exit_code, self.signal)


@dataclass(frozen=True, slots=True)
class Hit:
    """A line that a rule or a smell knows, and how much it counts."""

    score: float
    seen: Sighting
    rule: Rule

    @property
    def is_smell(self) -> bool:
        return self.rule.id.startswith("smell.")


class Verdict(NamedTuple):
    """The rule that explains a failure, and the line that it explains it by, if it is not the end that does."""

    rule: Rule
    hit: Hit | None


_SHELL: Final = 128
_NEAR: Final = 80
"""So many lines before the end count as the end."""
_MANY: Final = 200
_SURE: Final = 100
"""From this weight on a line names its cause in any tone."""
_STRONG: Final = 86.0
_WORSE: Final = 24.0
_FEW: Final = 3
"""So few lines were picked out by somebody: what they say is meant."""

_MILD: Final = re.compile(
    rb"(?i)^(?:\S+ ){0,3}\W{0,3}(?:W|WARN|WARNING|NOTICE|INFO|DEBUG|I|N)\b\]?[:\]\s]|level=(?:warn|info|debug)"
    rb"|\bwarning:|\bretrying\b|will retry|retry(?:ing)? in \d|retries left|attempt \d+ ?(?:of|/)|\(\d+/\d+\)[.: ]"
    rb"|\bignor(?:ed|ing)\b|non-fatal|not fatal|continuing anyway|falling back|trying (?:again|next|other)|skipping"
    rb"|^\[MIRROR\]|trying other mirror"
)
_CALM: Final = re.compile(rb"\bPASS(?:ED)?\b|^ok \d+|\.\.\. ok$|: ok$|\[ *OK *\]")
_COUNTED: Final = re.compile(rb"\bFAIL\w*\W{1,3}[1-9]")
_TITLE: Final = re.compile(
    stamped(
        r"^(?:(?:TASK|PLAY|RUNNING HANDLER|HANDLER) \[|(?:ok|skipping|changed|included): |\+{1,3} |Step \d+/\d+ : "
        r"|#\d+ \[|::group::|[*-] (?:fix|feat|chore|docs|refactor|test|ci|perf)(?:\([^)]*\))?!?: )"
    ).encode()
)
"""What names a step, repeats a command or tells of a change: not what happened."""
_GRAVE: Final = re.compile(
    rb"^\W{0,4}(?:\S+: )?(?:E:|[Ee][Rr][Rr][Oo][Rr]\b|[Ff][Aa][Tt][Aa][Ll]\b|FAILED|failed|CRITICAL|panic)"
)


def hits_in(reading: Reading, rules: Sequence[Rule], end: End) -> list[Hit]:
    """Return the lines that count, best first; of equals the earlier, which began the cascade."""
    setback = 15 if end.failed else 60
    found: list[tuple[float, int, int, Hit]] = []
    for place, kept in reading.kept.items():
        rule = rules[place]
        if not end.suits(rule):
            continue
        for seen in kept.sightings():
            if not reading.is_excused(seen.number):
                score = _score(rule, seen, reading, kept.count)
                score -= 0 if seen.number > reading.success else setback
                found.append((-score, seen.number, place, Hit(score, seen, rule)))
    found.sort(key=lambda each: each[:3])
    return [hit for *_, hit in found]


def _score(rule: Rule, seen: Sighting, reading: Reading, count: int) -> float:
    """Weigh a line: its rule, its tone, how near to the end it stands, how rare its like is."""
    score = float(rule.weight)
    distance = reading.lines - seen.number
    if distance > _NEAR and rule.near_end:
        return 0.0
    if rule.weight < _SURE and not rule.fatal and _MILD.search(seen.line):
        score -= 20
    elif (_CALM.search(seen.line) and not _COUNTED.search(seen.line)) or _TITLE.search(seen.line):
        score -= 100
    elif _GRAVE.search(seen.line):
        score += 3
    if distance > _NEAR:
        score -= min(25.0, 4 * log2(distance / _NEAR))
    if count > _MANY and rule.weight < _STRONG:
        score -= min(10.0, 2 * log2(count / _MANY))
    return score


def judge(
    hits: Sequence[Hit], reading: Reading, end: End, own: Sequence[Rule], built_in: Sequence[Rule]
) -> Verdict | None:
    """Choose the rule that explains the failure; None when nothing known does.

    A person's own rules come first, in their order. Then, where the end says more than most output (our own time limit,
    a signal), only a line that explains such an end is heard. Then the best line decides, and last a telling exit code.
    """
    mine = _own(hits, end, own)
    if mine is not None:
        return mine
    known = [hit for hit in hits if not hit.is_smell]
    if not end.known and reading.lines > _FEW:
        known = [hit for hit in known if _confirmed(hit, hits)]
    ends = [rule for rule in built_in if not rule.match and (rule.exit_codes or rule.signals) and end.suits(rule)]
    by_end = _limit(end) or next((rule for rule in ends if rule.weight > 0), None)
    if by_end is not None:
        return next((Verdict(hit.rule, hit) for hit in known if _overrules(hit, by_end)), Verdict(by_end, None))
    if known and known[0].score >= _least(end, reading):
        return Verdict(known[0].rule, known[0])
    return Verdict(ends[0], None) if ends and end.failed else None


def _own(hits: Sequence[Hit], end: End, own: Sequence[Rule]) -> Verdict | None:
    first: dict[int, Hit] = {}
    for hit in hits:
        first.setdefault(id(hit.rule), hit)
    for rule in own:
        if rule.match and id(rule) in first:
            return Verdict(rule, first[id(rule)])
        if not rule.match and end.suits(rule):
            return Verdict(rule, None)
    return None


def _limit(end: End) -> Rule | None:
    from toolkit.core.rules.ends import STALLED, TIMED_OUT

    if end.ended_by is None:
        return None
    return TIMED_OUT if end.ended_by == "timeout" else STALLED


def _confirmed(hit: Hit, hits: Sequence[Hit]) -> bool:
    """Tell whether a mere warning was followed by worse: where the end is not known, a warning alone is no failure."""
    if hit.rule.weight >= _SURE or hit.rule.fatal or not _MILD.search(hit.seen.line):
        return True
    return any(
        other.seen.number >= hit.seen.number and other.score > _WORSE and not _MILD.search(other.seen.line)
        for other in hits
    )


def _overrules(hit: Hit, end: Rule) -> bool:
    """Tell whether a line explains the failure better than the way the process ended."""
    if hit.rule.fatal or (hit.rule.failure_class == "resource" and hit.score >= _STRONG):
        return True
    if end.failure_class in ("timeout", "stall"):
        return hit.score >= _STRONG and GROUP_OF[hit.rule.failure_class] != "transient"
    return False


def _least(end: End, reading: Reading) -> float:
    """The least score with which a line decides; output that may belong to a success needs more."""
    if end.known and not end.failed:
        return 84.0
    return 12.0 if end.known or reading.lines <= _FEW else 40.0


def confidence(verdict: Verdict, hits: Sequence[Hit]) -> float:
    """How sure the verdict is, from 0 to 1: less when lines of another class weigh about as much."""
    score = verdict.hit.score if verdict.hit else float(abs(verdict.rule.weight))
    sure = min(0.97, max(0.2, score / 100))
    mine = verdict.rule.failure_class
    rival = next((hit for hit in hits if not hit.is_smell and hit.rule.failure_class != mine), None)
    if verdict.hit is not None and rival is not None and rival.score > score - 10:
        sure *= 0.8
    return round(sure, 2)
