"""Takes secrets out of what we keep: the log and recorded errors, never the build's own output.

A secret is the value of an environment variable with a telling name, a match of a configured pattern, or a token
whose shape gives it away. Text is judged in whole lines, so a secret that comes in two pieces is found as well.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

MASK = b"[redacted]"
SHORTEST = 6
"""Characters; shorter values would blacken half of any log."""
SHORTEST_LINE = 8
"""The same for each line of a value of several lines."""
LONGEST_HELD = 64 << 10
"""Bytes of a line without an end that are held back at most."""
OVERLAP = 4 << 10
"""How much of such a line stays held back: no secret found by shape is longer."""
LONGEST_KEY = 32 << 10
"""Bytes after the head of a private key that are taken for it when no foot comes."""
SCANNER_FROM = 1 << 19
"""Bytes after which loading a scanner pays."""
MOST_HITS = 1000
SLICE = 1 << 12
"""Bytes looked at in one go where Python's expressions look: no other thread runs meanwhile, the loop neither."""

TELLING = re.compile(
    r"PASS(WORD|WD|PHRASE|$|_)|TOKEN|SECRET|KEY|CREDENTIAL|COOKIE|PRIVATE|AUTH|(^|_)(PWD|PW|PAT|DSN)$", re.IGNORECASE
)
INNOCENT = re.compile(
    r"^(PWD|OLDPWD)$|(FILE|PATH|DIR|SOCK|SOCKET|HOST|PORT|NAME|USER|_ID|TYPE|ALGORITHM|LAYOUT)$|KEYBOARD", re.IGNORECASE
)
PLAIN_VALUES = frozenset({"enabled", "disabled", "required", "default", "always", "optional", "prompt"})

