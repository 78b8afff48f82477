"""Signals that reach us instead of the build: taken note of, so that they can be passed on.

Handlers do nothing; the interpreter writes each signal's number into a pipe that the loop reads. What the caller
ignored is ignored by the child, until it says otherwise. SIGPIPE and SIGXFSZ stay with Python (they would come from
our own writes as well), and the four faults kill us as they would kill the build; the standby then does the rest.

Python ignores SIGPIPE and SIGXFSZ from its first moment, so what the caller had for them is lost. Their default is
what the child gets, except below a shell or service manager that ignores them itself: there it was inherited.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

STOPPING = frozenset({signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM})
"""What asks a build to end; everything else is conversation."""
STOPS = frozenset({signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU})
TERMINAL_ACCESS = frozenset({signal.SIGTTIN, signal.SIGTTOU})
PYTHONS_OWN = frozenset({signal.SIGPIPE, signal.SIGXFSZ})
FAULTS = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL})
UNTOUCHED = PYTHONS_OWN | FAULTS | {signal.SIGKILL, signal.SIGSTOP}
DUMPING = FAULTS | {signal.SIGQUIT, signal.SIGABRT, signal.SIGTRAP, signal.SIGSYS, signal.SIGXCPU, signal.SIGXFSZ}
"""What leaves a core file."""
HANDING_ON = frozenset({"sh", "bash", "dash", "zsh", "ksh", "mksh", "busybox", "fish", "systemd"})
"""Parents whose ignored SIGPIPE reaches their children; interpreters ignore it for themselves alone."""


class Signals:
    """Our handlers from `install` to `restore`; main thread only."""

    def __init__(self) -> None:
        self.original_mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self.defaults_for_child = sorted(number for number in PYTHONS_OWN if not _inherited_ignored(number))
        self.fd = -1
        self._writer = -1
        self._saved: dict[int, object] = {}
        self._old_wakeup = -1

    def block(self) -> None:
        """Hold all signals back, for the moment in which processes are made."""
        self.original_mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())

    def unblock(self) -> None:
        """Let them come, with the caller's own mask."""
        signal.pthread_sigmask(signal.SIG_SETMASK, self.original_mask)

    def install(self, *, terminal: bool) -> None:
        """Take note of all that can be caught, also of what the caller ignored: a build may catch it all the same.

        Only what would stop us stays ignored where it is: with a handler, the kernel refuses our writes to a terminal.
        With a terminal among the outputs SIGTTIN and SIGTTOU keep their default: the kernel sends them to
        the whole group when one of us touches the terminal from the background, and whoever is sent them has to stop.
        """
        self.fd, self._writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._old_wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in signal.valid_signals() - UNTOUCHED - (TERMINAL_ACCESS if terminal else frozenset()):
            if number not in STOPS or signal.getsignal(number) is not signal.SIG_IGN:
                self._saved[number] = signal.signal(number, _noted)

    def on(self, number: int, act: Callable[[], None]) -> None:
        """Do something right when a signal comes, ahead of the loop."""
        if number in self._saved:
            signal.signal(number, lambda _number, _frame: act())

    def restore(self) -> None:
        """Put every handler back as it was before `install`."""
        for number, handler in self._saved.items():
            signal.signal(number, handler or signal.SIG_DFL)  # type: ignore[arg-type]
        self._saved.clear()
        if self._writer >= 0:
            signal.set_wakeup_fd(self._old_wakeup)
            os.close(self.fd)
            os.close(self._writer)
            self.fd = self._writer = -1

    def forget_in_child(self) -> None:
        """Between fork and exec: give the child the caller's dispositions, before any signal can reach it."""
        signal.set_wakeup_fd(-1)
        for number, handler in self._saved.items():
            signal.signal(number, signal.SIG_IGN if handler is signal.SIG_IGN else signal.SIG_DFL)
        for number in self.defaults_for_child:
            signal.signal(number, signal.SIG_DFL)

    def poke(self) -> None:
        """Wake the loop from another thread."""
        try:
            os.write(self._writer, b"\0")
        except OSError:
            return  # a full pipe wakes the loop as well, and a closed one has no loop

    def take(self) -> list[int]:
        """Give the signals that came since the last time, each once, in order; 0 stands for a poke."""
        try:
            return list(dict.fromkeys(os.read(self.fd, 4096)))
        except BlockingIOError:
            return []

    def stop_ourselves(self, number: int) -> None:
        """Stop as the child stopped, so that whoever started us sees it; returns when we are continued."""
        if number == signal.SIGSTOP:
            os.kill(os.getpid(), number)
            return
        handler = signal.signal(number, signal.SIG_DFL)
        signal.pthread_kill(threading.get_ident(), number)
        signal.signal(number, handler)


def pause(seconds: float) -> None:
    """Wait, but let a signal that would end us do so at once: the next command then records the truth."""
    caught = signal.sigtimedwait(STOPPING, seconds) if seconds > 0 else None
    if caught is not None:
        signal.signal(caught.si_signo, signal.SIG_DFL)
        os.kill(os.getpid(), caught.si_signo)


def _noted(_number: int, _frame: FrameType | None) -> None:
    """Handle nothing: the number is in the wake-up pipe already."""


def _inherited_ignored(number: int) -> bool:
    """Tell whether the caller most likely ignored a signal that Python ignores in any case."""
    try:
        with open(f"/proc/{os.getppid()}/comm", encoding="utf-8", errors="replace") as file:
            if file.read().strip() not in HANDING_ON:
                return False
        with open(f"/proc/{os.getppid()}/status", "rb") as file:
            ignored = next(line for line in file if line.startswith(b"SigIgn:"))
    except (OSError, StopIteration):
        return False
    return bool(int(ignored.split()[1], 16) >> (number - 1) & 1)
