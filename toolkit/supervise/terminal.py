"""A terminal among the outputs: a pseudo-terminal in its place, so that the build sees a terminal and we see the bytes.

Only descriptors 1 and 2 are replaced. Standard input, /dev/tty, session, controlling terminal and process group stay the
caller's own, hence Ctrl-C, Ctrl-Z, job control, echo and raw mode are the kernel's business as before. The pseudo-terminal is
kept the twin of the real one: same size, same settings, changes carried over in both directions. It processes output as the
real one would (`\\n` becomes `\\r\\n`), which is undone here, because the real one will do it again.

What a program can still find out: the name of the terminal at descriptor 1, and that it is not its controlling one (tcgetpgrp
fails). Where that matters, leave terminals alone with `capture="pipes"`.
"""

from __future__ import annotations

import fcntl
import os
import signal
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

    def resize(self) -> bool:
        """Give the twin the real one's size, and tell whether that changed it."""
        try:
            size = fcntl.ioctl(self.real, termios.TIOCGWINSZ, bytes(SIZE_BYTES))
            if size == self._size:
                return False
            fcntl.ioctl(self.master, termios.TIOCSWINSZ, size)
        except OSError:
            return False
        self._size = size
        return True

    def tell_resized(self) -> None:
        """Signal the size once more: who asked at the kernel's own SIGWINCH may have been faster than we were."""
        try:
            if os.tcgetpgrp(self.real) == os.getpgrp():
                os.kill(0, signal.SIGWINCH)
        except OSError:
            return  # not our controlling terminal, so nobody here was signalled

    def agree(self) -> None:
        """Carry changed settings from one to the other; what both changed differently, the build decides."""
        try:
            ours, theirs = termios.tcgetattr(self.master), termios.tcgetattr(self.real)
            if ours == theirs:
                self._agreed = ours
                return
            wanted = _merged(_merged(theirs, self._agreed, theirs), self._agreed, ours)
            if wanted != theirs:
                # From the background this stops us and the build alike, as it would have stopped the build.
                termios.tcsetattr(self.real, termios.TCSANOW, wanted)
            if wanted != ours:
                termios.tcsetattr(self.master, termios.TCSANOW, wanted)
            self._agreed = wanted
        except termios.error:
            return  # hung up

    def unprocessed(self, data: bytes) -> bytes:
        """Undo the twin's output processing."""
        self.agree()
        if self._agreed[OFLAG] & NEWLINES == NEWLINES:
            return data.replace(b"\r\n", b"\n")
        return data


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
