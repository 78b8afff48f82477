"""Finds, in whole blocks of output, the lines that any of many rules matches: fast, and alike with every engine.

Hyperscan takes all expressions at once, which is dear to prepare and pays for large output. The others look for the few
literals of which each match must hold one, and match a rule's own expression only in lines that do. The engines differ
in speed alone.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, Literal

from toolkit.core.rules.linear import ends_last, line_safe, required

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

EngineName = Literal["hyperscan", "re2", "re"]
EngineChoice = Literal["auto", "hyperscan", "re2", "re"]

_DFA_BYTES: Final = 64 << 20
_ALL_BYTES: Final = 256 << 20
_KNOWN: Final = 2000
"""So many lines are remembered with their matches: logs repeat themselves."""
_MUCH: Final = 100_000
"""After so many single matches, one automaton for all of them is worth its warming up."""


def installed(choice: EngineChoice, size: int, many: int) -> EngineName:
    """Return the engine to use for `size` bytes of output: compiling for hyperscan pays from `many` bytes on."""
    if choice == "hyperscan" or (choice == "auto" and size >= many):
        try:
            import hyperscan  # noqa: F401
        except ImportError:
            pass
        else:
            return "hyperscan"
    if choice != "re":
        try:
            import re2  # noqa: F401
        except ImportError:
            pass
        else:
            return "re2"
    return "re"


def compiled(regex: str, *, lines: bool = False) -> Any:  # noqa: ANN401 - either engine's compiled expression
    """Compile an expression with RE2, or with `re` where RE2 is missing; with `lines`, to search a block of lines."""
    expression = line_safe(regex)
    try:
        import re2
    except ImportError:
        return re.compile(expression, re.MULTILINE if lines else 0)
    return re2.compile(b"(?m)" + expression if lines else expression, _re2_options(re2))


def matcher(regex: str) -> Callable[[bytes], bool]:
    """Return a function that tells whether `regex` matches one line, in linear time where RE2 is installed."""
    search = compiled(regex).search
    return lambda line: search(line) is not None


def _re2_options(re2: Any) -> Any:  # noqa: ANN401 - the binding has no types
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.log_errors = False
    options.never_capture = True
    options.max_mem = _DFA_BYTES
    return options


class LineFinder:
    """Finds the lines of a block that the given expressions match; expressions are numbered by their position."""

    def __init__(self, expressions: Sequence[str], engine: EngineName) -> None:
        self._expressions = expressions
        self._matchers: dict[int, Callable[[bytes], bool]] = {}
        self._searches: dict[int, Callable[..., Any]] = {}
        self._all: Any = None
        self._confirmed = 0
        self._known: dict[bytes, list[int]] = {}
        self._users: list[list[int]] = []
        self._without: list[int] = []
        self._whole: _Hyperscan | None = None
        self._finder: _Re2 | _Plain | None = None
        self.apart: dict[int, list[int]] = {}
        if engine == "hyperscan":
            self._whole = _Hyperscan(expressions)
            self._without = self._whole.refused
            return
        users: defaultdict[bytes, list[int]] = defaultdict(list)
        for number, expression in enumerate(expressions):
            literals = required(expression)
            for literal in literals:
                users[literal].append(number)
            if not literals:
                self._without.append(number)
        self._users = list(users.values())
        self._finder = _Re2(list(users)) if engine == "re2" else _Plain(list(users))

    def matches(self, number: int, line: bytes) -> bool:
        """Tell whether expression `number` matches this line (without its end)."""
        match = self._matchers.get(number)
        if match is None:
            match = self._matchers[number] = matcher(self._expressions[number])
        return match(line)

    def lines(self, block: bytes, apart: Collection[int] = ()) -> Iterator[tuple[int, int, list[int]]]:
        """Yield start, end and the matching expressions of every line that some expression matches, in order.

        Expressions named in `apart`, which are frequent and whose lines hardly matter, may be left out of that: where
        the matches of each in the block end is then found in `self.apart`, in order.
        """
        self.apart = {}
        if self._whole is not None and not self._without:
            yield from self._whole.lines(block, apart, self.apart)
            return
        wanted = self._candidates(block)
        for number in self._without:
            for span in self._searched(number, block):
                wanted.setdefault(span, set()).add(number)
        for start, end in sorted(wanted):
            line = block[start:end]
            hits = self._known.get(line)
            if hits is None:
                if len(self._known) >= _KNOWN:
                    self._known.clear()
                hits = self._known[line] = self._confirm(wanted[start, end], line)
            if hits:
                yield start, end, hits

    def _candidates(self, block: bytes) -> dict[tuple[int, int], set[int]]:
        """Return the lines that may match, by start and end, with the expressions to try where that is known yet."""
        if self._whole is not None:
            return {(start, end): set(numbers) for start, end, numbers in self._whole.lines(block)}
        if isinstance(self._finder, _Re2):
            return {span: set() for span in self._finder.spans(block)}
        found: dict[tuple[int, int], set[int]] = {}
        if self._finder is not None:
            for start, end, literal in self._finder.find(block):
                found.setdefault((start, end), set()).update(self._users[literal])
        return found

    def _confirm(self, numbers: set[int], line: bytes) -> list[int]:
        """Return which of the expressions match the line: one by one at first, in one go when there is much to do."""
        if isinstance(self._finder, _Re2):
            numbers = numbers.union(*(self._users[literal] for literal in self._finder.literals(line)))
        self._confirmed += len(numbers)
        if self._all is None and self._confirmed > _MUCH:
            self._all = _all_at_once(self._expressions)
        if self._all and len(numbers) > 1:
            return sorted(self._all.Match(line) or ())
        return [number for number in sorted(numbers) if self.matches(number, line)]

    def _searched(self, number: int, block: bytes) -> Iterator[tuple[int, int]]:
        """Find the lines for an expression without literals by searching the block for the expression itself."""
        search = self._searches.get(number)
        if search is None:
            search = self._searches[number] = compiled(self._expressions[number], lines=True).search
        found = search(block)
        while found is not None:
            start, end = line_at(block, found.start())
            yield start, end
            found = search(block, end + 1) if end < len(block) else None


def _all_at_once(expressions: Sequence[str]) -> Any:  # noqa: ANN401 - the binding has no types
    """Return one RE2 automaton for all expressions: dear to warm up, then cheaper than a handful of single ones."""
    try:
        import re2
    except ImportError:
        return False
    options = _re2_options(re2)
    options.max_mem = _ALL_BYTES
    together = re2.Set.SearchSet(options)
    for expression in expressions:
        together.Add(line_safe(expression))
    together.Compile()
    return together


def line_at(block: bytes, offset: int) -> tuple[int, int]:
    start = block.rfind(b"\n", 0, offset) + 1
    end = block.find(b"\n", offset)
    return start, len(block) if end < 0 else end


class _Plain:
    """The search of bytes, literal by literal: no dependency, and no start-up cost."""

    def __init__(self, literals: list[bytes]) -> None:
        self._literals = literals

    def find(self, block: bytes) -> Iterator[tuple[int, int, int]]:
        """Yield start, end and literal: once per line and literal."""
        lower = block.lower()
        for number, literal in enumerate(self._literals):
            at = lower.find(literal)
            while at >= 0:
                start, end = line_at(block, at)
                yield start, end, number
                at = lower.find(literal, end)


class _Re2:
    """One RE2 automaton finds lines that hold any literal, a second one tells which."""

    def __init__(self, literals: list[bytes]) -> None:
        import re2

        options = _re2_options(re2)
        options.case_sensitive = False
        self._any = re2.compile(b"|".join(map(re.escape, literals)), options) if literals else None
        self._which = re2.Set.SearchSet(options)
        for literal in literals:
            self._which.Add(re.escape(literal))
        if literals:
            self._which.Compile()

    def spans(self, block: bytes) -> Iterator[tuple[int, int]]:
        """Yield start and end of every line that holds any literal."""
        if self._any is None:
            return
        found = self._any.search(block)
        while found is not None:
            start, end = line_at(block, found.start())
            yield start, end
            found = self._any.search(block, end)

    def literals(self, line: bytes) -> Sequence[int]:
        """Return the numbers of the literals that a line holds."""
        return (self._which.Match(line) or ()) if self._any is not None else ()


class _Hyperscan:
    """All expressions in one automaton that runs at the speed of memory.

    It looks for a line feed where an expression has `$`: with the anchor it finds ends that are none and misses some
    that are, in short buffers of short lines.
    """

    def __init__(self, regexes: Sequence[str]) -> None:
        import hyperscan

        expressions = [line_safe(regex, end=r"\n") for regex in regexes]
        self.refused = [number for number, regex in enumerate(regexes) if not ends_last(regex)]
        numbers = [number for number in range(len(regexes)) if number not in self.refused]
        self._database: Any = None
        try:
            self._database = self._compiled(hyperscan, expressions, numbers) if numbers else None
        except hyperscan.error:
            for number in numbers:
                try:
                    self._compiled(hyperscan, expressions, [number])
                except hyperscan.error:
                    self.refused.append(number)
            accepted = [number for number in numbers if number not in self.refused]
            self._database = self._compiled(hyperscan, expressions, accepted) if accepted else None

    @staticmethod
    def _compiled(hyperscan: Any, expressions: list[bytes], numbers: list[int]) -> Any:  # noqa: ANN401 - no types
        database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        database.compile(
            expressions=[expressions[number] for number in numbers],
            ids=numbers,
            elements=len(numbers),
            flags=[hyperscan.HS_FLAG_MULTILINE] * len(numbers),
        )
        return database

    def lines(
        self, block: bytes, apart: Collection[int] = (), kept_apart: dict[int, list[int]] | None = None
    ) -> Iterator[tuple[int, int, list[int]]]:
        """Yield start, end and the matching expressions of every line that some expression matches, in order.

        The ends of the matches of those in `apart` are put into `kept_apart` instead.
        """
        if self._database is None or not block:
            return
        ends: list[tuple[int, int]] = []
        append = ends.append

        def matched(number: int, _start: int, end: int, _flags: int, _context: object) -> None:
            append((end, number))

        self._database.scan(block if block.endswith(b"\n") else block + b"\n", match_event_handler=matched)
        ends.sort()
        if kept_apart is not None:
            for number in apart:
                kept_apart[number] = [end for end, each in ends if each == number]
            ends = [each for each in ends if each[1] not in apart]
        start = line_end = -1
        found: set[int] = set()
        for end, number in ends:
            if end - 1 > line_end:
                if found:
                    yield start, line_end, sorted(found)
                start, line_end = line_at(block, end - 1)
                found = set()
            found.add(number)
        if found:
            yield start, line_end, sorted(found)
