"""Understands a failure: from an attempt's output and its end to class, signature and the lines that prove it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from toolkit.core.classes import GROUP_OF, FailureClass
from toolkit.core.evidence import EvidenceLine, blocks, known_by, number_of, shapes, text_of
from toolkit.core.judging import End, Ending, Hit, Verdict, confidence, hits_in, judge
from toolkit.core.lastwords import is_trailer
from toolkit.core.reading import Reader, Reading

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence

    from toolkit.core.classes import Group
    from toolkit.core.engine import EngineChoice, LineFinder
    from toolkit.core.rules.rule import Rule

EVIDENCE_LINES: Final = 20
SUMMARY_CHARS: Final = 500
_KNOWN_LINES: Final = 12
_WITH_CONTEXT: Final = 16
_VAGUE: Final = 40
"""A rule below this weight says that something failed, not what: the message itself makes the signature."""
_FAMILIAR_SHAPES: Final = 20_000
_FAMILIAR_BYTES: Final = 16 << 20


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


class Classifier:
    """Classifies failures by a person's own rules first, then by the built-in ones.

    Reusable, and better reused: what is compiled for one output serves the next. Not for several threads at once.
    """

    def __init__(self, own: Sequence[Rule] = (), *, engine: EngineChoice = "auto") -> None:
        from toolkit.core.rules import BUILT_IN, SMELLS

        self._own = tuple(own)
        self._built_in = BUILT_IN
        self._reader = Reader([rule for rule in (*own, *BUILT_IN) if rule.match], SMELLS, engine)
        self._fatal: tuple[LineFinder, list[Rule]] | None = None

    def classify(  # noqa: PLR0913 - each is one thing that may be known of an end
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

        `familiar` holds the numbers that `familiar_lines` returned for successful attempts of the same state: lines of
        these shapes prove nothing. `ended_by` tells that we ended the attempt ourselves. The output may have any size
        and be cut anywhere.
        """
        end = End.of(exit_code, signal, state, ended_by)
        reading = self._reader.read(output, known_by(familiar))
        hits = hits_in(reading, self._reader.rules, end)
        verdict = judge(hits, reading, end, self._own, self._built_in)
        return _unknown(hits, reading, end) if verdict is None else _known(verdict, hits, reading, end)

    def classify_line(self, line: bytes, *, state: int | None = None) -> Failure:
        """Classify one line on its own."""
        return self.classify(line, state=state)

    def classify_lines(self, lines: Iterable[bytes], *, state: int | None = None) -> Iterator[Failure]:
        """Classify each line on its own, in order."""
        for line in lines:
            yield self.classify_line(line, state=state)

    def rules_seen(self, output: Iterable[bytes] | bytes, *, state: int | None = None) -> frozenset[str]:
        """Return the ids of all rules that match somewhere in an output, so that rules can be watched on successes.

        Rules that are for certain states are asked when `state` is one of them.
        """
        reading = self._reader.read(output, known_by(()))
        hits = hits_in(reading, self._reader.rules, End(state=state))
        return frozenset(hit.rule.id for hit in hits if not hit.is_smell and (hit.score > 0 or not hit.rule.near_end))

    def fatal(self, output: bytes) -> Rule | None:
        """Return the first rule by which a line says that the attempt is lost: nobody need wait for its time-out."""
        if self._fatal is None:
            from toolkit.core.engine import LineFinder

            rules = [rule for rule in (*self._own, *self._built_in) if rule.fatal]
            self._fatal = LineFinder([rule.match for rule in rules], "re"), rules
        finder, rules = self._fatal
        for block in blocks(output):
            for start, end, numbers in finder.lines(block.data):
                for rule in (rules[number] for number in numbers):
                    if not self._reader.excuses_itself(rule, block.data[start:end]):
                        return rule
        return None


def _unknown(hits: Sequence[Hit], reading: Reading, end: End) -> Failure:
    """Say honestly that nothing known matched, with the most suspicious line and its template."""
    from toolkit.core.signature import signature

    guess = next((hit for hit in hits if hit.is_smell and hit.score > 0), None)
    evidence = _evidence(guess, hits, reading)
    name, readable = signature(evidence[0].text if evidence else end.words)
    return Failure(
        failure_class="unknown",
        signature=name,
        rule=None,
        confidence=0.1 if guess is None else 0.3,
        evidence=evidence,
        template=readable,
        context=guess.seen.context(3, 8) if guess else (),
        ending=end.words,
    )


