"""Weighs the lines that rules know against each other and against the way the process ended."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from math import log2
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from toolkit.core.aftermath import outcome
from toolkit.core.classes import GROUP_OF
from toolkit.core.evidence import Sighting
from toolkit.core.lastwords import cleaning_since, ended_badly, ended_well, is_trailer
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
    mild: bool = False
    """Said in the tone of a warning, or passed over by what followed."""

    @property
    def is_smell(self) -> bool:
        return self.rule.id.startswith("smell.")

    def set_back(self, by: float) -> Hit:
        """Return the same, counting less."""
        return replace(self, score=self.score - by)


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

_CLEANED: Final = 40
"""So many lines before the end belong to the cleaning-up."""
_GUESS: Final = 40
"""Below this weight lines are guesses, and of guesses one near the end is the better."""
_DOUBT: Final = 30
"""A guess about what was printed while cleaning up counts so much less."""
_TELLING: Final = 17
"""Above this a line tells of a failure."""

_MILD: Final = re.compile(
    rb"(?i)^(?:\S+ ){0,3}\W{0,3}(?:W|WARN|WARNING|NOTICE|INFO|DEBUG|I|N)\b\]?[:\]\s]|level=(?:warn|info|debug)"
    rb"|\bwarning:|(?<!out )\bretrying\b|will retry|retry(?:ing)? in \d|retries left|attempt \d+ ?(?:of|/)"
    rb"|\(\d+/\d+\)[.: ]"
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
    well = not end.known and ended_well(reading.tail)
    success = reading.lines if well else reading.success
    found: list[tuple[int, Hit]] = []
    for place, kept in reading.kept.items():
        rule = rules[place]
        if not end.suits(rule):
            continue
        for seen in kept.sightings():
            if not reading.is_excused(seen.number):
                hit = _weighed(rule, seen, reading, kept.count)
                if seen.number <= success:
                    hit = hit.set_back(15 if end.failed and not hit.mild else 60)
                found.append((place, hit))
    found = [(place, _without_cleaning(hit, found, reading)) for place, hit in found]
    found.sort(key=lambda each: (-each[1].score, each[1].seen.number, each[0]))
    return [hit for _, hit in found]


def _without_cleaning(hit: Hit, found: Sequence[tuple[int, Hit]], reading: Reading) -> Hit:
    """Set back what was printed while a build that had failed already cleaned up behind itself."""
    if hit.rule.weight >= _SURE or hit.score <= 0 or reading.lines - hit.seen.number > _CLEANED:
        return hit
    since = cleaning_since(hit.seen)
    if since is None:
        return hit
    failed = any(reading.success < other.seen.number < since and other.score > _TELLING for _, other in found)
    if failed:
        return hit.set_back(100)
    return hit.set_back(_DOUBT) if hit.rule.weight < _GUESS else hit


def _weighed(rule: Rule, seen: Sighting, reading: Reading, count: int) -> Hit:
    """Weigh a line: its rule, its tone, what came of it, how near to the end it stands, how rare its like is."""
    score = float(rule.weight)
    distance = reading.lines - seen.number
    if distance > _NEAR and rule.near_end:
        return Hit(0.0, seen, rule)
    if is_trailer(seen.line, seen.after):
        return Hit(score - 100, seen, rule)
    mild = False
    if rule.weight < _SURE and not rule.fatal:
        became = outcome(seen, rule)
        if became == "worked":
            return Hit(score - 100, seen, rule, mild=True)
        mild = became == "minor" or _MILD.search(seen.line) is not None
    score += -20 if mild else _tone(seen.line)
    if distance > _NEAR:
        score -= min(25.0, 4 * log2(distance / _NEAR))
    elif rule.weight < _GUESS:
        score -= min(8.0, distance / 6)
    if count > _MANY and rule.weight < _STRONG:
        score -= min(10.0, 2 * log2(count / _MANY))
    return Hit(score, seen, rule, mild=mild)


def _tone(line: bytes) -> float:
    """Weigh the voice in which a line is spoken: a calm one counts against it, a grave one for it."""
    if (_CALM.search(line) and not _COUNTED.search(line)) or _TITLE.search(line):
        return -100.0
    return 3.0 if _GRAVE.search(line) else 0.0


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
    if known and known[0].score >= _least(known[0], end, reading):
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
    if hit.rule.weight >= _SURE or hit.rule.fatal or not hit.mild:
        return True
    return any(other.seen.number >= hit.seen.number and other.score > _WORSE and not other.mild for other in hits)


def _overrules(hit: Hit, end: Rule) -> bool:
    """Tell whether a line explains the failure better than the way the process ended."""
    if hit.rule.fatal or (hit.rule.failure_class == "resource" and hit.score >= _STRONG):
        return True
    if end.failure_class in ("timeout", "stall"):
        return hit.score >= _STRONG and GROUP_OF[hit.rule.failure_class] != "transient"
    return False


def _least(hit: Hit, end: End, reading: Reading) -> float:
    """The least score with which a line decides; output that may belong to a success needs more."""
    if end.known and not end.failed:
        return 84.0
    if end.known or reading.lines <= _FEW or ended_badly(reading.tail):
        return 12.0
    return 24.0 if reading.lines - hit.seen.number < _FEW and not hit.mild else 40.0


def confidence(verdict: Verdict, hits: Sequence[Hit]) -> float:
    """How sure the verdict is, from 0 to 1: less when lines of another class weigh about as much."""
    score = verdict.hit.score if verdict.hit else float(abs(verdict.rule.weight))
    sure = min(0.97, max(0.2, score / 100))
    mine = verdict.rule.failure_class
    rival = next((hit for hit in hits if not hit.is_smell and hit.rule.failure_class != mine), None)
    if verdict.hit is not None and rival is not None and rival.score > score - 10:
        sure *= 0.8
    return round(sure, 2)
