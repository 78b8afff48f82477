"""Understands a failure: from the output of an attempt and the way it ended to class, signature and the lines that prove it."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field, replace
from math import log2
from typing import TYPE_CHECKING, Final, Literal

from toolkit.core.classes import GROUP_OF
from toolkit.core.evidence import EvidenceLine, Kept, Sighting, blocks, known_by, number_of, shapes, sighting, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Sequence

    from toolkit.core.classes import FailureClass, Group
    from toolkit.core.engine import EngineChoice, EngineName, LineFinder
    from toolkit.core.evidence import Block
    from toolkit.core.rules.rule import Rule

EVIDENCE_LINES: Final = 20
SUMMARY_CHARS: Final = 500
ROOT: Final = 100
"""The weight from which a line names its cause in any tone."""
_COMPILING_PAYS: Final = 16 << 20
"""From so many bytes on, hyperscan's start-up costs less than it saves."""
_TAIL_LINES: Final = 200
_TAIL_BYTES: Final = 32 << 10
_FAMILIAR_SHAPES: Final = 20_000
_FAMILIAR_BYTES: Final = 16 << 20
_NEAR: Final = 80
"""So many lines before the end count as the end."""

Ending = Literal["timeout", "stall"]


@dataclass(frozen=True, slots=True)
class Failure:
    """What is known about why an attempt failed; `evidence` holds the most telling line first."""

    failure_class: FailureClass
    signature: str
    rule: str | None
    confidence: float
    evidence: tuple[EvidenceLine, ...]
    template: str | None = None
    retry_after: float | None = None
    context: tuple[EvidenceLine, ...] = ()
    ending: str = ""

    @property
    def group(self) -> Group:
        return GROUP_OF[self.failure_class]

    @property
    def summary(self) -> str:
        """One line that says what happened: the best evidence, or how the process ended."""
        best = self.evidence[0].text.strip() if self.evidence else ""
        return " ".join(best.split())[:SUMMARY_CHARS] or self.ending or "failed without saying why"


@dataclass(frozen=True, slots=True)
class _Hit:
    """A line that counts, and how much."""

    score: float
    seen: Sighting
    rule: Rule


@dataclass(slots=True)
class _Reading:
    """What one pass over the output has found."""

    kept: dict[int, Kept] = field(default_factory=dict)
    excused: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=4000))
    tail: list[EvidenceLine] = field(default_factory=list)
    novel: list[EvidenceLine] = field(default_factory=list)
    lines: int = 0
    success: int = 0


