"""Hashes of files, and a cache of those of large ones that only ever saves reading them again.

A kept hash is believed when device, inode, size and both times are those of the file, and when the file had been left
alone for a while before it was read: what was written within the clock's own grain could be written again unseen.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any, Final

LARGE: Final = 256 << 10
"""Bytes; smaller files are read each time, which is no slower than to ask."""
SETTLED_NS: Final = 2_000_000_000
"""A file has to have been left alone for so long before its hash is kept."""
MOST_KEPT: Final = 2000
PIECE: Final = 1 << 20


class Hashes:
    """The SHA-256 of files, those of large ones kept below the project's state directory."""

    def __init__(self, directory: str) -> None:
        """Keep hashes in `directory`, which need not exist; a cache that cannot be read or written is none."""
        self._path = os.path.join(directory, "cache", "hashes")
        self._kept: dict[str, Any] | None = None
        self._new = False

    def of(self, path: str) -> str:
        """Give the SHA-256 of a regular file in hex; empty when it was written meanwhile. OSError."""
        from hashlib import sha256

        place = os.path.abspath(path)
        with open(path, "rb", buffering=0) as file:
            about = _about(file.fileno())
            large = about[2] >= LARGE
            kept = self._load().get(place) if large else None
            if isinstance(kept, list) and kept[:-1] == about:
                return str(kept[-1])
            began = time.time_ns()
            summed = sha256()
            while piece := file.read(PIECE):
                summed.update(piece)
            if _about(file.fileno()) != about:
                return ""
        digest = summed.hexdigest()
        if large and began - max(about[3], about[4]) >= SETTLED_NS:
            kept_now = self._load()
            kept_now.pop(place, None)
            kept_now[place] = [*about, digest]
            self._new = True
        return digest

    def save(self) -> None:
        """Keep what was learnt; when that fails, it is learnt again."""
        if not self._new or self._kept is None:
            return
        self._new = False
        newest = dict(list(self._kept.items())[-MOST_KEPT:])
        aside = f"{self._path}.{os.getpid()}"
        try:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            with open(aside, "w", encoding="utf-8") as file:
                json.dump(newest, file)
            os.replace(aside, self._path)
        except OSError:
            return

    def _load(self) -> dict[str, Any]:
        if self._kept is None:
            try:
                with open(self._path, encoding="utf-8") as file:
                    found = json.load(file)
            except (OSError, ValueError):
                found = {}
            self._kept = found if isinstance(found, dict) else {}
        return self._kept


def _about(descriptor: int) -> list[int]:
    about = os.fstat(descriptor)
    return [about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns]
