r"""Finds state markers in what a build prints, so that a script nobody may touch is tracked all the same.

Built in is `::state CODE started|completed|failed [NAME] [- REASON]::`, alone on its line; a project adds expressions
of its own. The output is looked at as it passes, in whatever pieces it comes, and cut exactly at the markers' lines.
Colours and white space around a marker are overlooked, as is what a progress bar wrote before its last `\r`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

from toolkit.core.codes import HIGHEST, StateCode
from toolkit.core.values import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from toolkit.core.pipeline import StateConfig

MarkerStatus = Literal["started", "completed", "failed"]

LONGEST_LINE: Final = 64 << 10
"""A longer line is no marker: so much of an unfinished line is kept back at most, in bytes."""

_PREFIX: Final = b"::state "
_STATUSES: Final[dict[bytes, MarkerStatus]] = {b"started": "started", b"completed": "completed", b"failed": "failed"}
_ANSI: Final = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]")
_INDENT: Final = re.compile(rb"(?:\x1b\[[0-?]*[ -/]*[@-~]|[ \t])*")
_UNFINISHED: Final = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*)?\Z")
_EXIT: Final = re.compile(r"(?i)\bexit(?:ed)?(?: with)?(?: (?:code|status))?[ :=]{1,2}(\d{1,3})\b")
_HIGHEST_EXIT: Final = 255
_CR: Final = 0x0D
_MAY_OPEN: Final = frozenset(b" \t\x1b:")


class Marker(Value):
    """A line of output that tells of a state."""

    code: StateCode
    status: MarkerStatus
    name: str | None = None
    reason: str | None = None
    configured: bool = False
    """Found by the project's own expression: it also completes the state before it."""

    @property
    def exit_code(self) -> int | None:
        """The exit code that the reason names, as in `- exit 137` or `- exit code 1`; None when it names none."""
        found = _EXIT.search(self.reason or "")
        return int(found[1]) if found is not None and int(found[1]) <= _HIGHEST_EXIT else None


class Piece(Value):
    """Consecutive bytes of one stream: either a marker's whole line, or output without a marker.

    The line of a `started` marker belongs to the attempt that it starts, any other one to the attempt that it ends.
    """

    data: bytes
    marker: Marker | None = None


class _Stream:
    """What is kept of a stream between two pieces of it."""

    __slots__ = ("fresh", "held")

    def __init__(self) -> None:
        self.held = b""
        self.fresh = True
        """The next byte begins a line (or what is visible of it)."""