class Classifier:
    """Classifies failures by a person's own rules first, then by the built-in ones; reusable, not for several threads at once."""

    def __init__(self, own: Sequence[Rule] = (), *, engine: EngineChoice = "auto") -> None:
        from toolkit.core.rules import BUILT_IN, SMELLS

        self._own = len(own)
        self._rules: tuple[Rule, ...] = (*own, *BUILT_IN)
        self._looked_for = (*(rule for rule in self._rules if rule.match), *SMELLS)
        self._smells_from = len(self._looked_for) - len(SMELLS)
        self._place = {id(rule): at for at, rule in enumerate((*self._rules, *SMELLS))}
        self._engine: EngineChoice = engine
        self._finders: dict[EngineName, LineFinder] = {}
        self._unless: dict[str, Callable[[bytes], bool]] = {}

    def classify(
        self,
        output: Iterable[bytes] | bytes,
        *,
        exit_code: int | None = None,
        signal: int | None = None,
        state: int | None = None,
        familiar: Container[int] = frozenset(),
        ended_by: Ending | None = None,
    ) -> Failure:
        """Say what went wrong in an attempt, from its output and its end.

        `familiar` holds the numbers that `familiar_lines` returned for successful attempts of the same state: lines of these
        shapes prove nothing. `ended_by` tells that we ended the attempt ourselves. The output may have any size and be cut anywhere.
        """
        signal, exit_code = _end_of(signal, exit_code)
        reading = self._read(output, known_by(familiar))
        hits = self._hits(reading, state, exit_code, signal)
        verdict = self._judge(hits, reading, exit_code, signal, state, ended_by)
        return _failure(verdict, hits, reading, _words_for(exit_code, signal, ended_by))

    def classify_line(self, line: bytes, *, state: int | None = None) -> Failure:
        """Classify one line on its own."""
        return self.classify(line, state=state)

    def classify_lines(self, lines: Iterable[bytes], *, state: int | None = None) -> Iterator[Failure]:
        """Classify each line on its own, in order."""
        for line in lines:
            yield self.classify_line(line, state=state)

    def fatal(self, output: bytes) -> Rule | None:
        """Return the first rule whose line in `output` means that the attempt is lost, so that nobody waits for its time-out."""
        finder = self._finder("re", tuple(rule for rule in self._rules if rule.fatal))
        for block in blocks(output):
            for start, end, numbers in finder.lines(block.data):
                for number in numbers:
                    rule = self._fatal_rules[number]
                    if not self._excused_by_itself(rule, block.data[start:end]):
                        return rule
        return None

    # ------------------------------------------------------------ reading

    _fatal_rules: tuple[Rule, ...] = ()
    _fatal_finder: LineFinder | None = None

    def _finder(self, engine: EngineName, rules: tuple[Rule, ...] | None = None) -> LineFinder:
        from toolkit.core.engine import LineFinder

        if rules is not None:
            if self._fatal_finder is None:
                self._fatal_rules = rules
                self._fatal_finder = LineFinder([rule.match for rule in rules], engine)
            return self._fatal_finder
        if engine not in self._finders:
            self._finders[engine] = LineFinder([rule.match for rule in self._looked_for], engine)
        return self._finders[engine]

    def _read(self, output: Iterable[bytes] | bytes, familiar: Callable[[bytes], bool]) -> _Reading:
        from toolkit.core.engine import installed

        reading = _Reading()
        waiting: list[Block] = []
        size = 0
        finder: LineFinder | None = None
        last: Block | None = None
        marker = 0
        for block in blocks(output):
            last = block
            if finder is None:
                waiting.append(block)
                size += len(block.data)
                if size < _COMPILING_PAYS and self._engine == "auto":
                    continue
                finder = self._finder(installed(self._engine, size, _COMPILING_PAYS))
                for early in waiting:
                    marker = self._collect(finder, early, reading, familiar, marker)
                waiting.clear()
            else:
                marker = self._collect(finder, block, reading, familiar, marker)
        if finder is None:
            finder = self._finder(installed(self._engine, size, _COMPILING_PAYS))
            for early in waiting:
                marker = self._collect(finder, early, reading, familiar, marker)
        if last is not None:
            _read_tail(reading, last, familiar)
        return reading

    def _collect(
        self, finder: LineFinder, block: Block, reading: _Reading, familiar: Callable[[bytes], bool], marker: int
    ) -> int:
        """Keep the lines of one block that say something; `marker` is the last line that an ignored error would point back to."""
        at = feeds = 0
        for start, end, numbers in finder.lines(block.data):
            line_number = block.line_number(start, at, feeds)
            feeds = line_number - block.first_line
            at = start
            seen: Sighting | None = None
            for number in numbers:
                rule = self._looked_for[number]
                if rule.id == "smell.task":
                    marker = line_number
                elif rule.id == "smell.ignored":
                    reading.excused.append((marker or line_number - 1, line_number))
                elif rule.id == "smell.success":
                    if not self._excused_by_itself(rule, block.data[start:end]):
                        reading.success = line_number
                else:
                    if number < self._smells_from and self._excused_by_itself(rule, block.data[start:end]):
                        continue
                    seen = seen or sighting(block, line_number, start, end)
                    kept = reading.kept.get(number)
                    if kept is None:
                        kept = reading.kept[number] = Kept(self._noise(rule, familiar) if number >= self._smells_from else familiar)
                    kept.add(seen)
        return marker

    def _noise(self, rule: Rule, familiar: Callable[[bytes], bool]) -> Callable[[bytes], bool]:
        """Join both reasons to leave a line out; asked for kept lines only, since smells are frequent."""
        return lambda line: self._excused_by_itself(rule, line) or familiar(line)

    def _excused_by_itself(self, rule: Rule, line: bytes) -> bool:
        if rule.unless is None:
            return False
        matches = self._unless.get(rule.unless)
        if matches is None:
            from toolkit.core.engine import matcher

            matches = self._unless[rule.unless] = matcher(rule.unless)
        return matches(line)

    # ------------------------------------------------------------ judging

    def _hits(self, reading: _Reading, state: int | None, exit_code: int | None, signal: int | None) -> list[_Hit]:
        hits: list[_Hit] = []
        setback = 15 if exit_code or signal else 60
        for number, kept in reading.kept.items():
            rule = self._looked_for[number]
            if not rule.asks_for(state, exit_code, signal):
                continue
            hits += [
                _Hit(_score(rule, seen, reading, kept.count) - (0 if seen.number > reading.success else setback), seen, rule)
                for seen in kept.sightings()
                if not any(low <= seen.number <= high for low, high in reading.excused)
            ]
        hits.sort(key=lambda hit: (-hit.score, hit.seen.number, self._place[id(hit.rule)]))
        return hits

    def _judge(
        self,
        hits: list[_Hit],
        reading: _Reading,
        exit_code: int | None,
        signal: int | None,
        state: int | None,
        ended_by: Ending | None,
    ) -> tuple[Rule, _Hit | None] | None:
        """Choose the rule that explains the failure, with its line; None when nothing known does."""
        mine = [hit for hit in hits if self._place[id(hit.rule)] < self._own]
        if mine:
            first = min(mine, key=lambda hit: (self._place[id(hit.rule)], -hit.score))
            return first.rule, first
        for rule in self._rules[: self._own]:
            if not rule.match and rule.asks_for(state, exit_code, signal):
                return rule, None
        known = [hit for hit in hits if not hit.rule.id.startswith("smell.")]
        if exit_code is None and signal is None and reading.lines > _FEW:
            known = [hit for hit in known if _confirmed(hit, hits)]
        best = known[0] if known else None
        by_end = self._by_end(exit_code, signal, state, ended_by)
        if by_end is not None:
            stronger = next((hit for hit in known if _overrules(hit, by_end)), None)
            return (stronger.rule, stronger) if stronger else (by_end, None)
        if best is not None and best.score >= _least(exit_code, reading.lines):
            return best.rule, best
        if exit_code in (0, None) and signal is None:
            return None
        ends = (rule for rule in self._rules[self._own :] if not rule.match and (rule.exit_codes or rule.signals))
        found = next((rule for rule in ends if rule.asks_for(state, exit_code, signal)), None)
        return (found, None) if found else None

    def _by_end(self, exit_code: int | None, signal: int | None, state: int | None, ended_by: Ending | None) -> Rule | None:
        """Return the rule for an end that says more than most output: our own time-out, a time-out's exit code, a signal."""
        from toolkit.core.rules import STALLED, TIMED_OUT

        if ended_by is not None:
            return TIMED_OUT if ended_by == "timeout" else STALLED
        for rule in self._rules[self._own :]:
            if not rule.match and rule.weight > 0 and (rule.exit_codes or rule.signals) and rule.asks_for(state, exit_code, signal):
                return rule if rule.failure_class in ("timeout", "killed", "resource") else None
        return None


