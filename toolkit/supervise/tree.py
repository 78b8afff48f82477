"""The processes that a build has started and that still run, and how to end all of them but nobody else.

The build shares its caller's process group, so signalling the group would hit the caller. Its descendants are found
through /proc and held by pidfd, which no reused number can mislead. Orphans that left the family before are found by
the group and by the environment that we gave them.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Kin(NamedTuple):
    """A process that no other will be taken for, even when its number is given again."""

    pid: int
    started: int


class Family:
    """A process and its descendants, as found until now."""

    def __init__(self, leader: int, marks: Mapping[str, str], spared: frozenset[Kin] | None = None) -> None:
        """Start from `leader`; orphans of ours bear all of `marks` in their environment.

        With `spared` the leader itself is none of the family, nor are these children of it and what they started.
        """
        self._marks = [f"{name}={value}".encode("utf-8", "surrogateescape") for name, value in marks.items()]
        self._group = os.getpgrp()
        self._leader = leader
        self._members: dict[int, int] = {}
        self._told: set[int] = set()
        self._spared = spared
        self._relatives = _with_ancestors(os.getpid())
        if spared is not None:
            self._relatives |= _with_ancestors(leader)
        self._first_seen: Process | None = None

    def send(self, number: int) -> None:
        """Signal everybody, new members included, until no new ones turn up.

        Parents first: a shell that sees its command end before it is told itself would go on with the next one.
        """
        told: set[int] = set()
        for _ in range(10):
            processes = self._look()
            new = self._members.keys() - told
            if not new:
                return
            for pid in sorted(new, key=lambda each: processes[each].started if each in processes else 0):
                told.add(pid)
                self._tell(pid, number)

    def send_to_new_children(self, number: int) -> None:
        """Signal the leader's children that turned up since the last signal."""
        processes = self._look()
        for pid in self._members.keys() - self._told:
            if processes[pid].parent == self._leader:
                self._tell(pid, number)

    @property
    def alive(self) -> bool:
        """Whether any member other than the leader still runs."""
        self._look()
        return any(pid != self._leader for pid in self._members)

    def close(self) -> None:
        """Let go of all of them."""
        for fd in self._members.values():
            os.close(fd)
        self._members.clear()

    def _tell(self, pid: int, number: int) -> None:
        self._told.add(pid)
        with contextlib.suppress(OSError):  # gone, or another user's
            signal.pidfd_send_signal(self._members[pid], number)

    def _look(self) -> dict[int, Process]:
        processes = _processes()
        for pid, fd in list(self._members.items()):
            if pid not in processes or _has_ended(fd):
                os.close(fd)
                del self._members[pid]
                self._told.discard(pid)
        strangers = {os.getpid()}
        if self._spared is not None:
            strangers |= {kin.pid for kin in self._spared if _is(kin, processes)}
        found = {self._leader, *self._members}
        found |= {pid for pid, process in processes.items() if self._is_orphan(pid, process, processes)}
        grown = True
        while grown:
            more = {pid for pid, process in processes.items() if process.parent in found} - found - strangers
            found |= more
            grown = bool(more)
        if self._spared is not None:
            strangers.add(self._leader)
        self._hold((found & processes.keys()) - self._members.keys() - strangers)
        return processes

    def _hold(self, pids: Iterable[int]) -> None:
        for pid in pids:
            try:
                self._members[pid] = os.pidfd_open(pid)
            except OSError:
                continue

    def _is_orphan(self, pid: int, process: Process, processes: Mapping[int, Process]) -> bool:
        leader = processes.get(self._leader, self._first_seen)
        self._first_seen = leader
        if process.group != self._group or not self._marks or leader is None or process.started < leader.started:
            return False
        if process.parent in self._relatives or pid in self._relatives:
            return False
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                environ = set(file.read().split(b"\0"))
        except OSError:
            return False
        return environ.issuperset(self._marks)


class Process(NamedTuple):
    """What /proc/PID/stat tells of interest."""

    parent: int
    group: int
    started: int


def _processes() -> dict[int, Process]:
    """Give every process that is not a zombie."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (process := _process(int(name))) is not None:
            found[int(name)] = process
    return found


def _process(pid: int) -> Process | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    if fields[0] in {b"Z", b"X"}:
        return None
    return Process(int(fields[1]), int(fields[2]), int(fields[19]))


def _is(kin: Kin, processes: Mapping[int, Process]) -> bool:
    process = processes.get(kin.pid)
    return process is not None and process.started == kin.started


def children_of(pid: int) -> frozenset[Kin]:
    """Give the children that a process has now."""
    if not pid:
        return frozenset()
    try:
        with open(f"/proc/{pid}/task/{pid}/children", "rb") as file:
            found = {int(number): _process(int(number)) for number in file.read().split()}
    except OSError:
        found = {number: each for number, each in _processes().items() if each.parent == pid}
    return frozenset(Kin(number, each.started) for number, each in found.items() if each is not None)


def lives(pid: int) -> bool:
    """Tell whether there is such a process; 0 stands for none."""
    return pid > 0 and _process(pid) is not None


def _with_ancestors(pid: int) -> set[int]:
    processes = _processes()
    found = set()
    while pid > 1 and pid in processes:
        found.add(pid)
        pid = processes[pid].parent
    return found


def _has_ended(pidfd: int) -> bool:
    asked = select.poll()
    asked.register(pidfd, select.POLLIN)
    return bool(asked.poll(0))
