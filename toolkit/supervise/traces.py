"""What a run leaves on its host beside the history, for whoever finds it when its supervisor died.

It lies in the folder of the wire, which a supervisor that ends in peace removes:

    owner               whose it is: build, run, holder and session, a line each; locked while a word may still come
    sound               is there while nothing is missing from the record
    alone               is there when a script must stop, rather than go on, once its supervisor is gone
    spare               is there when the build will do so, and therefore need not be killed at once
    until               until when what the build runs may outlive its supervisor, where others may take the build over
    unwatched           is there while it does
    ended.STATE-ATTEMPT how a step ended: by the step's own shell, or by the standby, who asked the kernel
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from typing import TYPE_CHECKING

from toolkit.core.values import Value
from toolkit.supervise.clock import monotonic
from toolkit.supervise.logs import state_directory
from toolkit.supervise.outliving import LIVING

if TYPE_CHECKING:
    from toolkit.core.progress import Progress

WORD_SECONDS = 2.0
LOOK_SECONDS = 0.005
ROUNDS = 3
SIGNALLED = 128
ENDING = frozenset({signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGKILL, signal.SIGTERM})


class Trace(Value):
    """The folder of one run."""

    directory: str
    session: int
    """The session that the supervisor belonged to."""

    @property
    def is_sound(self) -> bool:
        """Tell whether the supervisor could record everything until it died."""
        return os.path.exists(f"{self.directory}/sound")

    @property
    def helped(self) -> bool:
        """Tell whether a script of this run told its states itself: it stops by itself when nobody listens any more."""
        return os.path.exists(f"{self.directory}/spare")

    def wait_for_words(self) -> None:
        """Give a standby that has just lost its supervisor a moment to say how the child ended, if it did."""
        deadline = monotonic() + WORD_SECONDS
        while monotonic() < deadline and not os.path.exists(f"{self.directory}/{LIVING}") and self._is_locked():
            time.sleep(LOOK_SECONDS)

    def _is_locked(self) -> bool:
        try:
            with open(f"{self.directory}/owner", "rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def exit_code(self, state: int, attempt: int) -> int | None:
        """Give how a step ended; None when nothing was left, or not all of it, or it was a signal that asked it to end.

        Who took the supervisor away, or shut the machine down, meant the step as well; a shell makes a number of that.
        """
        told = _read(self._word(state, attempt))
        number = told.removesuffix("\n")
        code = int(number) if told.endswith("\n") and number.isdigit() else None
        return None if code is not None and code - SIGNALLED in ENDING else code

    def ended_ms(self, state: int, attempt: int) -> int | None:
        """Give when a step ended, as the clock was set then."""
        try:
            return os.stat(self._word(state, attempt)).st_mtime_ns // 1_000_000
        except OSError:
            return None

    def _word(self, state: int, attempt: int) -> str:
        return f"{self.directory}/ended.{state}-{attempt}"

    def remove(self) -> None:
        """Remove it, whoever else does the same."""
        remove(self.directory)


def places(project_directory: str) -> tuple[str, str]:
    """Give the folders below which traces lie: the project's, or where that cannot be written, this user's own."""
    return os.path.join(state_directory(project_directory), "run"), f"/tmp/toolkit-{os.getuid()}"  # noqa: S108


def sign(directory: str, build: str, run: int, holder: str) -> int:
    """Say whose a folder is, and that its record is sound; gives a descriptor that holds its lock. OSError."""
    with open(f"{directory}/sound", "x", encoding="ascii"):
        pass
    with open(f"{directory}/owner.new", "x", encoding="utf-8", errors="surrogateescape") as file:
        file.write(f"{build}\n{run}\n{holder}\n{os.getsid(0)}\n")
    lock = os.open(f"{directory}/owner.new", os.O_RDONLY | os.O_CLOEXEC)
    with contextlib.suppress(OSError):  # without locks nobody waits for a word, that is all
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.rename(f"{directory}/owner.new", f"{directory}/owner")
    return lock


def find(project_directory: str, progress: Progress) -> Trace | None:
    """Find what the present run of a build left on this host."""
    holder = progress.holder or ""
    pid = holder.rsplit("/", 2)[-2] if holder.count("/") >= 3 else ""  # noqa: PLR2004 - the four parts of a holder
    for place in places(project_directory):
        for name in _names(place):
            if name.partition("-")[0] != pid:
                continue
            told = _read(f"{place}/{name}/owner").split("\n")
            if told[:3] == [progress.build, str(progress.run), holder] and told[3].isdigit():
                return Trace(directory=f"{place}/{name}", session=int(told[3]))
    return None


def remove(directory: str) -> None:
    """Remove a folder of traces and all that is in it, also what a standby is about to leave there."""
    for _ in range(ROUNDS):
        for name in _names(directory):
            with contextlib.suppress(OSError):
                os.unlink(f"{directory}/{name}")
        with contextlib.suppress(OSError):
            os.rmdir(directory)
            return


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""
