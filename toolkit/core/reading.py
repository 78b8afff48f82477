"""One pass over an attempt's output: which lines say something, which of those are excused, and how it ends."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from toolkit.core.evidence import EvidenceLine, Kept, Sighting, blocks, sighting, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from toolkit.core.engine import EngineChoice, EngineName, LineFinder
    from toolkit.core.evidence import Block
    from toolkit.core.rules.rule import Rule

    Noise = Callable[[bytes], bool]

COMPILING_PAYS: Final = 16 << 20
"""From so many bytes on, hyperscan's start-up costs less than it saves."""
TAIL_LINES: Final = 200
_LATE_BYTES: Final = 4 << 20
_TAIL_BYTES: Final = 32 << 10
_EXCUSES: Final = 4000
_REMEMBERED: Final = 2000
"""So many lines are remembered with what excuses them: logs repeat themselves."""


@dataclass(slots=True)
class Reading:
    """What one pass has found: lines by the number of their rule, excused spans, the last sign of success, the tail."""

    kept: dict[int, Kept] = field(default_factory=dict)
    excused: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=_EXCUSES))
    tail: list[EvidenceLine] = field(default_factory=list)
    novel: list[EvidenceLine] = field(default_factory=list)
    lines: int = 0
    success: int = 0
    task: int = 0

    def is_excused(self, number: int) -> bool:
        """Tell whether the output itself says that what stands in this line was ignored."""
        return any(first <= number <= last for first, last in self.excused)


