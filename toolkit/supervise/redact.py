"""Takes secrets out of what we keep: the log and recorded errors, never the build's own output.

A secret is the value of an environment variable with a telling name, a match of a configured pattern, or a token whose shape
gives it away. Text is judged in whole lines, so a secret that comes in two pieces is found as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

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
SCANNER_FROM = 1 << 20
"""Bytes after which loading a scanner pays."""
MOST_HITS = 1000

TELLING = re.compile(r"PASS(WORD|WD|PHRASE|$|_)|TOKEN|SECRET|KEY|CREDENTIAL|COOKIE|PRIVATE|AUTH|(^|_)(PWD|PW|PAT|DSN)$", re.I)
INNOCENT = re.compile(r"^(PWD|OLDPWD)$|(FILE|PATH|DIR|SOCK|SOCKET|HOST|PORT|NAME|USER|_ID|TYPE|ALGORITHM|LAYOUT)$|KEYBOARD", re.I)
PLAIN_VALUES = frozenset({"enabled", "disabled", "required", "default", "always", "optional", "prompt"})

SHAPES = (
    rb"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b",
    rb"\bgh[pousr]_[A-Za-z0-9]{36,251}\b",
    rb"\bgithub_pat_[A-Za-z0-9_]{22,255}\b",
    rb"\bgl(?:pat|ptt|dt|rt|cbt|soat|ft|agent)-[A-Za-z0-9_.-]{20,128}",
    rb"\bxox[abeoprs]-[A-Za-z0-9-]{10,250}",
    rb"\bxapp-[0-9]-[A-Za-z0-9-]{10,250}",
    rb"\bhooks\.slack\.com/services/[A-Za-z0-9/_-]{20,100}",
    rb"\beyJ[A-Za-z0-9_-]{8,2000}\.eyJ[A-Za-z0-9_-]{8,2000}\.[A-Za-z0-9_-]{8,1000}",
    rb"\b(?:sk|rk)_live_[A-Za-z0-9]{16,128}\b",
    rb"\bnpm_[A-Za-z0-9]{36}\b",
    rb"\bdop_v1_[a-f0-9]{64}\b",
    rb"\bAIza[A-Za-z0-9_-]{35}",
    rb"\bhvs\.[A-Za-z0-9_-]{24,200}",
)
"""Whole matches are masked."""
AFTER_SIGNS = (
    rb"(?i:authorization: *(?:bearer|basic|token|digest)) +[^\s\"']{6,2000}",
    rb"\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/:@\"']{0,100}:[^\s/@\"']{1,300}@",
)
"""Only what follows the signpost is masked."""
SIGNPOST = re.compile(rb"(?i)(authorization: *\w+ +|[a-z][a-z0-9+.-]*://[^\s/:@]*:)")
KEY_HEAD = re.compile(rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
KEY_FOOT = re.compile(rb"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
KEY_SIGN = b"PRIVATE KEY"


class Redactor:
    """Knows what is secret here, and cleans streams and single texts."""

    def __init__(self, environ: Mapping[str, str], patterns: Iterable[str] = ()) -> None:
        """Collect secrets from `environ`; `patterns` are regular expressions whose whole matches are secret."""
        values = sorted(_secret_values(environ), key=len, reverse=True)
        self._literals = [re.escape(value) for value in values]
        self._sources = [*self._literals, *(pattern.encode() for pattern in patterns), *AFTER_SIGNS, *SHAPES]
        self._pattern = re.compile(b"|".join(b"(?:%b)" % source for source in self._sources))
        self._reach = max([OVERLAP, *(len(value) for value in values)])
        self._held: dict[int, bytes] = {}
        self._key_left: dict[int, int] = {}
        self._seen = 0
        self._scan: Callable[[bytes], list[int] | None] | None = None

    def feed(self, stream: int, data: bytes) -> bytes:
        """Take a piece of a stream; give what can be judged by now, cleaned."""
        data = self._held.get(stream, b"") + data
        end = data.rfind(b"\n") + 1
        if len(data) - end > LONGEST_HELD:
            end = self._safe_cut(data)
        self._held[stream] = data[end:]
        return self._clean_lines(stream, data[:end]) if end else b""

    def flush(self, stream: int) -> bytes:
        """Give what was held back: no more comes."""
        return self._clean_lines(stream, self._held.pop(stream, b""))

    def clean(self, data: bytes) -> bytes:
        """Clean something complete."""
        data = KEY_HEAD.sub(lambda head: head.group() + MASK, self._masked(data)) if KEY_SIGN in data else self._masked(data)
        return data

    def text(self, text: str) -> str:
        """Clean a message."""
        return self.clean(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")

    def _clean_lines(self, stream: int, data: bytes) -> bytes:
        if stream in self._key_left or KEY_SIGN in data:
            return self._without_keys(stream, data)
        return self._masked(data)

    def _without_keys(self, stream: int, data: bytes) -> bytes:
        """Leave out what stands between the head and the foot of a private key, which are lines of their own."""
        cleaned = []
        while data:
            if stream not in self._key_left:
                head = KEY_HEAD.search(data)
                cleaned.append(self._masked(data[: head.end() if head else None]))
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
        return b"".join(cleaned)

    def _masked(self, data: bytes) -> bytes:
        self._seen += len(data)
        if self._seen > SCANNER_FROM and self._scan is None:
            self._scan = _scanner(self._sources)
        hits = self._scan(data) if self._scan is not None else None
        if hits is None:
            return self._pattern.sub(_mask, data)
        return self._masked_at(hits, data) if hits else data

    def _masked_at(self, hits: list[int], data: bytes) -> bytes:
        """Clean only the lines in which matches end at the offsets `hits`."""
        cleaned = []
        done = 0
        for hit in sorted(hits):
            if hit <= done:
                continue
            start = max(done, data.rfind(b"\n", 0, hit) + 1)
            end = data.find(b"\n", hit)
            end = len(data) if end < 0 else end
            cleaned += [data[done:start], self._pattern.sub(_mask, data[start:end])]
            done = end
        return b"".join([*cleaned, data[done:]])

    def _safe_cut(self, data: bytes) -> int:
        """Give an offset with no secret across it, in a line that does not end."""
        cut = len(data) - self._reach
        for match in self._pattern.finditer(data, max(0, cut - self._reach)):
            if match.start() < cut < match.end():
                return match.start()
        return max(cut, 0)


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


def _scanner(sources: list[bytes]) -> Callable[[bytes], list[int] | None]:
    """Give a fast search for the ends of matches; it says None where Python's own must look at everything.

    It is ten times as fast and leaves the interpreter to the loop meanwhile.
    """
    try:
        import hyperscan

        database = hyperscan.Database()
        database.compile(expressions=sources, ids=list(range(len(sources))), flags=[0] * len(sources))
    except Exception:  # noqa: BLE001 - not installed here, or a pattern that only Python understands
        return lambda _data: None

    def scan(data: bytes) -> list[int] | None:
        hits: list[int] = []

        def hit(_id: int, _start: int, end: int, _flags: int, _context: object) -> bool:
            hits.append(end - 1)
            return len(hits) > MOST_HITS

        try:
            database.scan(data, match_event_handler=hit)
        except hyperscan.ScanTerminated:
            return None
        return hits

    return scan
