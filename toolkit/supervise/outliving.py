"""What becomes of a child whose supervisor was killed: whether it lives on, until when, and how its end is left behind.

All of it happens in the standby, which is not the child's parent. From Linux 6.15 on the kernel tells how any process
ended to whoever holds a descriptor of it; on an older one a child that leaves no word itself is not let live on.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import struct
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from toolkit.core.values import NOTHING, Value
from toolkit.supervise.clock import boot_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.supervise.streams import Channel

TELLING: Final = (6, 15)
"""The first Linux whose process descriptors tell how a process ended."""
REAPED_SECONDS: Final = 60.0
"""The kernel tells once whoever inherited the orphan has taken note; one that does not in this time never will."""
LOOK_SECONDS: Final = 1.0
BURIAL_SECONDS: Final = 0.01
GRACE_SECONDS: Final = 2.0
LIVING: Final = "unwatched"

_SIZE: Final = 64
_GET_INFO: Final = 3 << 30 | _SIZE << 16 | 0xFF << 8 | 11
_EXIT: Final = 8
_EXIT_CODE_AT: Final = 60


class Outliving(Value):
    """What a child may do without its supervisor. Paths; an empty one stands for nothing."""

    spare: str = ""
    """While there is such a file the child lives on; else it is killed at once, for it had the caller's eyes on it."""
    until: str = ""
    """Holds the moment, in seconds since the machine was started, at which it is ended with all that it has started:
    somebody elsewhere may then go on with the build. Empty: there is no such moment."""
    word: str = ""
    """Where its exit code is left."""
    lock: int = -1
    """A descriptor whose lock says that a word may still come."""
    marks: Mapping[str, str] = NOTHING
    """The variables by which its orphans are known."""

    @property
    def living(self) -> str:
        """The file that is there while the child lives on."""
        return f"{os.path.dirname(self.spare)}/{LIVING}"

    @property
    def allowed(self) -> bool:
        """Whether the child may live on at all."""
        return bool(self.spare) and os.path.exists(self.spare)


def is_told() -> bool:
    """Tell whether this kernel tells the end of a process to others than its parent."""
    version = os.uname().release.split(".")
    numbers = tuple(int(each) for each in version[:2] if each.isdigit())
    return len(numbers) == len(TELLING) and numbers >= TELLING


def follow(channels: Sequence[Channel], child: int, outliving: Outliving) -> None:
    """Copy what is still printed, and see to the child whose descriptor this is, if it is 0 or more."""
    from toolkit.supervise.copier import Copier

    copier = Copier(channels, lambda _stream, _data: None, lambda _channel: None)
    if child >= 0 and not _has_ended(child) and not outliving.allowed:
        with contextlib.suppress(OSError):  # it is gone, or became another user's: then nobody could have killed it
            signal.pidfd_send_signal(child, signal.SIGKILL)
    elif child >= 0 and not _has_ended(child):
        with contextlib.suppress(OSError):
            _write(outliving.living, b"")
    if child >= 0:
        copier.watch(child)
    else:
        _let_go(outliving)
    ended: float | None = None
    patience = REAPED_SECONDS if outliving.word else 0.0
    while copier.open or child >= 0:
        pause = BURIAL_SECONDS if ended is not None else LOOK_SECONDS if child >= 0 and outliving.until else None
        if child in copier.turn(pause):
            copier.unwatch(child)
            ended = boot_seconds()
            _remove(outliving)
        if ended is not None and ((status := _status(child)) is not None or boot_seconds() > ended + patience):
            _leave_word(status, outliving)
            _let_go(outliving)
            child, ended = -1, None
        elif child >= 0 and ended is None and outliving.until and boot_seconds() >= _moment(outliving.until):
            _end(child, outliving)


def write_until(path: str, moment: float) -> None:
    """Let a child live until a moment, in boot seconds; where that cannot be written, the last one stands."""
    with contextlib.suppress(OSError):
        _write(path, f"{moment}\n".encode())


def _leave_word(status: int | None, outliving: Outliving) -> None:
    """Say how it ended, where it ended by itself: what a signal ended was interrupted."""
    code = -1 if status is None else os.waitstatus_to_exitcode(status)
    if outliving.word and code >= 0:
        with contextlib.suppress(OSError):
            _write(outliving.word, f"{code}\n".encode())


def _remove(outliving: Outliving) -> None:
    """Say that the child does not live on any more: its word is about to come."""
    if outliving.allowed:
        with contextlib.suppress(OSError):
            os.unlink(outliving.living)


def _status(child: int) -> int | None:
    """Ask the kernel how a process ended; None as long as nobody has buried it, or when it does not tell."""
    told = bytearray(_SIZE)
    struct.pack_into("Q", told, 0, _EXIT)
    try:
        fcntl.ioctl(child, _GET_INFO, told)
    except OSError:
        return None
    return struct.unpack_from("i", told, _EXIT_CODE_AT)[0] if struct.unpack_from("Q", told)[0] & _EXIT else None


def _end(child: int, outliving: Outliving) -> None:
    """Its time is over, and that of all it has started."""
    from toolkit.supervise.tree import Family

    with open(f"/proc/self/fdinfo/{child}", encoding="ascii") as file:
        pid = next((int(line.split()[1]) for line in file if line.startswith("Pid:")), -1)
    if pid <= 0:
        return
    family = Family(pid, outliving.marks)
    family.send(signal.SIGTERM)
    family.send(signal.SIGCONT)
    deadline = boot_seconds() + GRACE_SECONDS
    while boot_seconds() < deadline and not (_has_ended(child) and not family.alive):
        time.sleep(LOOK_SECONDS / 20)
    family.send(signal.SIGKILL)
    family.close()


def _let_go(outliving: Outliving) -> None:
    if outliving.lock >= 0:
        os.close(outliving.lock)


def _moment(path: str) -> float:
    try:
        with open(path, encoding="ascii") as file:
            return float(file.read())
    except (OSError, ValueError):
        return 0.0


def _has_ended(child: int) -> bool:
    waiting = select.poll()
    waiting.register(child, select.POLLIN)
    return bool(waiting.poll(0))


def _write(path: str, data: bytes) -> None:
    """Put a file in its place as a whole, durably; OSError."""
    descriptor = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.rename(f"{path}.new", path)