def _confirmed(hit: _Hit, hits: list[_Hit]) -> bool:
    """Whether a mere warning was followed by worse: without an exit code, a warning alone is no failure."""
    if hit.rule.weight >= ROOT or hit.rule.fatal or not _MILD.search(hit.seen.line):
        return True
    return any(
        other.seen.number >= hit.seen.number and other.score > _WORSE and not _MILD.search(other.seen.line)
        for other in hits
    )


def _overrules(hit: _Hit, end: Rule) -> bool:
    """Whether a line explains the failure better than the way the process ended."""
    if hit.rule.fatal or (hit.rule.failure_class == "resource" and hit.score >= _STRONG):
        return True
    if end.failure_class in ("timeout", "stall"):
        return hit.score >= _STRONG and GROUP_OF[hit.rule.failure_class] != "transient"
    return False


_STRONG: Final = 86.0
_WORSE: Final = 24.0
_FEW: Final = 3
"""So few lines were picked out by somebody: what they say is meant."""


def _least(exit_code: int | None, lines: int) -> float:
    """The least score with which a line decides; output that may belong to a success needs more."""
    if exit_code == 0:
        return 84.0
    return 12.0 if exit_code is not None or lines <= _FEW else 40.0


_MILD: Final = re.compile(
    rb"(?i)^(?:\S+ ){0,3}\W{0,3}(?:W|WARN|WARNING|NOTICE|INFO|DEBUG|I|N)\b\]?[:\]\s]|level=(?:warn|info|debug)|\bwarning:|\bretrying\b|will retry|retry(?:ing)? in \d"
    rb"|retries left|attempt \d+ ?(?:of|/)|\(\d+/\d+\)[.: ]|\bignor(?:ed|ing)\b|non-fatal|not fatal|continuing anyway|falling back|trying (?:again|next|other)|skipping|^\[MIRROR\]|trying other mirror"
)
_CALM: Final = re.compile(rb"\bPASS(?:ED)?\b|^ok \d+|\.\.\. ok$|: ok$|\[ *OK *\]")
_GRAVE: Final = re.compile(rb"^\W{0,4}(?:\S+: )?(?:E:|[Ee][Rr][Rr][Oo][Rr]\b|[Ff][Aa][Tt][Aa][Ll]\b|FAILED|failed|CRITICAL|panic)")


