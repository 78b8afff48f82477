"""Everything that the builds of a project printed, as far as it was captured: by build, state and attempt."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING

from toolkit.supervise.logs import find_logs, logs_directory, read_log
from toolkit.supervise.spool import TAILS

if TYPE_CHECKING:
    from collections.abc import Iterator

_BUILDS = 512
"""So many builds' folders are remembered at once."""


class Captured:
    """The captured logs of a project; where there are none, nothing is found and nothing is wrong."""

    def __init__(self, project_directory: str) -> None:
        """Look below the project's own folder."""
        self._folder = logs_directory(project_directory)
        self._of_build = lru_cache(_BUILDS)(self._listed)

    def size(self, build: str, state: int, attempt: int) -> int:
        """Give the bytes that an attempt's logs take on disk; 0 where none was captured."""
        paths = self._paths(build, state, attempt)
        return sum(_size(path + suffix) for path in paths for suffix in ("", *TAILS))

    def read(self, build: str, state: int, attempt: int) -> Iterator[bytes]:
        """Give what an attempt printed, in pieces; nothing where it cannot be read."""
        for path in self._paths(build, state, attempt):
            try:
                yield from read_log(path)
            except OSError:
                continue

    def _paths(self, build: str, state: int, attempt: int) -> list[str]:
        return self._of_build(build).get((state, attempt), [])

    def _listed(self, build: str) -> dict[tuple[int, int], list[str]]:
        found: dict[tuple[int, int], list[str]] = {}
        if os.sep in build or build in {"", ".", ".."}:
            return found  # an imported build may have any name
        for path in find_logs(os.path.join(self._folder, build)):
            _, state, attempt = os.path.basename(path).partition(".")[0].split("-")
            found.setdefault((int(state), int(attempt)), []).append(path)
        return found


def _size(path: str) -> int:
    try:
        return os.lstat(path).st_size
    except OSError:
        return 0
