"""Proposes states from the log of a build that nobody has instrumented: where its steps begin, and how to tell."""

from __future__ import annotations

import re
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Final

from toolkit.core.markers import MarkerScanner
from toolkit.core.policy import strategy_by_kind
from toolkit.core.rules.linear import linear
from toolkit.core.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_MOST_LINES: Final = 2_000_000
_LONGEST_LINE: Final = 300
_MOST_STATES: Final = 30
_NAME_WORDS: Final = 4

_ANSI: Final = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_CLOCK: Final = re.compile(
    r"\[?(?:\d{4}-\d\d-\d\d[T ])?\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\]?[ ,]\s*(?:[A-Z]{3,8}[: ]\s*)?"
)

_BANNERS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?P<mark>={2,}|-{2,}|\*{2,}|#{2,}|>{2,}|\+{2,})>?\s*(?P<title>\w[^|]*?)\s*[=\-*#<>+]*",
        r"\[\s*\d+\s*/\s*\d+\s*\]\s*(?P<title>\w.*)",
        r"(?:step|stage|phase|schritt)\s+\d+(?:\s*/\s*\d+)?\s*[:.)-]*\s*(?P<title>.*)",
        r"(?:::group::|##\[section\]|##\[group\])(?P<title>\w.*)",
    )
)
_NO_BANNER: Final = re.compile(
    r".*(?:[.;,]$|\d+ (?:passed|failed|skipped|errors?)\b|test session starts|short test summary|(?:FAILURES|ERRORS)$)"
)
"""Sentences, and the lines with which test runners rule off their sections."""
_ROLE: Final = re.compile(r"(?P<marker>TASK \[(?P<title>[\w.-]+) : [^\]]+\]) \*+")
_PLAY: Final = re.compile(r"(?P<marker>PLAY \[(?P<title>[^\]]+)\]) \*+")
_TOOLS: Final = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("kickstart", r".*(?P<marker>Starting install, retrieving)"),
        ("bootstrap", r"(?P<marker>I: (?:running apt-get update|Retrieving InRelease))"),
        ("packages", r"(?P<marker>I: installing (?:remaining|essential) packages|Running transaction$)"),
        ("install", r"(?P<marker>Installing collected packages|added \d+ packages)"),
        ("filesystem", r"(?P<marker>Creating filesystem with|Parallel mksquashfs)"),
        ("boot", r"(?:\[ +0\.000000\] )?(?P<marker>Linux version \d)"),
        ("tests", r"=+ (?P<marker>test session starts)"),
    )
)


class Proposed(Value):
    """A state that a log suggests; `line`, from 1, is where it begins there."""

    code: int
    name: str
    marker: str = ""
    """Matches that line and no other; empty where the build prints the built-in markers."""
    line: int


class _Step(Value):
    line: int
    name: str
    marker: str


def propose_from_log(lines: Iterable[str]) -> list[Proposed]:
    """Give the states that a log suggests, in their order, each with a marker that matches exactly one line of it.

    The build's own markers decide if it prints any; then banners of its author's; else what well-known tools say when
    they begin. Nothing is proposed that the log does not hold.
    """
    clean = [_ANSI.sub("", line).rstrip("\r\n")[:_LONGEST_LINE] for line in islice(lines, _MOST_LINES)]
    told = list(_told(clean))
    if told:
        return told
    steps = _once(list(_banners(clean)), clean)
    if len(steps) < 2:  # noqa: PLR2004 - a single banner divides nothing
        steps = _once(sorted([*_ansible(clean), *_tools(clean)], key=lambda step: step.line), clean)
    steps = steps[:_MOST_STATES]
    codes = _codes([step.name for step in steps])
    return [
        Proposed(code=code, name=step.name, marker=step.marker, line=step.line)
        for code, step in zip(codes, steps, strict=True)
    ]


def _told(lines: Sequence[str]) -> Iterator[Proposed]:
    scanner = MarkerScanner()
    seen: set[int] = set()
    for number, line in enumerate(lines, 1):
        if "::state " not in line:
            continue
        for piece in scanner.feed(1, line.encode() + b"\n"):
            if piece.marker is not None and piece.marker.code not in seen:
                seen.add(piece.marker.code)
                name = piece.marker.name or f"state-{piece.marker.code}"
                yield Proposed(code=piece.marker.code, name=name, line=number)


