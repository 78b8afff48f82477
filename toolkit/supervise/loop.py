"""The supervisor at work: one loop over output, signals and clocks, until the child has ended.

The wire is read by the recorder's thread, which alone has to wake for a request; before it reads there it takes, in our
place, what the build has printed. So while the loop is not waiting it holds `_turns`, and who holds it may copy.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING

from toolkit.supervise.clock import monotonic
from toolkit.supervise.copier import Copier
from toolkit.supervise.recording import HUNG_SECONDS
from toolkit.supervise.signals import STOPPING
from toolkit.supervise.standby import wait_for_the_group
from toolkit.supervise.streams import STDERR, inherited_descriptors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.supervise.files import WrittenFile
    from toolkit.supervise.limits import Limits
    from toolkit.supervise.recording import Recording
    from toolkit.supervise.signals import Signals
    from toolkit.supervise.standby import Standby
    from toolkit.supervise.streams import Channel

TERMINAL_SECONDS = 0.1
"""How often a terminal's settings are compared while nothing is printed."""
FILES_SECONDS = 0.5
"""How often output that goes into files is read back."""
LARGEST_REQUESTS = 1 << 16
CLOSED_SECONDS = 0.05
"""How long we keep an output that the build closed: mostly that is the build's end, and we may have to warn."""
SWITCH_SECONDS = 0.0001
"""How long the recorder may keep the interpreter while output waits for us."""