WORD = rb"\b"
WEB_TOKEN = rb"\beyJ[A-Za-z0-9_-]{8,2000}\.eyJ[A-Za-z0-9_-]{8,2000}\.[A-Za-z0-9_-]{8,1000}"
SHAPES = (
    rb"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b",
    rb"\bgh[pousr]_[A-Za-z0-9]{36,251}\b",
    rb"\bgithub_pat_[A-Za-z0-9_]{22,255}\b",
    rb"\bgl(?:pat|ptt|dt|rt|cbt|soat|ft|agent)-[A-Za-z0-9_.-]{20,128}",
    rb"\bxox[abeoprs]-[A-Za-z0-9-]{10,250}",
    rb"\bxapp-[0-9]-[A-Za-z0-9-]{10,250}",
    rb"\bhooks\.slack\.com/services/[A-Za-z0-9/_-]{20,100}",
    WEB_TOKEN,
    rb"\b(?:sk|rk)_live_[A-Za-z0-9]{16,128}\b",
    rb"\bnpm_[A-Za-z0-9]{36}\b",
    rb"\bdop_v1_[a-f0-9]{64}\b",
    rb"\bAIza[A-Za-z0-9_-]{35}",
    rb"\bhvs\.[A-Za-z0-9_-]{24,200}",
)
"""Whole matches are masked."""
SCHEME = rb"\b[A-Za-z][A-Za-z0-9+.-]{1,20}"
AFTER_SIGNS = (
    rb"[aA](?i:uthorization: *(?:bearer|basic|token|digest)) +[^\s\"']{6,2000}",
    SCHEME + rb"://[^\s/:@\"']{0,100}:[^\s/@\"']{1,300}@",
)
"""Only what follows the signpost is masked."""
SIGNPOST = re.compile(rb"(?i)(authorization: *\w+ +|[a-z][a-z0-9+.-]*://[^\s/:@]*:)")
KEY_HEAD = re.compile(rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
KEY_FOOT = re.compile(rb"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
KEY_SIGN = b"PRIVATE KEY"
OPEN_BOUND = re.compile(rb"\{(\d+),\d+\}")
FINAL_BOUND = re.compile(rb"\{[1-9]\d*(?:,\d+)?\}(?:\\b)?$")

Buffer = bytes | memoryview
Hit = tuple[int, int]
"""Which expression, and the offset of its match's last byte."""


class Redactor:
    """Knows what is secret here, and cleans streams and single texts."""

    def __init__(self, environ: Mapping[str, str], patterns: Iterable[str] = ()) -> None:
        """Collect secrets from `environ`; `patterns` are regular expressions whose whole matches are secret."""
        values = sorted(_secret_values(environ), key=len, reverse=True)
        self._literals = [re.escape(value) for value in values]
        self._sources = [*self._literals, *(pattern.encode() for pattern in patterns), *AFTER_SIGNS, *SHAPES]
        self._pattern = _one_of(self._sources)
        self._reach = max([OVERLAP, *(len(value) for value in values)])
        self._held: dict[int, bytes] = {}
        self._key_left: dict[int, int] = {}
        self._seen = 0
        self._scan: Callable[[Buffer], list[Hit] | None] | None = None

    def feed(self, stream: int, data: bytes) -> list[Buffer]:
        """Take a piece of a stream; give what can be judged by now, cleaned, without copying what is clean."""
        held = self._held.get(stream, b"")
        end = data.rfind(b"\n") + 1
        if not end:
            return self._feed_unfinished(stream, held + data)
        self._held[stream] = data[end:]
        # Only the line that was held back is put together; the rest is looked at where it lies.
        first = data.find(b"\n") + 1 if held else 0
        begun = self._clean_lines(stream, held + data[:first]) if held else []
        return [*begun, *self._clean_lines(stream, memoryview(data)[first:end])]

    def flush(self, stream: int) -> list[Buffer]:
        """Give what was held back: no more comes."""
        return self._clean_lines(stream, self._held.pop(stream, b""))

    def _feed_unfinished(self, stream: int, line: bytes) -> list[Buffer]:
        end = self._safe_cut(line) if len(line) > LONGEST_HELD else 0
        self._held[stream] = line[end:]
        return self._clean_lines(stream, line[:end])

    def clean(self, data: bytes) -> bytes:
        """Clean something complete."""
        return b"".join(self._without_keys(-1, data)) if KEY_SIGN in data else self._pattern.sub(_mask, data)

    def text(self, text: str) -> str:
        """Clean a message."""
        return self.clean(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")

    def _clean_lines(self, stream: int, data: Buffer) -> list[Buffer]:
        if not data:
            return []
        hits = self._hits(data)
        if stream in self._key_left or (
            KEY_SIGN in bytes(data) if hits is None else any(which == 0 for which, _ in hits)
        ):
            return self._without_keys(stream, bytes(data))
        if hits is None:
            return [self._pattern.sub(_mask, lines) for lines in _sliced(bytes(data))]
        return self._masked_at([end for _, end in hits], bytes(data)) if hits else [data]

    def _without_keys(self, stream: int, data: bytes) -> list[Buffer]:
        """Leave out what stands between the head and the foot of a private key, which are lines of their own."""
        cleaned: list[Buffer] = []
        while data:
            if stream not in self._key_left:
                head = KEY_HEAD.search(data)
                cleaned.append(self._pattern.sub(_mask, data[: head.end() if head else None]))
                if head is None:
                    break
                cleaned.append(MASK)
                self._key_left[stream] = LONGEST_KEY
                data = data[head.end() :]
                continue
            foot = KEY_FOOT.search(data)
            left = self._key_left[stream]
            if foot is None and len(data) < left:
                self._key_left[stream] = left - len(data)
                break
            del self._key_left[stream]
            data = data[min(foot.start(), left) if foot else left :]
        if stream < 0:
            self._key_left.pop(stream, None)
        return cleaned

    def _hits(self, data: Buffer) -> list[Hit] | None:
        """Find out where to look; None: everywhere."""
        self._seen += len(data)
        if self._seen <= SCANNER_FROM:
            return None
        if self._scan is None:
            self._scan = _scanner([KEY_SIGN, *map(_sign, self._sources)])
        return self._scan(data)

    def _masked_at(self, ends: list[int], data: bytes) -> list[Buffer]:
        """Clean only the lines in which something was found, by the offsets of its last bytes."""
        cleaned: list[Buffer] = []
        done = 0
        for hit in sorted(ends):
            if hit < done:
                continue
            start = data.rfind(b"\n", done, hit) + 1 or done
            end = data.find(b"\n", hit)
            end = len(data) if end < 0 else end
            cleaned += [data[done:start], self._pattern.sub(_mask, data[start:end])]
            done = end
        return [*cleaned, data[done:]]

    def _safe_cut(self, data: bytes) -> int:
        """Give an offset with no secret across it, in a line that does not end."""
        cut = len(data) - self._reach
        for match in self._pattern.finditer(data, max(0, cut - self._reach)):
            if match.start() < cut < match.end():
                return match.start()
        return max(cut, 0)


def _one_of(sources: list[bytes]) -> re.Pattern[bytes]:
    """Put them into one expression, those of our own that begin with a word so that Python tries them only there."""
    ours = {source for source in (*AFTER_SIGNS, *SHAPES) if source.startswith(WORD)}
    anywhere = [b"(?:%b)" % source for source in sources if source not in ours]
    at_a_word = b"|".join(source.removeprefix(WORD) for source in sources if source in ours)
    return re.compile(b"|".join([*anywhere, WORD + b"(?=[A-Za-z])(?:%b)" % at_a_word]))


def _sliced(data: bytes) -> Iterator[bytes]:
    """Give it in whole lines, a slice or a little more at a time."""
    done = 0
    while done < len(data):
        end = data.find(b"\n", done + SLICE) + 1 or len(data)
        yield data[done:end]
        done = end


def _mask(match: re.Match[bytes]) -> bytes:
    found = match.group()
    signpost = SIGNPOST.match(found)
    if signpost is None:
        return MASK
    return signpost.group() + MASK + (b"@" if found.endswith(b"@") else b"")


def _secret_values(environ: Mapping[str, str]) -> set[bytes]:
    found = set()
    for name, value in environ.items():
        if not TELLING.search(name) or INNOCENT.search(name) or value.lower() in PLAIN_VALUES or value.isspace():
            continue
        lines = value.split("\n")
        shortest = SHORTEST if len(lines) == 1 else SHORTEST_LINE
        kept = [line for line in lines if len(line.strip()) >= shortest and not line.startswith("-----")]
        found |= {line.encode("utf-8", "surrogateescape") for line in kept}
    return found


def _sign(source: bytes) -> bytes:
    """Give an expression that matches on at least the same lines, and is made and looked for in a fraction of the time.

    It knows neither upper bounds nor where words begin, and is content with the first of what has to follow at the end.
    """
    if source == WEB_TOKEN:
        return rb"\.eyJ"
    return OPEN_BOUND.sub(rb"{\1,}", FINAL_BOUND.sub(b"", source.removeprefix(SCHEME).removeprefix(WORD)))


def _scanner(sources: list[bytes]) -> Callable[[Buffer], list[Hit] | None]:
    """Give a fast search for the ends of matches; it says None where Python's own must look at everything.

    It is ten times as fast and leaves the interpreter to the loop meanwhile.
    """
    try:
        import hyperscan

        database = hyperscan.Database()
        database.compile(expressions=sources, ids=list(range(len(sources))), flags=[0] * len(sources))
    except Exception:  # noqa: BLE001 - not installed here, or a pattern that only Python understands
        return lambda _data: None

    def scan(data: Buffer) -> list[Hit] | None:
        hits: list[Hit] = []

        def hit(which: int, _start: int, end: int, _flags: int, _context: object) -> bool:
            hits.append((which, end - 1))
            return len(hits) > MOST_HITS

        try:
            database.scan(data, match_event_handler=hit)  # type: ignore[type-var]  # any buffer will do
        except hyperscan.ScanTerminated:
            return None
        return hits

    return scan
