"""All channels copied in one thread: what the build has written goes to its readers, and to whoever keeps it."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from toolkit.supervise.streams import Channel

TERMINAL_HOLDS = 1 << 17
"""Bytes; more than the kernel keeps for a pseudo-terminal, so that looking for the end ends."""
GONE = select.POLLERR | select.POLLHUP | select.POLLNVAL


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
        self.rearranged = 0
        """Grows when there is something else to wait for."""
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
        return self.act(self.wait(seconds))

    def wait(self, seconds: float | None) -> list[tuple[int, int]]:
        """Wait for something to do, at most `seconds`, and give what `act` takes. May be called without owning us."""
        return self._poll.poll(None if seconds is None else max(0, int(seconds * 1000) + 1))

    def act(self, events_of: list[tuple[int, int]]) -> list[int]:
        """Do what there is to do, and give the watched descriptors that are readable."""
        readable = []
        for fd, events in events_of:
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
        self.rearranged += 1
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
        self.rearranged += 1
        self._ignore_source(channel)
        del self._outlets[channel.outlet.fd]
        self._poll.unregister(channel.outlet.fd)
        self.open.remove(channel)
        channel.break_off()
        self._ended(channel)