class Loop:
    """One child, from just after its start."""

    def __init__(  # noqa: PLR0913 - its parts
        self,
        child: int,
        channels: Sequence[Channel],
        files: Sequence[WrittenFile],
        *,
        signals: Signals,
        standby: Standby,
        recording: Recording,
        limits: Limits,
        wire_fd: int | None,
        again: bool,
    ) -> None:
        """Take charge of all of them; `again` keeps the caller's descriptors for another child."""
        self.stopped_by: int | None = None
        self.limits = limits
        self._child = child
        self._end: tuple[int | None, int | None] | None = None
        self._channels = list(channels)
        self._files = files
        self._signals = signals
        self._standby = standby
        self._recording = recording
        self._wire_fd = wire_fd
        self._rest = b""
        self._again = again
        self._turns = threading.Lock()
        self._leaving = False
        self._reads_wire = False
        self._look_at = monotonic()
        self._closed_at: dict[int, float] = {}
        self._copier = Copier(channels, self._heard, self._closed)

    def run(self) -> tuple[int | None, int | None]:
        """Give the child's exit code and signal, one of them None, when all its output has been passed on."""
        for channel in self._channels:
            channel.close_inlet()
        self._standby.watch(self._child)
        if not self._again:
            _let_go()
        self._switching = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_SECONDS)
        self._copier.watch(self._signals.fd)
        self._recording.when_hung(self._take_the_wire)
        self._recording.start(self._wire_fd, self._fetch)
        self.limits.connect(self._signals.poke)
        self._signals.on(signal.SIGWINCH, self._resize)
        with self._turns:
            while self._end is None or self.limits.ending:
                self._turn(self._wait())
                self.limits.act()
                self._look()
                self._let_go_of_closed()
            self.limits.connect(None)
            self._pass_on_the_rest()
        return self._end

    def finish(self, patience: float) -> bool:
        """Clean up, wait for the recorder, and tell whether it has everything."""
        deadline = monotonic() + patience
        for file in self._files:
            while not file.read(self._heard, self._recording.room) and monotonic() < deadline:
                self._recording.wait_for_room(deadline - monotonic())
            file.close()
        recorded = self._recording.finish(max(0.0, deadline - monotonic()))
        sys.setswitchinterval(self._switching)
        self.limits.close()
        self._signals.restore()
        return recorded

    def _wait(self) -> float | None:
        due = [self.limits.wait(), self._seconds_to_look(), self._seconds_to_the_wire()]
        if self._closed_at:
            due.append(max(0.0, min(self._closed_at.values()) + CLOSED_SECONDS - monotonic()))
        return min((seconds for seconds in due if seconds is not None), default=None)

    def _ready(self, seconds: float | None) -> list[int]:
        """Wait without our turn, and copy; gives the other descriptors that are readable."""
        self._turns.release()
        try:
            events = self._copier.wait(seconds)
        finally:
            self._turns.acquire()
        return self._copier.act(events)

    def _turn(self, seconds: float | None) -> None:
        for fd in self._ready(seconds):
            if fd == self._wire_fd:
                self._requested()
            else:
                self._signalled()

    # ------------------------------------------------------------ output

    def _heard(self, stream: int, data: bytes) -> None:
        at = monotonic()
        self.limits.heard(stream, data, at)
        self._recording.output(stream, data, at)

    def _closed(self, channel: Channel) -> None:
        """The build closed an output, or its reader went away: nobody else may be kept from noticing."""
        if self._leaving:
            return
        self._standby.drop(self._channels.index(channel))
        if not self._again:
            self._closed_at.update((target, monotonic()) for target in channel.targets if target <= STDERR)

    def _let_go_of_closed(self) -> None:
        """The build goes on without an output that it closed: whoever reads there must not wait for us."""
        now = monotonic()
        for target in [each for each, at in self._closed_at.items() if now - at >= CLOSED_SECONDS]:
            del self._closed_at[target]
            if self._end is None:
                _empty(target)

    def _fetch(self) -> None:
        """On the recorder's thread: queue what was printed until now, and then the requests."""
        with self._turns:
            if self._leaving:
                return
            before = self._copier.rearranged
            try:
                self._requested()
            except BaseException:
                self._take_the_wire()
                raise
            if self._copier.rearranged != before:
                self._signals.poke()  # there is something else to wait for

    def _seconds_to_the_wire(self) -> float | None:
        """Give how long a recorder that has something in hand is relied on to look at the wire."""
        return HUNG_SECONDS if self._wire_fd is not None and not self._reads_wire and self._recording.busy else None

    def _take_the_wire(self) -> None:
        """Read it here from now on: the recorder does not come to it. Any thread."""
        if not self._reads_wire and self._wire_fd is not None:
            self._reads_wire = True
            self._recording.leave_the_wire()
            self._copier.watch(self._wire_fd)
            self._signals.poke()

    def _requested(self) -> None:
        self._copier.absorb()
        self._read_files()
        try:
            data = os.read(self._wire_fd or 0, LARGEST_REQUESTS)
        except BlockingIOError:
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._recording.request(line)

    def _seconds_to_look(self) -> float | None:
        if any(channel.terminal for channel in self._copier.open):
            return TERMINAL_SECONDS
        return FILES_SECONDS if self._files else None

    def _look(self) -> None:
        """See to what nobody tells us of."""
        if self._recording.hangs():
            self._take_the_wire()
        now = monotonic()
        if now < self._look_at:
            return
        self._look_at = now + (self._seconds_to_look() or 0.0)
        self._agree()
        self._read_files()

    def _agree(self) -> None:
        """Let terminals and their twins be set alike, after all that was printed under the old settings."""
        if any(channel.terminal for channel in self._copier.open):
            self._copier.absorb()
            for channel in self._copier.open:
                if channel.terminal is not None and not channel.pending:
                    channel.terminal.agree()

    def _read_files(self) -> None:
        for file in self._files:
            with contextlib.suppress(OSError):
                file.read(self._heard, self._recording.room)

    def _pass_on_the_rest(self) -> None:
        """The child is gone: write out what it left; its background processes' output is the standby's."""
        self._leaving = True
        self._copier.absorb()
        if self._wire_fd is not None:
            self._requested()
            self._recording.leave_the_wire()
        left_behind = self._copier.finish_hung_up()
        while self._copier.pending and self._end is not None:
            for _ in self._ready(None):
                if any(number in STOPPING for number in self._signals.take()):
                    self._copier.abandon()
        self._agree()
        if left_behind:
            self._standby.take_over()
        else:
            self._standby.dismiss()
        for channel in self._channels:
            channel.close()

    # ------------------------------------------------------------ signals

    def _signalled(self) -> None:
        arrived = deque(self._signals.take())
        reap = False
        while arrived:
            number = arrived.popleft()
            if number == 0:
                self.limits.obey()
            elif number == signal.SIGCHLD:
                reap = True  # last: what stopped or ended the child reached us with it
            elif self._pass_on(number):
                # What came twice to the group is one pending signal at the standby.
                arrived.extend(later for later in self._signals.take() if later != number and later not in arrived)
        if reap:
            self._reap()

    def _pass_on(self, number: int) -> bool:
        """Give the child its copy of a signal, unless it has one already; tell whether it has."""
        if number in STOPPING:
            self.stopped_by = number
        if self._standby.received(number):
            return True
        if self._end is None:
            os.kill(self._child, number)
        return False

    def _resize(self) -> None:
        for channel in self._copier.open:
            if channel.terminal is not None:
                channel.terminal.resize()

    def _reap(self) -> None:
        while self._end is None:
            options = os.WEXITED | os.WSTOPPED | os.WCONTINUED | os.WNOHANG
            change = os.waitid(os.P_PID, self._child, options)
            if change is None:
                return
            if change.si_code == os.CLD_EXITED:
                self._end = change.si_status, None
            elif change.si_code in {os.CLD_KILLED, os.CLD_DUMPED}:
                self._end = None, change.si_status
            elif change.si_code == os.CLD_STOPPED:
                self._stop(change.si_status)

    def _stop(self, number: int) -> None:
        """Stop with the child, so that the caller's shell sees a stopped job."""
        self._copier.absorb()
        self._agree()
        wait_for_the_group()
        for other in self._signals.take():
            if other not in {0, signal.SIGCHLD}:
                self._pass_on(other)
        if _runs(self._child):
            return  # continued already, and so are we
        since = monotonic()
        self._signals.stop_ourselves(number)
        self.limits.slept(monotonic() - since)
        self.limits.obey()
        self._resize()


def _runs(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in {b"T", b"t"}
    except OSError:
        return False


def _let_go() -> None:
    """Close what only the build should hold: when it closes one, whoever is at the other end must notice."""
    with contextlib.suppress(OSError):
        if os.get_inheritable(0):
            _empty(0)
    for fd in inherited_descriptors():
        with contextlib.suppress(OSError):
            os.close(fd)


def _empty(fd: int) -> None:
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    os.dup2(nothing, fd, inheritable=False)
    os.close(nothing)