def _known(verdict: Verdict, hits: Sequence[Hit], reading: Reading, end: End) -> Failure:
    from toolkit.core.signature import signature

    rule, hit = verdict
    evidence = _evidence(hit, hits, reading)
    context = hit.seen.context(3, 8) if hit else ()
    name: str = rule.id
    readable: str | None = None
    if hit is not None and rule.weight < _VAGUE:
        name, readable = signature(evidence[0].text)
    transient = GROUP_OF[rule.failure_class] == "transient"
    return Failure(
        failure_class=rule.failure_class,
        signature=name,
        rule=rule.id,
        confidence=confidence(verdict, hits),
        evidence=evidence,
        template=readable,
        retry_after=_retry_after((*evidence[:5], *context)) if transient else None,
        context=context,
        ending=end.words,
    )


def _evidence(best: Hit | None, hits: Sequence[Hit], reading: Reading) -> tuple[EvidenceLine, ...]:
    """Rank the lines: the deciding one, others that rules know, its surroundings, what is new near the end."""
    chosen: dict[tuple[int, str], EvidenceLine] = {}

    def take(lines: Iterable[EvidenceLine], most: int) -> None:
        for line in lines:
            if len(chosen) >= most:
                return
            if line.text.strip():
                chosen.setdefault((line.line, line.text), line)

    ordered = [*([best] if best else []), *(hit for hit in hits if hit.score > 0)]
    take(_varied(EvidenceLine(hit.seen.number, text_of(hit.seen.line)) for hit in ordered), _KNOWN_LINES)
    if best is not None:
        take(best.seen.context(2, 6), _WITH_CONTEXT)
    late = list(reversed(reading.novel or reading.tail))
    take((line for line in late if not is_trailer(line.text.encode())), EVIDENCE_LINES)
    take(late, EVIDENCE_LINES)
    return tuple(chosen.values())


def _varied(lines: Iterable[EvidenceLine]) -> list[EvidenceLine]:
    """Put lines that look like one that came before behind the others: twenty times the same proves it once."""
    seen: set[int] = set()
    first: list[EvidenceLine] = []
    again: list[EvidenceLine] = []
    for line in lines:
        shape = number_of(shapes(line.text.encode())[0])
        (again if shape in seen else first).append(line)
        seen.add(shape)
    return first + again


_WAIT: Final = re.compile(
    r"(?i)(?:retry[- ]after\W{1,4}|(?:re)?try again (?:in|after) (?:about )?|retry(?:ing)? (?:in|after) "
    r"|wait (?:for )?)"
    r"(\d{1,6}(?:\.\d+)?) ?(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hours?)?\b"
)
_SECONDS: Final = {"m": 60.0, "h": 3600.0}


def _retry_after(lines: Iterable[EvidenceLine]) -> float | None:
    """Return the seconds that a server asked to wait, when one of the lines says so."""
    for line in lines:
        found = _WAIT.search(line.text)
        if found is not None:
            unit = (found[2] or "s").lower()
            return float(found[1]) * (0.001 if unit.startswith(("ms", "milli")) else _SECONDS.get(unit[0], 1.0))
    return None


def familiar_lines(output: Iterable[bytes] | bytes) -> frozenset[int]:
    """Return the numbers of the line shapes of a successful attempt: what also stands there is noise.

    At most 20,000 shapes of the first 16 MB; numbers are signed 64-bit and the same in every process.
    """
    found: set[int] = set()
    seen: set[bytes] = set()
    size = 0
    for block in blocks(output):
        size += len(block.data)
        new = set(shapes(b"\n".join(set(block.data.split(b"\n"))))) - seen
        seen |= new
        found.update(map(number_of, new))
        if len(found) >= _FAMILIAR_SHAPES or size >= _FAMILIAR_BYTES:
            break
    return frozenset(sorted(found)[:_FAMILIAR_SHAPES])
