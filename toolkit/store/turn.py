"""Taking turns at writing: a fair queue of processes on two lock files, bounded in time.

SQLite's own busy handler sleeps and hopes, so of several busy writers one gets nearly everything. Here a writer first
takes `next`, then waits for `turn`, then lets go of `next`: whoever has just written must queue behind the one that
already waits. Only the head of the queue watches `turn` closely, so watching costs little; and since nobody ever blocks
inside the kernel, a holder that hangs costs a writer its patience and not its life.
"""

from __future__ import annotations

import errno
import fcntl
import os
from time import monotonic, sleep

from toolkit.errors import StoreUnavailable

_TRY = fcntl.LOCK_EX | fcntl.LOCK_NB
_WATCH_NEXT = 0.0005
_WATCH_TURN = 0.00005
_NO_LOCKS_HERE = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})


class Turn:
    """One process's place in the queue for one store."""

    def __init__(self, path: str, wait_seconds: float) -> None:
        """Queue beside the store's file `path`, at most `wait_seconds` each time."""
        self.path = path
        self.wait_seconds = wait_seconds
        self._pid = os.getpid()
        self._next = self._turn = -1
        self._without = False

    def take(self) -> None:
        """Wait for the turn; StoreUnavailable when it does not come in time."""
        if self._without:
            return
        if self._turn < 0:
            self._open()
        elif os.getpid() != self._pid:
            raise RuntimeError("a store does not survive a fork: open it again in the child")
        deadline = monotonic() + self.wait_seconds
        try:
            self._wait(self._next, _WATCH_NEXT, deadline)
            try:
                self._wait(self._turn, _WATCH_TURN, deadline)
            finally:
                fcntl.flock(self._next, fcntl.LOCK_UN)
        except OSError as error:
            if error.errno not in _NO_LOCKS_HERE:
                raise
            self.close()
            self._without = True  # some network file systems: the database's own locks must do

    def give(self) -> None:
        """Let the next one write. Never fails: what was written by then is written."""
        if not self._without:
            try:
                fcntl.flock(self._turn, fcntl.LOCK_UN)
            except OSError:
                self.close()  # which lets go of it as well; the next turn opens it again

    def close(self) -> None:
        """Leave the queue."""
        for descriptor in (self._next, self._turn):
            if descriptor >= 0:
                os.close(descriptor)
        self._next = self._turn = -1

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            self._next = os.open(f"{self.path}-next", flags, 0o600)
            self._turn = os.open(f"{self.path}-turn", flags, 0o600)
        except OSError as error:
            raise StoreUnavailable(
                f"cannot write beside {self.path}: {error.strerror}",
                hint="Make the directory writable for this user, or name another store with --store.",
            ) from error

    def _wait(self, descriptor: int, watch: float, deadline: float) -> None:
        while True:
            try:
                fcntl.flock(descriptor, _TRY)
            except BlockingIOError:
                now = monotonic()
                if now >= deadline:
                    raise StoreUnavailable(
                        f"{self.path}: another process has kept the store from writing for {self.wait_seconds:g} s",
                        hint="Look for a stopped toolkit process, or a very large import, and let it end.",
                    ) from None
                sleep(watch * (0.5 + now * 1e6 % 1))  # uneven, so that nobody keeps step with somebody else
            else:
                return
