"""Output that goes straight into a file: read back from there, while the build writes it without us.

The child shares the caller's open file, and its offset tells how far the build has written; so nothing is opened,
moved or appended that was not before.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from toolkit.supervise.streams import STDERR, STDOUT, is_open_for_child, is_writable, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable

PIECE = 1 << 20


class WrittenFile:
    """A regular file behind standard output, standard error or both."""

    def __init__(self, stream: int, fds: list[int]) -> None:
        """Begin at where the next byte would go; OSError when we may not read the file."""
        self.stream = stream
        self._fds = fds
        self._reader = os.open(f"/proc/self/fd/{fds[0]}", os.O_RDONLY | os.O_CLOEXEC)
        appending = bool(fcntl.fcntl(fds[0], fcntl.F_GETFL) & os.O_APPEND)
        self._offsets = self._tell()
        self._read_to = os.fstat(fds[0]).st_size if appending else max(self._offsets)

    def read(self, heard: Callable[[int, bytes], None], room: Callable[[], bool]) -> bool:
        """Report what was written since the last time while there is room; tell whether that was all."""
        offsets = self._tell()
        if offsets == self._offsets:
            return True
        end = max(offsets)
        self._read_to = min(self._read_to, end)  # cut off or rewound: what is written now counts
        while self._read_to < end:
            if not room():
                return False
            data = os.pread(self._reader, min(PIECE, end - self._read_to), self._read_to)
            if not data:
                break
            self._read_to += len(data)
            heard(self.stream, data)
        self._offsets = offsets
        return True

    def close(self) -> None:
        os.close(self._reader)

    def _tell(self) -> list[int]:
        return [os.lseek(fd, 0, os.SEEK_CUR) for fd in self._fds]


def written_files() -> list[WrittenFile]:
    """Give the regular files that the build's output goes into and that we may read."""
    groups: dict[tuple[str, int, int], list[int]] = {}
    for fd in (STDOUT, STDERR):
        if is_open_for_child(fd) and is_writable(fd) and kind_of(fd)[0] == "file":
            groups.setdefault(kind_of(fd), []).append(fd)
    found = []
    for fds in groups.values():
        try:
            found.append(WrittenFile(fds[0], fds))
        except OSError:
            continue
    return found