class Reader:
    """Reads outputs by a set of rules and smells; keeps its compiled expressions from one output to the next."""

    def __init__(self, rules: Sequence[Rule], smells: Sequence[Rule], engine: EngineChoice) -> None:
        signs = [rule for rule in smells if rule.id in _SIGNS]
        late = [rule for rule in rules if rule.near_end]
        late += [rule for rule in smells if rule.id not in _SIGNS]
        self.rules = (*(rule for rule in rules if not rule.near_end), *signs, *late)
        self._late_from = len(self.rules) - len(late)
        self._signs = frozenset(range(self._late_from - len(signs), self._late_from))
        self._engine: EngineChoice = engine
        self._finders: dict[tuple[EngineName, bool], LineFinder] = {}
        self._unless: dict[str, Noise] = {}
        self._excused: dict[tuple[str, bytes], bool] = {}

    def read(self, output: Iterable[bytes] | bytes, familiar: Noise) -> Reading:
        """Read the whole output, of any size, in bounded memory; lines that `familiar` knows are not kept.

        Rules look at everything. Broad rules and smells, which are frequent and matter only where no rule knows better,
        look at the last part.
        """
        reading = Reading()
        last: deque[Block] = deque()
        size = 0
        name: EngineName = "re"
        for block, name in self._with_engine(blocks(output)):
            self._collect(self._finder(name, late=False), 0, block, reading, familiar)
            last.append(block)
            size += len(block.data)
            while size - len(last[0].data) >= _LATE_BYTES:
                size -= len(last.popleft().data)
        for block in last:
            self._collect(self._finder(name, late=True), self._late_from, block, reading, familiar)
        if last:
            _read_tail(reading, last[-1], familiar)
        return reading

    def _with_engine(self, source: Iterator[Block]) -> Iterator[tuple[Block, EngineName]]:
        """Choose the engine when it is known whether the output is large, and name it with every block."""
        from toolkit.core.engine import installed

        waiting: list[Block] = []
        size = 0
        for block in source:
            waiting.append(block)
            size += len(block.data)
            if size >= COMPILING_PAYS or self._engine != "auto":
                break
        name = installed(self._engine, size, COMPILING_PAYS)
        while waiting:
            yield waiting.pop(0), name
        for block in source:
            yield block, name

    def _finder(self, name: EngineName, *, late: bool) -> LineFinder:
        from toolkit.core.engine import LineFinder

        if (name, late) not in self._finders:
            rules = self.rules[self._late_from :] if late else self.rules[: self._late_from]
            self._finders[name, late] = LineFinder([rule.match for rule in rules], name)
        return self._finders[name, late]

    def _collect(self, finder: LineFinder, first: int, block: Block, reading: Reading, familiar: Noise) -> None:
        """Keep the lines of a block that the finder's expressions match; they are numbered from `first` on."""
        at = feeds = 0
        for start, end, numbers in finder.lines(block.data, self._signs if first == 0 else ()):
            line_number = block.line_number(start, at, feeds)
            feeds, at = line_number - block.first_line, start
            line = block.data[start:end]
            seen: Sighting | None = None
            for number in (first + number for number in numbers):
                rule = self.rules[number]
                if rule.id in _SIGNS:
                    self._note(rule, line, line_number, reading)
                elif number >= self._late_from or not self.excuses_itself(rule, line):
                    seen = seen or sighting(block, line_number, start, end)
                    if number not in reading.kept:
                        reading.kept[number] = Kept(self._noise(number, familiar))
                    reading.kept[number].add(seen)

        if finder.apart:
            self._read_signs(finder.apart, block, reading)

    def _read_signs(self, ends: Mapping[int, Sequence[int]], block: Block, reading: Reading) -> None:
        """Note what the signs in a block say, given where they end: the last of each, and every ignored task."""
        from toolkit.core.engine import line_at

        found = {self.rules[number].id: (self.rules[number], ends[number]) for number in ends}

        def number_at(end: int) -> int:
            return block.line_number(line_at(block.data, end - 1)[0])

        tasks = found["smell.task"][1]
        for end in found["smell.ignored"][1]:
            before = bisect_left(tasks, end)
            task = number_at(tasks[before - 1]) if before else reading.task
            number = number_at(end)
            reading.excused.append((task or number - 1, number))
        if tasks:
            reading.task = number_at(tasks[-1])
        rule, successes = found["smell.success"]
        for end in reversed(successes):
            start, stop = line_at(block.data, end - 1)
            if not self.excuses_itself(rule, block.data[start:stop]):
                reading.success = block.line_number(start)
                break

    def _note(self, rule: Rule, line: bytes, number: int, reading: Reading) -> None:
        if rule.id == "smell.task":
            reading.task = number
        elif rule.id == "smell.ignored":
            reading.excused.append((reading.task or number - 1, number))
        elif not self.excuses_itself(rule, line):
            reading.success = number

    def _noise(self, number: int, familiar: Noise) -> Noise:
        """Join both reasons to leave a line out; what is frequent is asked for its own only where a line was kept."""
        if number < self._late_from:
            return familiar
        rule = self.rules[number]
        return lambda line: self.excuses_itself(rule, line) or familiar(line)

    def excuses_itself(self, rule: Rule, line: bytes) -> bool:
        """Tell whether the line is too long for the rule, or holds what the rule must not stand beside."""
        if rule.longest is not None and len(line) > rule.longest:
            return True
        if rule.unless is None:
            return False
        known = self._excused.get((rule.unless, line))
        if known is not None:
            return known
        matches = self._unless.get(rule.unless)
        if matches is None:
            from toolkit.core.engine import matcher

            matches = self._unless[rule.unless] = matcher(rule.unless)
        if len(self._excused) >= _REMEMBERED:
            self._excused.clear()
        return self._excused.setdefault((rule.unless, line), matches(line))


_SIGNS: Final = frozenset({"smell.task", "smell.ignored", "smell.success"})


def _read_tail(reading: Reading, last: Block, familiar: Noise) -> None:
    """Remember the last lines, and which of them successful attempts did not print."""
    reading.lines = last.first_line + last.numbering.count(b"\n") - last.numbering.endswith(b"\n")
    start = max(0, len(last.data) - _TAIL_BYTES)
    start = last.data.rfind(b"\n", 0, start) + 1 if start else 0
    number = last.line_number(start)
    found: list[EvidenceLine] = []
    for raw in last.numbering[start:].split(b"\n"):
        found += [EvidenceLine(number, text_of(piece)) for piece in raw.split(b"\r") if piece.strip()]
        number += 1
    reading.tail = found[-TAIL_LINES:]
    reading.novel = [line for line in reading.tail if not familiar(line.text.encode())]
