"""Whether output says anything new: dots, spinners, redrawn bars and lines seen a moment ago are not progress.

When in doubt it is progress, for a good build stopped is worse than a stuck one noticed late.
"""

from __future__ import annotations

import re

REMEMBERED = 64
"""Different lines; a loop that prints longer cycles than this is doing something."""
EXAMINED_BYTES = 16384
"""At each end of a piece: what is between cannot be the only new line for long."""

ESCAPES = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")
CLOCKS = re.compile(
    rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"
    rb"|\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?"
    rb"|\b\d+(?:\.\d+)?\s?(?:ms|msec|s|secs?|seconds?|m|mins?|minutes?|h|hours?)\b"
)
NUMBERS = re.compile(rb"\d+")
WORDS = re.compile(rb"[0-9A-Za-z\x80-\xff]")
SPINNERS = re.compile(rb"\xe2[\x80-\xbf][\x80-\xbf]")
"""UTF-8 of U+2000 to U+2FFF: braille, blocks, arrows, box drawings."""


class Informative:
    """Remembers what was said lately."""

    def __init__(self) -> None:
        self._seen: dict[bytes, None] = {}
        self._rest: dict[int, bytes] = {}

    def hears(self, stream: int, data: bytes) -> bool:
        """Take a piece of output and tell whether anything in it is news."""
        if len(data) > 2 * EXAMINED_BYTES:
            data = data[:EXAMINED_BYTES] + b"\n" + data[-EXAMINED_BYTES:]
        lines = (self._rest.get(stream, b"") + data).split(b"\n")
        self._rest[stream] = lines[-1][-EXAMINED_BYTES:]
        news = [self._is_news(line) for line in lines[:-1]]
        if b"\n" not in data:
            news.append(self._is_news(data))  # a line that grows; judged by what was added
        return any(news)

    def _is_news(self, line: bytes) -> bool:
        return any(self._is_new(part, redrawn=b"\r" in line.rstrip(b"\r")) for part in line.rstrip(b"\r").split(b"\r"))

    def _is_new(self, text: bytes, *, redrawn: bool) -> bool:
        text = CLOCKS.sub(b"", ESCAPES.sub(b"", SPINNERS.sub(b"", text)))
        if redrawn:
            text = NUMBERS.sub(b"", text)
        # Bars and spinners are made of signs, and of single letters that move.
        key = b" ".join(word for word in text.split() if WORDS.search(word))
        if not WORDS.search(key):
            return False
        known = key in self._seen
        self._seen.pop(key, None)
        self._seen[key] = None
        if len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return not known