def _score(rule: Rule, seen: Sighting, reading: _Reading, count: int) -> float:
    """Weigh a line: its rule, its tone, how near to the end it stands, how rare its like is."""
    score = float(rule.weight)
    if rule.weight < ROOT and not rule.fatal and _MILD.search(seen.line):
        score -= 20
    elif _CALM.search(seen.line):
        score -= 60
    elif _GRAVE.search(seen.line):
        score += 3
    distance = reading.lines - seen.number
    if distance > _NEAR:
        score -= min(25.0, 4 * log2(distance / _NEAR))
    if count > _TAIL_LINES and rule.weight < _STRONG:
        score -= min(10.0, 2 * log2(count / _TAIL_LINES))
    return score


def _end_of(signal: int | None, exit_code: int | None) -> tuple[int | None, int | None]:
    """Agree on one account of the end: shells report a signal as 128 + n, Python as -n."""
    if signal is None and exit_code is not None:
        if exit_code < 0:
            signal = -exit_code
        elif 128 < exit_code <= 128 + 31:
            signal = exit_code - 128
    return signal, exit_code


def _words_for(exit_code: int | None, signal: int | None, ended_by: Ending | None) -> str:
    if ended_by is not None:
        return "ended by the time limit" if ended_by == "timeout" else "ended because it made no progress"
    if signal is not None:
        return f"ended by signal {signal}"
    return "" if exit_code is None else f"exit code {exit_code}"


# ---------------------------------------------------------------- evidence


def _read_tail(reading: _Reading, last: Block, familiar: Callable[[bytes], bool]) -> None:
    """Remember the last lines, and which of them successful attempts did not print."""
    data = last.data
    reading.lines = last.first_line + last.numbering.count(b"\n") - last.numbering.endswith(b"\n")
    start = max(0, len(data) - _TAIL_BYTES)
    start = data.rfind(b"\n", 0, start) + 1 if start else 0
    number = last.line_number(start)
    found: list[EvidenceLine] = []
    for raw in last.numbering[start:].split(b"\n"):
        found += [EvidenceLine(number, text_of(piece)) for piece in raw.split(b"\r") if piece.strip()]
        number += 1
    reading.tail = found[-_TAIL_LINES:]
    reading.novel = [line for line in reading.tail if not familiar(line.text.encode())]


