"""Reads output of any size in one pass: cleaned blocks, numbered lines, and the few of them that are worth keeping."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

BLOCK_BYTES: Final = 256 << 10
HEAD_BYTES: Final = 6 << 10
TAIL_BYTES: Final = 2 << 10
TEXT_CHARS: Final = 2000

_CUT: Final = b" [... cut ...] "
_ESCAPES: Final = re.compile(
    rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[PX^_][^\x1b\n]*(?:\x1b\\)?"
    rb"|[()*+#%][0-9A-Za-z]|[0-~])"
)
_CONTROLS: Final = bytes(byte for byte in range(32) if byte not in b"\t\n\r\x1b") + b"\x7f"


@dataclass(frozen=True, slots=True)
class EvidenceLine:
    """One line of the output that helps to understand the failure; `line` counts line feeds from 1."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Block:
    """Some whole lines of output without escape sequences; carriage returns end a line but do not count as one."""

    data: bytes
    numbering: bytes
    first_line: int

    def line_number(self, offset: int, since: int = 0, counted: int = 0) -> int:
        """Number of the line that holds `offset`; `counted` line feeds are known to lie before `since`."""
        return self.first_line + counted + self.numbering.count(b"\n", since, offset)


def text_of(line: bytes) -> str:
    """Decode one cleaned line for people: no trailing blanks, capped with head and tail kept."""
    text = line.decode("utf-8", "replace").rstrip()
    if len(text) > TEXT_CHARS:
        return f"{text[: TEXT_CHARS * 3 // 4]}{_CUT.decode()}{text[-(TEXT_CHARS // 4) :]}"
    return text


def blocks(output: Iterable[bytes] | bytes) -> Iterator[Block]:
    """Cut output of any size and chunking into blocks of whole lines, cleaned; memory stays bounded whatever comes.

    The blocks depend on the bytes alone, not on how they arrive.
    """
    first_line = 1
    for raw in _whole_lines(_pieces(output)):
        cleaned = clean(raw)
        yield Block(cleaned.replace(b"\r", b"\n"), cleaned, first_line)
        first_line += cleaned.count(b"\n")


def clean(raw: bytes) -> bytes:
    """Remove escape sequences and control characters, keep carriage returns as line ends, cap the lines."""
    if b"\x1b" in raw:
        raw = _ESCAPES.sub(b"", raw)
    raw = raw.translate(None, _CONTROLS + b"\x1b")
    if b"\r" in raw:
        raw = raw.replace(b"\r\n", b"\n")
        while b"\r\n" in raw:
            raw = re.sub(rb"\r+\n", b"\n", raw)
    return _cap_lines(raw)


def _pieces(output: Iterable[bytes] | bytes) -> Iterator[bytes]:
    chunks: Iterable[bytes] = (output,) if isinstance(output, bytes) else output
    for chunk in chunks:
        if len(chunk) <= BLOCK_BYTES:
            if chunk:
                yield bytes(chunk)
            continue
        view = memoryview(chunk)
        for at in range(0, len(view), BLOCK_BYTES):
            yield bytes(view[at : at + BLOCK_BYTES])


def _last_end(data: bytes, limit: int) -> int:
    """Return the end of the last whole line within `limit` bytes; 0 when a line is longer than that."""
    at = data.rfind(b"\n", 0, limit)
    return (at if at >= 0 else data.rfind(b"\r", 0, limit)) + 1


def _whole_lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    pending = b""
    for piece in pieces:
        pending += piece
        while len(pending) >= BLOCK_BYTES:
            cut = _last_end(pending, BLOCK_BYTES)
            if not cut:
                line, pending = _skip_line(pending, pieces)
                yield line
                continue
            yield pending[:cut]
            pending = pending[cut:]
    if pending:
        yield pending


def _skip_line(pending: bytes, pieces: Iterator[bytes]) -> tuple[bytes, bytes]:
    """Read to the end of a line longer than a block; return what is kept of it, and what came after it."""
    head, tail = pending[:HEAD_BYTES], b""
    while True:
        end = min((at for at in (pending.find(b"\n"), pending.find(b"\r")) if at >= 0), default=-1)
        if end >= 0:
            tail = (tail + pending[:end])[-TAIL_BYTES:]
            return head + _CUT + tail + pending[end : end + 1], pending[end + 1 :]
        tail = (tail + pending)[-TAIL_BYTES:]
        pending = next(pieces, b"")
        if not pending:
            return head + _CUT + tail, b""


