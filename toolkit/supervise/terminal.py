r"""A terminal among the outputs: a pseudo-terminal in its place, so that the build sees one and we see the bytes.

Only descriptors 1 and 2 are replaced. Standard input, /dev/tty, session, controlling terminal and process group stay
the caller's own, hence Ctrl-C, Ctrl-Z, job control, echo and raw mode are the kernel's business as before. The
pseudo-terminal is kept the twin of the real one: same size, same settings, changes carried over in both directions.
It processes output as the real one would (`\n` becomes `\r\n`), which is undone here, because the real one will do
it again.

What a program can still find out: the name of the terminal at descriptor 1; that it is not its controlling one
(tcgetpgrp fails); and, if it asks there within some microseconds of a SIGWINCH, the size before it. A second SIGWINCH
would cure that and be a signal that the bare build does not get. Where any of this matters, leave terminals alone
with `capture="pipes"`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import termios
from typing import Any

SIZE_BYTES = 8
IFLAG, OFLAG, CFLAG, LFLAG, ISPEED, OSPEED, CC = range(7)
FLAGS = (IFLAG, OFLAG, CFLAG, LFLAG)
NEWLINES = termios.OPOST | termios.ONLCR

Settings = list[Any]


class Terminal:
    """The real terminal at `fd` and its twin."""

    def __init__(self, fd: int) -> None:
        self.real = fd
        self.master, self.slave = os.openpty()
        self._agreed = termios.tcgetattr(fd)
        termios.tcsetattr(self.slave, termios.TCSANOW, self._agreed)
        self._size = bytes(SIZE_BYTES)
        self.resize()

    def resize(self) -> None:
        """Give the twin the real one's size."""
        with contextlib.suppress(OSError):
            size = fcntl.ioctl(self.real, termios.TIOCGWINSZ, bytes(SIZE_BYTES))
            if size != self._size:
                fcntl.ioctl(self.master, termios.TIOCSWINSZ, size)
                self._size = size

    def agree(self) -> None:
        """Carry changed settings over, both ways; only while the twin is empty, or what it holds would be misread."""
        with contextlib.suppress(termios.error):  # hung up
            self._follow_the_twin()
            theirs = termios.tcgetattr(self.real)
            if theirs != self._agreed:
                termios.tcsetattr(self.master, termios.TCSANOW, theirs)
                self._agreed = termios.tcgetattr(self.master)

    def unprocessed(self, data: bytes) -> bytes:
        """Undo what the twin did to output; before that, what the build set on the twin is set on the real one."""
        with contextlib.suppress(termios.error):
            self._follow_the_twin()
        if self._agreed[OFLAG] & NEWLINES == NEWLINES:
            return data.replace(b"\r\n", b"\n")
        return data

    def _follow_the_twin(self) -> None:
        ours = termios.tcgetattr(self.master)
        if ours != self._agreed:
            before, self._agreed = self._agreed, ours
            # From the background this stops us and the build alike, as it would have stopped the build.
            termios.tcsetattr(self.real, termios.TCSANOW, _merged(termios.tcgetattr(self.real), before, ours))


def _merged(base: Settings, before: Settings, after: Settings) -> Settings:
    """Apply to `base` what changed between `before` and `after`."""
    merged = list(base)
    for field in FLAGS:
        changed = before[field] ^ after[field]
        merged[field] = base[field] & ~changed | after[field] & changed
    for field in (ISPEED, OSPEED):
        if before[field] != after[field]:
            merged[field] = after[field]
    merged[CC] = [new if new != old else mine for mine, old, new in zip(base[CC], before[CC], after[CC], strict=True)]
    return merged
