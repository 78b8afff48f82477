"""The build's output on its way through us: in which descriptors we stand, and how bytes get to the caller.

Only pipes, sockets and terminals are stood in, each by its own kind, and one for all descriptors that are the same
file. Other files and devices the child gets as they are, /dev/null among them: programs look whether they write there
(grep stops at its first match), so what goes there is not kept. The caller's descriptors are shared with the caller, so
their flags are never touched: pipes and terminals are opened a second time through /proc for writing without waiting.
When a reader goes away we close our end at once, without waiting for data: the build's very next write gets the
SIGPIPE that it would have got.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import stat
import termios
from collections import deque
from typing import TYPE_CHECKING

from toolkit.supervise.terminal import Terminal

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

PIECE = 1 << 20
"""Bytes read at once in a flood; as much as a pipe may hold without privileges."""
SMALL_PIECE = 1 << 16
"""Bytes read at once else: to make room for a whole piece takes longer than to read a line and write it."""
ATOMIC = 4096
"""Bytes that a pipe which polls writable takes without making the writer wait."""
STDOUT, STDERR = 1, 2


class Outlet:
    """The caller's end of a stream, written without ever waiting and without changing the caller's descriptor."""

    def __init__(self, fd: int, kind: str) -> None:
        self.fd = -1
        self._socket: socket.socket | None = None
        self._piece = PIECE
        if kind == "socket":
            self._open_socket(fd)
        else:
            self._open_again(fd)

    def write(self, data: memoryview) -> int:
        """Write what fits and give its length, 0 when nothing does; OSError when nobody will ever read it."""
        try:
            if self._socket is not None:
                import socket

                return self._socket.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            if self._piece == ATOMIC and not self._has_room():
                return 0
            return os.write(self.fd, data[: self._piece])
        except BlockingIOError:
            return 0

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        elif self.fd >= 0:
            os.close(self.fd)
        self.fd = -1

    def _has_room(self) -> bool:
        asked = select.poll()
        asked.register(self.fd, select.POLLOUT)
        return bool(asked.poll(0))

    def _open_again(self, fd: int) -> None:
        try:
            flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
            self.fd = os.open(f"/proc/self/fd/{fd}", flags)
        except OSError:
            # Another user's pipe, after su: then small pieces, each after poll has said that it fits.
            self.fd = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
            self._piece = ATOMIC

    def _open_socket(self, fd: int) -> None:
        import socket

        self._socket = socket.socket(fileno=fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3))
        self.fd = self._socket.fileno()


class Channel:
    """One output that we stand in: what the child writes into, where we read it, and where it goes."""

    def __init__(self, stream: int, targets: Sequence[int], kind: str) -> None:
        """Stand in the child's descriptors `targets`, all of them the same file of a kind; report bytes as `stream`."""
        self.stream = stream
        self.targets = tuple(targets)
        self.kind = kind
        self.pending: deque[memoryview] = deque()
        self.waiting = False
        self._room = SMALL_PIECE
        self.terminal: Terminal | None = None
        self.open = True
        fd = targets[0]
        self.outlet = Outlet(fd, kind)
        try:
            self.source, self.inlet = self._open_ends(fd)
        except OSError:
            self.outlet.close()
            raise
        os.set_blocking(self.source, False)
        if kind != "terminal" and not os.get_blocking(fd):
            os.set_blocking(self.inlet, False)

    def _open_ends(self, fd: int) -> tuple[int, int]:
        if self.kind == "terminal":
            self.terminal = Terminal(fd)
            return self.terminal.master, self.terminal.slave
        return _socket_pair() if self.kind == "socket" else _pipe()

    def read(self) -> bytes | None:
        """Give what the build has written, b"" when nobody can write any more, None when there is nothing now."""
        try:
            data = os.read(self.source, self._room)
            self._room = SMALL_PIECE if len(data) < SMALL_PIECE else PIECE
            if self.terminal is None:
                return data
        except BlockingIOError:
            return None
        except OSError:
            return b""  # what a pseudo-terminal says when its last writer closed it
        return self.terminal.unprocessed(self._with_newlines_whole(data))

    def _with_newlines_whole(self, data: bytes) -> bytes:
        """A newline arrives as two bytes at once, but a read may end between them."""
        while data.endswith(b"\r"):
            try:
                more = os.read(self.source, PIECE)
            except OSError:
                break
            data += more
        return data

    def available(self) -> int:
        """Give how many bytes wait to be read, as far as the kernel tells."""
        return int.from_bytes(fcntl.ioctl(self.source, termios.FIONREAD, bytes(4)), "little")

    def is_hung_up(self) -> bool:
        """Whether no writer is left."""
        asked = select.poll()
        asked.register(self.source, 0)
        return bool(asked.poll(0))

    def forward(self) -> None:
        """Write what is pending as far as it goes now; OSError when the reader is gone."""
        while self.pending:
            written = self.outlet.write(self.pending[0])
            if not written:
                return
            if written == len(self.pending[0]):
                self.pending.popleft()
            else:
                self.pending[0] = self.pending[0][written:]

    def break_off(self) -> None:
        """Close it for everybody, the standby too: nobody writes any more, or nobody will ever read."""
        if self.kind == "socket":
            self._shut_down()
        self.close()

    def _shut_down(self) -> None:
        """Closing a socket with unread bytes in it would give the build a reset instead of a broken pipe."""
        import socket

        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self.source)) as end:
            end.shutdown(socket.SHUT_RDWR)
            while os.read(self.source, PIECE):
                pass

    def close_inlet(self) -> None:
        """Leave the writing end to the child alone."""
        if self.inlet >= 0:
            os.close(self.inlet)
            self.inlet = -1

    def close(self) -> None:
        """Let go of both ends; whoever else holds them goes on."""
        self.close_inlet()
        if self.open:
            self.open = False
            self.pending.clear()
            os.close(self.source)
            self.outlet.close()


