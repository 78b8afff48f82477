"""A second process of ours that sleeps beside the build, for the two things the supervisor cannot do itself.

It is a *canary*: it sits in our process group with every signal blocked. A parent cannot tell `kill PID` from a kill
of the whole group; but when the same signal is pending here, the group got it, the build has its own copy, and
passing ours on would double it. And it is an *heir*: it holds the reading ends of the build's output, so when the
build leaves background processes behind, or the supervisor is killed with -9, they go on printing to where they
printed, and nobody gets a SIGPIPE that the bare build would not have got. In the second case it also sees to the child,
whose place in the caller's eyes we had: `outliving.py`.

It is forked before the child and before any thread; it costs a third of a millisecond.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from typing import TYPE_CHECKING, NoReturn

from toolkit.supervise.outliving import Outliving, follow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.supervise.streams import Channel

ANSWER_SECONDS = 1.0
"""A standby that does not answer within this time (somebody stopped it) is done without."""
STRAGGLER_SECONDS = 0.003
"""Whoever signals a list of processes reaches us some microseconds before it reaches the standby."""
COMMAND_BYTES = 5


class Standby:
    """The supervisor's handle on the process; every method is safe when the process could not be made or is gone."""

    def __init__(self, channels: Sequence[Channel], outliving: Outliving) -> None:
        """Fork it. All signals must be blocked; what was inherited and is not in `channels` it closes."""
        self.pid = 0
        self._answers = self._commands = -1
        opened: list[int] = []
        try:
            opened += os.pipe2(os.O_CLOEXEC)
            opened += os.pipe2(os.O_CLOEXEC)
            self.pid = os.fork()
        except OSError:
            for fd in opened:
                os.close(fd)
            return  # no more processes or files to be had: we do without
        commands, self._commands, self._answers, answers = opened
        if self.pid == 0:
            _serve(commands, answers, channels, outliving)
        os.close(commands)
        os.close(answers)

    def watch(self, child: int) -> None:
        """Name the child that must not outlive us."""
        self._ask(b"w", child)

    def received(self, number: int) -> bool:
        """Tell whether a signal that reached us reached the whole group."""
        wait_for_the_group()
        return self._ask(b"s", number)

    def drop(self, index: int) -> None:
        """Let go of a channel, so that we are the last to hold its ends."""
        self._ask(b"d", index)

    def take_over(self) -> None:
        """Leave the remaining channels to it: it copies until the last writer is gone."""
        self._ask(b"o", 0)
        self._close()

    def dismiss(self) -> None:
        """End it; nothing is left to copy."""
        if self.pid:
            try:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass  # somebody was faster
        self._close()

    def _ask(self, what: bytes, number: int) -> bool:
        if self._commands < 0:
            return False
        try:
            os.write(self._commands, what + number.to_bytes(COMMAND_BYTES - 1, "little"))
            waiting = select.poll()
            waiting.register(self._answers, select.POLLIN)
            if waiting.poll(ANSWER_SECONDS * 1000):
                answer = os.read(self._answers, 1)
                if answer:
                    return answer == b"y"
        except OSError:
            pass  # SIGKILL spares nobody; we go on alone
        self.dismiss()
        return False

    def _close(self) -> None:
        for fd in (self._commands, self._answers):
            if fd >= 0:
                os.close(fd)
        self._commands = self._answers = -1
        self.pid = 0


def wait_for_the_group() -> None:
    """Wait until a signal that is being sent to our group has reached all of it.

    The kernel walks the group under the task list's lock. Joining the group that one is in takes the same lock and does
    nothing else; a session's leader is refused, with the lock held all the same.
    """
    with contextlib.suppress(PermissionError):
        os.setpgid(0, os.getpgrp())


def _serve(commands: int, answers: int, channels: Sequence[Channel], outliving: Outliving) -> NoReturn:
    """Be the standby."""
    try:
        left = dict(enumerate(channels))
        kept = {
            commands,
            answers,
            outliving.lock,
            *(fd for channel in channels for fd in (channel.source, channel.outlet.fd)),
        }
        for channel in channels:
            channel.inlet = -1
        for fd in [int(name) for name in os.listdir("/proc/self/fd")]:
            if fd not in kept:
                _close_quietly(fd)
        _introduce()
        child = _wait(commands, answers, left)
        os.close(commands)
        os.close(answers)
        follow(list(left.values()), child, outliving)
    finally:
        os._exit(0)


def _wait(commands: int, answers: int, left: dict[int, Channel]) -> int:
    """Answer the supervisor until it hands over or dies; gives the child to see to, -1 for none."""
    child = -1
    while len(command := os.read(commands, COMMAND_BYTES)) == COMMAND_BYTES:
        number = int.from_bytes(command[1:], "little")
        answer = b"y"
        if command[:1] == b"w":
            child = os.pidfd_open(number)
        elif command[:1] == b"s":
            answer = b"y" if signal.sigtimedwait([number], STRAGGLER_SECONDS) else b"n"
        elif command[:1] == b"d":
            left.pop(number).close()
        os.write(answers, answer)
        if command[:1] == b"o":
            return -1
    return child


def _introduce() -> None:
    """Stand nowhere in the way of an unmount, and say in a process list what this is."""
    os.chdir("/")
    try:
        with open("/proc/self/comm", "w", encoding="ascii") as file:
            file.write("toolkit-standby")
    except OSError:
        return


def _close_quietly(fd: int) -> None:
    try:
        os.close(fd)
    except OSError:
        return