def _banners(lines: Sequence[str]) -> Iterator[_Step]:
    """Find lines that an author wrote to be seen; of several kinds, the first that divides the log well."""
    for banner in _BANNERS:
        found = [step for number, line in enumerate(lines, 1) if (step := _banner(banner, number, line)) is not None]
        distinct = len({step.marker for step in found})
        if 1 < distinct <= _MOST_STATES:
            yield from found
            return


def _banner(banner: re.Pattern[str], number: int, line: str) -> _Step | None:
    stamped = _CLOCK.match(line)
    text = line[stamped.end() :] if stamped else line
    found = re.compile(banner.pattern, re.IGNORECASE).fullmatch(text.strip())
    if found is None or _NO_BANNER.match(found["title"]) or not re.search(r"[A-Za-z]{2}", found["title"]):
        return None
    anchor = "" if stamped or text != text.lstrip() else "^"
    return _Step(line=number, name=_name(found["title"]), marker=anchor + _expression(text.strip()))


def _ansible(lines: Sequence[str]) -> Iterator[_Step]:
    """Roles make better states than plays, where there are several; handlers run late and make none."""
    roles = [(number, found) for number, line in enumerate(lines, 1) if (found := _ROLE.match(line))]
    plays = [(number, found) for number, line in enumerate(lines, 1) if (found := _PLAY.match(line))]
    chosen = roles if len({found["title"] for _, found in roles}) > 1 else plays
    seen: set[str] = set()
    for number, found in chosen:
        if found["title"] not in seen:
            seen.add(found["title"])
            yield _Step(line=number, name=_name(found["title"]), marker="^" + _expression(found["marker"]))


def _tools(lines: Sequence[str]) -> Iterator[_Step]:
    """The first time that each tool begins."""
    missing = dict(_TOOLS)
    for number, line in enumerate(lines, 1):
        for name, pattern in list(missing.items()):
            if found := pattern.match(line):
                del missing[name]
                anchor = "^" if found.start("marker") == 0 else ""
                yield _Step(line=number, name=name, marker=anchor + _expression(found["marker"]))


def _once(steps: Sequence[_Step], lines: Sequence[str]) -> list[_Step]:
    """Keep the steps whose marker matches their own line alone, and is an expression that we accept."""
    counts = Counter(step.marker for step in steps)
    kept = []
    for step in steps:
        if counts[step.marker] > 1 or linear(step.marker) is not None:
            continue
        pattern = re.compile(step.marker)
        if [number for number, line in enumerate(lines, 1) if pattern.search(line)] == [step.line]:
            kept.append(step)
    return kept


def _expression(text: str) -> str:
    """Write a line as an expression that also matches it in the next build: times and long numbers are left open."""
    parts = re.split(r"(\d\d?:\d\d(?::\d\d)?(?:\.\d+)?|\d{3,}(?:[.-]\d+)*)", text)
    escaped = (re.sub(r"([\\.^$*+?{}\[\]|()])", r"\\\1", part) if place % 2 == 0 else r"[\d:.-]+"
               for place, part in enumerate(parts))  # fmt: skip
    return "".join(escaped).strip()


def _name(title: str) -> str:
    words = re.findall(r"[a-z][a-z0-9]*", re.sub(r"^(?:step|stage|phase)\s*\d*[:.)-]*", "", title.lower()))
    return "-".join(words[:_NAME_WORDS]) or "step"


def _codes(names: Sequence[str]) -> list[int]:
    """Number states as the design does: 5 for what is installed, 10 to 65 for what is configured, 70 on for tests."""
    codes: list[int] = []
    step = max(1, min(5, 55 // max(1, len(names))))
    for name in names:
        kind = strategy_by_kind(0, name)
        tests = kind == "manual"
        first = 0 if not codes else codes[-1] + step
        wanted = 70 if tests else 10 if kind == "quick" else 5
        codes.append(max(first, wanted))
    return codes