def _failure(verdict: tuple[Rule, _Hit | None] | None, hits: list[_Hit], reading: _Reading, ending: str) -> Failure:
    from toolkit.core.rules.rule import SYMPTOM
    from toolkit.core.signature import signature

    if verdict is None:
        guess = next((hit for hit in hits if hit.rule.id.startswith("smell.")), None)
        evidence = _evidence(guess, hits, reading)
        context = guess.seen.context(3, 8) if guess else ()
        name, readable = signature(evidence[0].text if evidence else ending)
        sure = 0.1 if guess is None else 0.3
        return Failure("unknown", name, None, sure, evidence, readable, None, context, ending)
    rule, hit = verdict
    evidence = _evidence(hit, hits, reading)
    context = hit.seen.context(3, 8) if hit else ()
    score = hit.score if hit else float(abs(rule.weight))
    rival = next((other for other in hits if other.rule.failure_class not in (rule.failure_class, "unknown")), None)
    sure = min(0.97, max(0.2, score / 100))
    if hit is not None and rival is not None and rival.score > score - 10:
        sure *= 0.8
    near = (line.text for line in (*evidence[:5], *context))
    wait = next((seconds for seconds in map(_retry_after, near) if seconds is not None), None)
    name, readable = signature(evidence[0].text) if hit and rule.weight < SYMPTOM - 10 else (rule.id, None)
    failure = Failure(rule.failure_class, name, rule.id, round(sure, 2), evidence, readable, None, context, ending)
    return replace(failure, retry_after=wait) if GROUP_OF[rule.failure_class] == "transient" else failure


def _evidence(best: _Hit | None, hits: list[_Hit], reading: _Reading) -> tuple[EvidenceLine, ...]:
    """Rank the lines: the deciding one, others that rules know, its surroundings, what is new near the end."""
    chosen: dict[tuple[int, str], EvidenceLine] = {}

    def take(lines: Iterable[EvidenceLine], most: int) -> None:
        for line in lines:
            if len(chosen) >= most:
                return
            if line.text.strip():
                chosen.setdefault((line.line, line.text), line)

    ordered = ([best] if best else []) + hits
    found = [EvidenceLine(hit.seen.number, text_of(hit.seen.line)) for hit in ordered]
    take(_varied(found), 12)
    if best is not None:
        take(best.seen.context(2, 6), 16)
    take(reversed(reading.novel or reading.tail), EVIDENCE_LINES)
    return tuple(chosen.values())


def _varied(lines: Iterable[EvidenceLine]) -> list[EvidenceLine]:
    """Put lines that look like one that came before behind the others: twenty times the same proves it once."""
    seen: dict[int, int] = {}
    first: list[EvidenceLine] = []
    again: list[EvidenceLine] = []
    for line in lines:
        shape = number_of(shapes(line.text.encode())[0])
        seen[shape] = seen.get(shape, 0) + 1
        (first if seen[shape] == 1 else again).append(line)
    return first + again


_WAIT: Final = re.compile(
    r"(?i)(?:retry[- ]after\W{1,4}|(?:re)?try again (?:in|after) (?:about )?|retry(?:ing)? (?:in|after) |wait (?:for )?)(\d{1,6}(?:\.\d+)?) ?(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hours?)?\b"
)
_SECONDS: Final = {"m": 60.0, "h": 3600.0}


def _retry_after(text: str) -> float | None:
    """Return the seconds that a server asked to wait, when the line says so."""
    found = _WAIT.search(text)
    if found is None:
        return None
    unit = (found[2] or "s").lower()
    return float(found[1]) * (0.001 if unit.startswith(("ms", "milli")) else _SECONDS.get(unit[0], 1.0))


# ---------------------------------------------------------------- what successful attempts print


def familiar_lines(output: Iterable[bytes] | bytes) -> frozenset[int]:
    """Return the numbers of the line shapes of a successful attempt: what also stands there is noise.

    At most 20,000 shapes of the first 16 MB; numbers are signed 64-bit and the same in every process.
    """
    found: set[int] = set()
    seen: set[bytes] = set()
    size = 0
    for block in blocks(output):
        size += len(block.data)
        new = set(shapes(block.data)) - seen
        seen |= new
        found.update(map(number_of, new))
        if len(found) >= _FAMILIAR_SHAPES or size >= _FAMILIAR_BYTES:
            break
    return frozenset(sorted(found)[:_FAMILIAR_SHAPES])
