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
    from collections.abc import Callable, Sequence

PIECE = 1 << 20
"""Bytes read at once in a flood; as much as a pipe may hold without privileges."""
SMALL_PIECE = 1 << 16
"""Bytes read at once else: to make room for a whole piece takes longer than to read a line and write it."""
ATOMIC = 4096
"""Bytes that a pipe which polls writable takes without making the writer wait."""
STDOUT, STDERR = 1, 2
TERMINAL_HOLDS = 1 << 17
"""Bytes; more than the kernel keeps for a pseudo-terminal, so that looking for the end ends."""
GONE = select.POLLERR | select.POLLHUP | select.POLLNVAL


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


class Copier:
    """Copies all channels in one thread; no channel ever waits for another's reader."""

    def __init__(
        self,
        channels: Sequence[Channel],
        heard: Callable[[int, bytes], None],
        ended: Callable[[Channel], None],
    ) -> None:
        """Tell `heard` of each piece with its stream, once it is on its way, and `ended` of each closed channel."""
        self.open = list(channels)
        self._heard = heard
        self._ended = ended
        self._poll = select.poll()
        self._reading = True
        self._watched: set[int] = set()
        self._sources: dict[int, Channel] = {}
        self._outlets: dict[int, Channel] = {}
        for channel in channels:
            self._sources[channel.source] = channel
            self._outlets[channel.outlet.fd] = channel
            self._poll.register(channel.source, select.POLLIN)
            self._poll.register(channel.outlet.fd, 0)

    def watch(self, fd: int) -> None:
        """Have `turn` tell when another descriptor becomes readable."""
        self._watched.add(fd)
        self._poll.register(fd, select.POLLIN)

    def unwatch(self, fd: int) -> None:
        """Do not tell of it any more."""
        self._watched.discard(fd)
        self._poll.unregister(fd)

    def turn(self, seconds: float | None) -> list[int]:
        """Wait for something to do, at most `seconds`, do it, and give the watched descriptors that are readable."""
        readable = []
        for fd, events in self._poll.poll(None if seconds is None else max(0, int(seconds * 1000) + 1)):
            if fd in self._watched:
                readable.append(fd)
            elif fd in self._sources:
                self._read(self._sources[fd])
            elif fd in self._outlets:
                channel = self._outlets[fd]
                self._end(channel) if events & GONE else self._forward(channel)
        return readable

    def absorb(self) -> None:
        """Take all that the build has written until now, so that what is heard next comes after it."""
        for channel in list(self.open):
            left = channel.available() if channel.terminal is None else TERMINAL_HOLDS
            while left > 0 and channel.open and (data := channel.read()):
                left -= len(data)
                self._take(channel, data)

    @property
    def pending(self) -> bool:
        """Whether a reader has not yet taken all that we have for it."""
        return any(channel.pending for channel in self.open)

    def finish_hung_up(self) -> bool:
        """Read nothing more from living writers, everything from dead ones; tell whether there are living ones."""
        self._reading = False
        living = False
        for channel in list(self.open):
            if channel.is_hung_up():
                while channel.open and (data := channel.read()):
                    self._take(channel, data)
            else:
                living = True
            if channel.open:
                self._ignore_source(channel)
        return living

    def abandon(self) -> None:
        """Give up on readers that do not read."""
        for channel in self.open:
            channel.pending.clear()

    def _read(self, channel: Channel) -> None:
        data = channel.read()
        if data:
            self._take(channel, data)
        elif data is not None:
            self._end(channel)

    def _take(self, channel: Channel, data: bytes) -> None:
        channel.pending.append(memoryview(data))
        if len(channel.pending) == 1:
            self._forward(channel)
        self._heard(channel.stream, data)

    def _forward(self, channel: Channel) -> None:
        """Write; while the reader is slow, leave the build's next bytes in the pipe: it waits as it would have."""
        was_waiting = channel.waiting
        try:
            channel.forward()
        except OSError:
            self._end(channel)
            return
        channel.waiting = bool(channel.pending)
        if channel.waiting == was_waiting:
            return
        if channel.pending:
            self._ignore_source(channel)
            self._poll.modify(channel.outlet.fd, select.POLLOUT)
        else:
            self._poll.modify(channel.outlet.fd, 0)
            if self._reading:
                self._sources[channel.source] = channel
                self._poll.register(channel.source, select.POLLIN)

    def _ignore_source(self, channel: Channel) -> None:
        # Not merely asked for nothing: a pipe without writers would still wake us all the time.
        if self._sources.pop(channel.source, None) is not None:
            self._poll.unregister(channel.source)

    def _end(self, channel: Channel) -> None:
        self._ignore_source(channel)
        del self._outlets[channel.outlet.fd]
        self._poll.unregister(channel.outlet.fd)
        self.open.remove(channel)
        channel.break_off()
        self._ended(channel)


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