def is_open_for_child(fd: int) -> bool:
    try:
        return os.get_inheritable(fd)
    except OSError:
        return False


def kind_of(fd: int) -> tuple[str, int, int]:
    """Give what a descriptor is (`pipe`, `socket`, `terminal`, `file`, `other`) and which one."""
    status = os.fstat(fd)
    if stat.S_ISFIFO(status.st_mode):
        return "pipe", status.st_dev, status.st_ino
    if stat.S_ISSOCK(status.st_mode):
        return "socket", status.st_dev, status.st_ino
    if stat.S_ISREG(status.st_mode):
        return "file", status.st_dev, status.st_ino
    # Opening the master of a pseudo-terminal again would make a new one.
    if os.isatty(fd) and status.st_rdev != os.makedev(5, 2):
        return "terminal", status.st_dev, status.st_rdev
    return "other", status.st_dev, status.st_ino


def open_channels(kinds: Sequence[str]) -> list[Channel]:
    """Stand in descriptors 1 and 2 where they are of one of the `kinds`, and in higher ones that are the same pipe.

    OSError when there are not enough descriptors for that; then nothing is open.
    """
    groups: dict[tuple[str, int, int], list[int]] = {}
    for fd in (STDOUT, STDERR):
        if is_open_for_child(fd) and is_writable(fd):
            identity = kind_of(fd)
            if identity[0] in kinds:
                groups.setdefault(identity, []).append(fd)
    if any(identity[0] == "pipe" for identity in groups):
        for fd in inherited_descriptors():
            identity = kind_of(fd)
            if identity[0] == "pipe" and identity in groups and is_writable(fd):
                groups[identity].append(fd)
    channels: list[Channel] = []
    try:
        for identity, fds in groups.items():
            channels.append(Channel(fds[0], fds, identity[0]))
    except OSError:
        for channel in channels:
            channel.close()
        raise
    return channels


def inherited_descriptors() -> list[int]:
    """Give the descriptors above standard error that the caller handed us; our own never survive an exec."""
    numbers = sorted(int(name) for name in os.listdir("/proc/self/fd"))
    return [fd for fd in numbers if fd > STDERR and is_open_for_child(fd)]


def is_writable(fd: int) -> bool:
    return fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY


def _pipe() -> tuple[int, int]:
    source, inlet = os.pipe2(os.O_CLOEXEC)
    with contextlib.suppress(OSError):  # the user's share of pipe memory is used up; a small pipe is slower and as good
        fcntl.fcntl(source, fcntl.F_SETPIPE_SZ, PIECE)
    return source, inlet


def _socket_pair() -> tuple[int, int]:
    import socket

    source, inlet = socket.socketpair()
    return source.detach(), inlet.detach()