def _cap_lines(data: bytes) -> bytes:
    most = HEAD_BYTES + TAIL_BYTES
    if len(data) <= most:
        return data
    ends = data.replace(b"\r", b"\n") if b"\r" in data else data
    kept: list[bytes] = []
    done = at = 0
    while at + most < len(data):
        newline = ends.rfind(b"\n", at, at + most + 1)
        if newline >= 0:
            at = newline + 1
            continue
        end = ends.find(b"\n", at + most)
        end = len(data) if end < 0 else end
        kept += (data[done : at + HEAD_BYTES], _CUT, data[end - TAIL_BYTES : end])
        done = at = end
    kept.append(data[done:])
    return b"".join(kept) if len(kept) > 1 else data


_FIRST: Final = 6
_LAST: Final = 40
_TRIED: Final = 400
_BEFORE_BYTES: Final = 500
_AFTER_BYTES: Final = 1000


@dataclass(frozen=True, slots=True)
class Sighting:
    """A line that an expression matched, with what stood around it."""

    number: int
    line: bytes
    before: bytes
    after: bytes

    def context(self, before: int, after: int) -> tuple[EvidenceLine, ...]:
        """Return the block around the line: up to `before` whole lines, the line itself, up to `after` whole lines."""
        earlier: list[EvidenceLine] = []
        number = self.number
        for line, end in reversed(_pieces_of(self.before)[1:-1]):
            number -= end == b"\n"
            earlier.append(EvidenceLine(number, text_of(line)))
        later: list[EvidenceLine] = []
        number = self.number
        for line, end in _pieces_of(self.after)[:-1]:
            later.append(EvidenceLine(number, text_of(line)))
            number += end == b"\n"
        shown = [line for line in later[1:] if line.text]
        return (*reversed(earlier[:before]), EvidenceLine(self.number, text_of(self.line)), *shown[:after])


def sighting(block: Block, number: int, start: int, end: int) -> Sighting:
    """Take a line out of its block, with some of its surroundings."""
    before = block.numbering[max(0, start - _BEFORE_BYTES) : start]
    if start <= _BEFORE_BYTES:
        before = b"\n" + before
    return Sighting(number, block.data[start:end], before, block.numbering[end : end + _AFTER_BYTES])


def _pieces_of(text: bytes) -> list[tuple[bytes, bytes]]:
    """Split at line feeds and carriage returns; each piece comes with what ended it."""
    parts = re.split(rb"([\n\r])", text)
    return list(zip(parts[::2], [*parts[1::2], b""], strict=True))


@dataclass(slots=True)
class Kept:
    """The lines that one expression matched: the first few and the last few of them."""

    noise: Callable[[bytes], bool]
    count: int = 0
    first: list[Sighting] = field(default_factory=list)
    last: deque[Sighting] = field(default_factory=lambda: deque(maxlen=_LAST))

    def add(self, seen: Sighting) -> None:
        self.count += 1
        if len(self.first) < _FIRST and self.count <= _TRIED:
            if not self.noise(seen.line):
                self.first.append(seen)
        else:
            self.last.append(seen)

    def sightings(self) -> Iterator[Sighting]:
        """Yield what is kept and no noise, in the order of the output."""
        yield from self.first
        yield from (seen for seen in self.last if not self.noise(seen.line))


_STAMP: Final = re.compile(
    rb"(?:\d{4}-\d\d-\d\d[T ])?\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?|(?:^|(?<=\n))\[ *\d+\.\d+\]"
)
_VARIABLE: Final = re.compile(
    rb"(?<![\w.])([45]\d\d)(?![\w.])|/(?:tmp|var/tmp|dev/shm)/[^\s:'\",;)]+|(?<![^\s='\"(),;:\[\]])[^\s='\"(),;:\[\]]*?\d[^\s='\"(),;:\[\]]*"
)


def shapes(data: bytes) -> list[bytes]:
    """Return the lines of `data` with everything that changes from run to run masked; statuses such as 503 are kept."""
    return _VARIABLE.sub(rb"\1#", _STAMP.sub(b"#", data)).split(b"\n")


def shape_of(line: bytes) -> int:
    """Return the stable 64-bit number of a line's shape."""
    return number_of(shapes(line)[0])


def number_of(shape: bytes) -> int:
    """Hash a shape; the same in every process and on every machine."""
    from hashlib import blake2b

    return int.from_bytes(blake2b(b" ".join(shape.split()), digest_size=8).digest(), "big", signed=True)


def known_by(familiar: Container[int]) -> Callable[[bytes], bool]:
    """Return a function that tells whether a line's shape is among the familiar ones."""
    if isinstance(familiar, frozenset | set | tuple | list) and not familiar:
        return lambda _line: False
    return lambda line: shape_of(line) in familiar
