"""Finds, in whole blocks of output, the lines that any of many rules matches: fast, and alike with every pattern engine.

A match of a rule contains one of a few literals. Those are looked for in the whole block at once (hyperscan, RE2, or plain
search); only a line that holds one is then matched by the rule's own expression. The engines differ in speed alone.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, Literal

from toolkit.core.rules.linear import line_safe, required

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

EngineName = Literal["hyperscan", "re2", "re"]
EngineChoice = Literal["auto", "hyperscan", "re2", "re"]

_DFA_BYTES: Final = 64 << 20

Matches = "Callable[[bytes], bool]"


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


def matcher(regex: str) -> Callable[[bytes], bool]:
    """Return a function that tells whether `regex` matches one line, in linear time where RE2 is installed."""
    expression = line_safe(regex)
    try:
        import re2
    except ImportError:
        search: Callable[[bytes], object] = re.compile(expression).search
    else:
        search = re2.compile(expression, _re2_options(re2)).search
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
        users: defaultdict[bytes, list[int]] = defaultdict(list)
        without: list[int] = []
        for number, expression in enumerate(expressions):
            literals = required(expression)
            for literal in literals:
                users[literal].append(number)
            if not literals:
                without.append(number)
        self._without = without
        self._users = list(users.values())
        finders: dict[EngineName, Callable[[list[bytes]], _Finder]] = {"hyperscan": _Hyperscan, "re2": _Re2, "re": _Plain}
        self._finder = finders[engine](list(users))

    def matches(self, number: int, line: bytes) -> bool:
        """Tell whether expression `number` matches this line (without its end)."""
        match = self._matchers.get(number)
        if match is None:
            match = self._matchers[number] = matcher(self._expressions[number])
        return match(line)

    def lines(self, block: bytes) -> Iterator[tuple[int, int, list[int]]]:
        """Yield start, end and the matching expressions of every line that some expression matches, in order."""
        wanted: dict[tuple[int, int], set[int]] = {}
        for start, end, literal in self._finder.find(block):
            wanted.setdefault((start, end), set()).update(self._users[literal])
        if self._without:
            for span in _every_line(block):
                wanted.setdefault(span, set()).update(self._without)
        for start, end in sorted(wanted):
            line = block[start:end]
            hits = [number for number in sorted(wanted[start, end]) if self.matches(number, line)]
            if hits:
                yield start, end, hits


def _every_line(block: bytes) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(block):
        end = block.find(b"\n", start)
        end = len(block) if end < 0 else end
        if end > start:
            yield start, end
        start = end + 1


def _line_at(block: bytes, offset: int) -> tuple[int, int]:
    start = block.rfind(b"\n", 0, offset) + 1
    end = block.find(b"\n", offset)
    return start, len(block) if end < 0 else end


class _Finder:
    """Finds where the literals occur: once per line and literal."""

    def find(self, block: bytes) -> Iterable[tuple[int, int, int]]:
        raise NotImplementedError


class _Plain(_Finder):
    """The search of bytes, literal by literal: no dependency, and no start-up cost."""

    def __init__(self, literals: list[bytes]) -> None:
        self._literals = literals

    def find(self, block: bytes) -> Iterator[tuple[int, int, int]]:
        lower = block.lower()
        for number, literal in enumerate(self._literals):
            at = lower.find(literal)
            while at >= 0:
                start, end = _line_at(block, at)
                yield start, end, number
                at = lower.find(literal, end)


class _Re2(_Finder):
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

    def find(self, block: bytes) -> Iterator[tuple[int, int, int]]:
        if self._any is None:
            return
        found = self._any.search(block)
        while found is not None:
            start, end = _line_at(block, found.start())
            for number in self._which.Match(block[start:end]):
                yield start, end, number
            found = self._any.search(block, end)


class _Hyperscan(_Finder):
    """All literals at once, at the speed of memory."""

    def __init__(self, literals: list[bytes]) -> None:
        import hyperscan

        self._count = len(literals)
        self._database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        if literals:
            self._database.compile(
                expressions=[_hex(literal) for literal in literals],
                ids=list(range(len(literals))),
                elements=len(literals),
                flags=[hyperscan.HS_FLAG_CASELESS] * len(literals),
            )

    def find(self, block: bytes) -> Iterator[tuple[int, int, int]]:
        if not self._count or not block:
            return
        ends: list[tuple[int, int]] = []
        append = ends.append

        def matched(number: int, _start: int, end: int, _flags: int, _context: object) -> None:
            append((end, number))

        self._database.scan(block, match_event_handler=matched)
        ends.sort()
        start = line_end = -1
        seen: set[int] = set()
        for end, number in ends:
            if end > line_end:
                start, line_end = _line_at(block, end - 1)
                seen.clear()
            if number not in seen:
                seen.add(number)
                yield start, line_end, number


def _hex(literal: bytes) -> bytes:
    """Write a literal so that no character of it means anything else."""
    return b"".join(b"\\x%02x" % byte for byte in literal)
