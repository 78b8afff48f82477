"""The processes that a build has started and that still run, and how to end all of them but nobody else.

The build shares its caller's process group, so signalling the group would hit the caller. Its descendants are found
through /proc and held by pidfd, which no reused number can mislead. Orphans that left the family before are found by
the group and by the environment that we gave them.
"""

from __future__ import annotations

import os
import select
import signal
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Family:
    """A process and its descendants, as found until now."""

    def __init__(self, leader: int, marks: Mapping[str, str]) -> None:
        """Start from `leader`; orphans of ours bear all of `marks` in their environment."""
        self._marks = [f"{name}={value}".encode("utf-8", "surrogateescape") for name, value in marks.items()]
        self._group = os.getpgrp()
        self._leader = leader
        self._members: dict[int, int] = {}
        self._relatives = _ourselves_and_ancestors()
        self._first_seen: Process | None = None

    def send(self, number: int) -> None:
        """Signal everybody, new members included, until no new ones turn up."""
        told: set[int] = set()
        for _ in range(10):
            self._look()
            new = self._members.keys() - told
            if not new:
                return
            for pid in new:
                told.add(pid)
                try:
                    signal.pidfd_send_signal(self._members[pid], number)
                except OSError:
                    continue  # gone, or another user's

    @property
    def alive(self) -> bool:
        """Whether any member other than the leader still runs."""
        self._look()
        return any(pid != self._leader for pid in self._members)

    def close(self) -> None:
        for fd in self._members.values():
            os.close(fd)
        self._members.clear()

    def _look(self) -> None:
        processes = _processes()
        for pid, fd in list(self._members.items()):
            if pid not in processes or _has_ended(fd):
                os.close(fd)
                del self._members[pid]
        found = {self._leader, *self._members}
        found |= {pid for pid, process in processes.items() if self._is_orphan(pid, process, processes)}
        grown = True
        while grown:
            more = {pid for pid, process in processes.items() if process.parent in found} - found
            found |= more
            grown = bool(more)
        self._hold(found - self._members.keys() - {os.getpid()})

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
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue
            if fields[0] not in {b"Z", b"X"}:
                found[int(name)] = Process(int(fields[1]), int(fields[2]), int(fields[19]))
    return found


def _ourselves_and_ancestors() -> set[int]:
    processes = _processes()
    found = set()
    pid = os.getpid()
    while pid > 1 and pid in processes:
        found.add(pid)
        pid = processes[pid].parent
    return found


def _has_ended(pidfd: int) -> bool:
    asked = select.poll()
    asked.register(pidfd, select.POLLIN)
    return bool(asked.poll(0))