class MarkerScanner:
    """Scans the streams of one run."""

    def __init__(self, states: Iterable[StateConfig] = (), find: Callable[[bytes, bytes], int] = bytes.find) -> None:
        """Look for the built-in markers and those of `states`; ValueError for an expression that does not compile.

        `find` does what `bytes.find` does, perhaps faster.
        """
        self._find = find
        own = sorted((each for each in states if each.marker), key=lambda each: each.code)
        self._streams: dict[int, _Stream] = {}
        self._highest = -1
        self._own: list[tuple[StateConfig, re.Pattern[bytes]]] = []
        self._literals: list[bytes] | None = [_PREFIX]
        """Every marker's line holds one of these in lower case; None when each line has to be looked at."""
        if own:
            self._configure(own)

    def feed(self, stream: int, data: bytes) -> list[Piece]:
        """Take the next bytes of a stream; give all that is settled, cut at markers. The rest comes later."""
        state = self._streams.get(stream)
        if state is None:
            state = self._streams[stream] = _Stream()
        if state.held:
            data = state.held + data
            state.held = b""
        pieces: list[Piece] = []
        done = at = 0
        for start, end in self._candidates(data):
            first = _visible(data, start, end)
            line_fresh = state.fresh if start == 0 else True
            if first > start or line_fresh:
                marker = self._marker(data[first:end]) if end - first <= LONGEST_LINE + 1 else None
                if marker is not None:
                    if first > done:
                        pieces.append(Piece(data=data[done:first]))
                    pieces.append(Piece(data=data[first:end], marker=marker))
                    done = end
            at = end
        self._settle(state, data, done, at, pieces)
        return pieces

    def flush(self, stream: int) -> list[Piece]:
        """Give what was kept back: the stream has ended, so its last line is whole without a line end."""
        state = self._streams.pop(stream, None)
        if state is None or not state.held:
            return []
        return [Piece(data=state.held, marker=self._marker(state.held))]

    def _configure(self, own: list[StateConfig]) -> None:
        literals = [_PREFIX]
        everywhere = False
        for state in own:
            try:
                self._own.append((state, re.compile(state.marker.encode())))
            except re.error as error:
                raise ValueError(f"marker of state {state.code}: {error}") from None
            literals.extend(hint.encode() for hint in state.marker_hints)
            everywhere = everywhere or not state.marker_hints
        self._literals = None if everywhere else literals

    def _candidates(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Give start and end, line feed included, of each finished line that may be a marker."""
        if self._literals is None:
            start = 0
            while (end := data.find(b"\n", start) + 1) > 0:
                yield start, end
                start = end
            return
        text = data.lower() if self._own else data
        found = {literal: place for literal in self._literals if (place := self._find(text, literal)) >= 0}
        at = 0
        while found:
            place = min(found.values())
            end = data.find(b"\n", place) + 1
            if end == 0:
                return
            yield max(at, data.rfind(b"\n", at, place) + 1), end
            at = end
            found = {
                literal: later
                for literal, seen in found.items()
                if (later := seen if seen >= at else text.find(literal, at)) >= 0
            }

    def _settle(self, state: _Stream, data: bytes, done: int, at: int, pieces: list[Piece]) -> None:
        """Keep back the unfinished last line if it may become a marker, and give the rest."""
        size = len(data)
        if done < size:
            start = data.rfind(b"\n", at) + 1 or at
            fresh = state.fresh if start == 0 else True
            first = _visible(data, start, size)
            keep = (first > start or fresh) and size - first <= LONGEST_LINE and self._may_become(data, first)
            if keep:
                state.held = data[first:]
                size = first
            if size > done:
                pieces.append(Piece(data=data[done:size] if done or keep else data))
        if size:
            state.fresh = data[size - 1] in b"\r\n"

    def _may_become(self, data: bytes, first: int) -> bool:
        """Tell whether an unfinished line, given by where it begins, may turn out to be a marker."""
        if first == len(data) or data[first] == _CR:
            return False
        if self._own:
            return True
        if data[first] not in _MAY_OPEN:
            return False
        indent = _INDENT.match(data, first)
        rest = data[indent.end() if indent else first :]
        return _PREFIX.startswith(rest[: len(_PREFIX)]) or _UNFINISHED.match(rest) is not None

    def _marker(self, line: bytes) -> Marker | None:
        line = line.rstrip(b"\r\n")
        marker = _built_in(line) or self._configured(line)
        if marker is not None and marker.status == "started":
            self._highest = max(self._highest, marker.code)
        return marker

    def _configured(self, line: bytes) -> Marker | None:
        """Find the project's own marker in a line; they only lead forward, and a later line like it is no news."""
        if not self._own:
            return None
        if self._literals is not None and not any(literal in line.lower() for literal in self._literals):
            return None
        text = _ANSI.sub(b"", line)
        for state, pattern in self._own:
            if state.code > self._highest and pattern.search(text):
                return Marker(code=state.code, status="started", name=state.name, configured=True)
        return None


def _visible(data: bytes, start: int, end: int) -> int:
    r"""Give where the visible part of the line `data[start:end]` begins: after the last `\r` that is not in its end."""
    last = end
    while last > start and data[last - 1] in b"\r\n":
        last -= 1
    return data.rfind(b"\r", start, last) + 1 or start


def _built_in(line: bytes) -> Marker | None:
    indent = _INDENT.match(line)
    if not line.startswith(_PREFIX, indent.end() if indent else 0):
        return None
    text = _ANSI.sub(b"", line).strip()
    if not text.endswith(b"::") or len(text) < len(_PREFIX) + 2:
        return None
    words = text[len(_PREFIX) : -2].split(None, 2)
    if len(words) < 2 or not words[0].isdigit() or len(words[0]) > len(str(HIGHEST)):  # noqa: PLR2004 - code and status
        return None
    status = _STATUSES.get(words[1])
    if status is None:
        return None
    told = b" " + words[2] if len(words) > 2 else b""  # noqa: PLR2004 - what follows code and status
    name, _, reason = (part.strip().decode(errors="replace") for part in told.partition(b" - "))
    return Marker(code=int(words[0]), status=status, name=name or None, reason=reason or None)
