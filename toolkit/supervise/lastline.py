"""The last thing that a build said, from the end of its log while it grows: what is news, not dots and spinners."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

from toolkit.core.values import Value
from toolkit.supervise.logs import find_logs
from toolkit.supervise.spool import FRAME_BYTES, MAGIC, TAILS
from toolkit.supervise.stalls import ESCAPES, Informative

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOKED_AT: Final = 3 * FRAME_BYTES
"""Bytes at a log's end; no frame is much larger than one of these three."""
KEPT: Final = 256 << 10
LONGEST: Final = 500


class LastLine(Value):
    """A line and when the log that holds it last grew, in milliseconds since 1970 (UTC)."""

    text: str
    ts_ms: int


class LastLines:
    """Answers for many builds, again and again; a log that has not grown is not read again."""

    def __init__(self) -> None:
        """Begin without having read anything."""
        self._known: dict[str, tuple[tuple[str, int, int], LastLine | None]] = {}

    def of(self, directory: str) -> LastLine | None:
        """Give the last informative line in a build's folder of logs; None when there is none."""
        found = _newest(directory)
        if found is None:
            return None
        known = self._known.get(directory)
        if known is not None and known[0] == found:
            return known[1]
        path, _, changed_ns = found
        text = last_line(path)
        line = LastLine(text=text, ts_ms=changed_ns // 1_000_000) if text else None
        if line is None and known is not None:
            line = known[1]  # the new attempt has only drawn dots so far
        self._known[directory] = (found, line)
        return line


def last_line(path: str) -> str:
    """Give the last line of a log's end that says something new; empty when there is none."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - LOOKED_AT))
            held = file.read()
    except OSError:
        return ""
    text = b""
    for piece in _texts(held):
        text = (text + piece)[-KEPT:]
    said, heard = b"", Informative()
    for line in text.split(b"\n"):
        if heard.hears(1, line + b"\n"):
            said = line
    shown = ESCAPES.sub(b"", [part for part in said.split(b"\r") if part.strip()][-1]) if said else b""
    return shown.decode("utf-8", "replace").strip()[:LONGEST]


def _newest(directory: str) -> tuple[str, int, int] | None:
    """The log that grew last, with its size and time: it, or one of the two files that its end takes turns in."""
    found = []
    for log in find_logs(directory):
        for path in (log, *(log + suffix for suffix in TAILS)):
            with contextlib.suppress(OSError):
                status = os.lstat(path)
                found.append((status.st_mtime_ns, path, status.st_size))
    if not found:
        return None
    changed_ns, path, size = max(found)
    return path, size, changed_ns


def _texts(held: bytes) -> Iterator[bytes]:
    """Decompress the whole frames, and what there is of a torn one, in bytes that may begin within a frame."""
    import zstandard

    at = held.find(MAGIC)
    while at >= 0:
        frame = zstandard.ZstdDecompressor().decompressobj()
        text = b""
        with contextlib.suppress(zstandard.ZstdError):
            # Ours say how long they are; what a build printed may look like a frame that never ends.
            if 0 < zstandard.frame_content_size(held[at:]) <= LOOKED_AT:
                text = frame.decompress(held[at:])
        if text:
            yield text
        ended = frame.eof and text
        at = held.find(MAGIC, len(held) - len(frame.unused_data) if ended else at + 1)
