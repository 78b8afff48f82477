"""Processes of a run that outlived their supervisor: found by the environment that it gave them, and ended.

Two steps at the same state at once are what no record can repair. So before a build goes on, whatever still runs of its
last attempts is ended; what a completed state left running, a virtual machine say, is part of its result and stays.
"""

from __future__ import annotations

import os
import select
import signal
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from toolkit.errors import Refused
from toolkit.supervise.clock import monotonic

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from toolkit.core.progress import Progress

GRACE_SECONDS = 5.0
LAST_SECONDS = 5.0
ROUNDS = 20


class _Found(NamedTuple):
    pid: int
    session: int
    variables: Mapping[str, str]


def end_leftovers(progress: Progress, session: int | None) -> int:
    """End what the present run of a build, whose supervisor is gone, still runs; tells how many processes that were.

    `session` is the supervisor's: who left it, and bears no state's mark, is a daemon. Refused when one does not end.
    """
    ended: set[int] = set()
    for _ in range(ROUNDS):
        found = {each.pid for each in _marked(progress) if _is_left_over(each, progress, session)} - {os.getpid()}
        if not found:
            break
        ended |= found
        _end(found, progress.build)
    return len(ended)


def _is_left_over(process: _Found, progress: Progress, session: int | None) -> bool:
    state, attempt = process.variables.get("TOOLKIT_STATE", ""), process.variables.get("TOOLKIT_ATTEMPT", "")
    if state.isdigit() and attempt.isdigit():
        done = progress.completions.get(int(state))
        return done is None or done.attempt != int(attempt)
    return session is None or process.session == session


def _marked(progress: Progress) -> list[_Found]:
    """Find the processes that were started, at whatever remove, by the supervisor of a build's present run."""
    parts = (progress.holder or "").rsplit("/", 3)
    if len(parts) != 4:  # noqa: PLR2004 - the four parts of a holder
        return []
    build, run, wire = f"TOOLKIT_BUILD={progress.build}", f"TOOLKIT_RUN={progress.run}", f"TOOLKIT_WIRE={parts[2]}:"
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                entries = file.read().decode("utf-8", "surrogateescape").split("\0")
            if build not in entries or run not in entries or not any(each.startswith(wire) for each in entries):
                continue
            session = os.getsid(int(name))
        except OSError:
            continue
        found.append(_Found(int(name), session, dict(each.partition("=")[::2] for each in entries)))
    return found


def _end(pids: Collection[int], build: str) -> None:
    with ExitStack() as stack:
        held = {}
        for pid in pids:
            try:
                held[pid] = os.pidfd_open(pid)
            except OSError:
                continue  # gone already
            stack.callback(os.close, held[pid])
        for number, seconds in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, LAST_SECONDS)):
            _tell(held, number)
            deadline = monotonic() + seconds
            while held and monotonic() < deadline:
                waiting = select.poll()
                for fd in held.values():
                    waiting.register(fd, select.POLLIN)
                gone = {fd for fd, _ in waiting.poll(max(0.0, deadline - monotonic()) * 1000)}
                held = {pid: fd for pid, fd in held.items() if fd not in gone}
        if held:
            raise _stubborn(build, held)


def _tell(held: Mapping[int, int], number: int) -> None:
    for fd in held.values():
        for each in (number, signal.SIGCONT):  # who is stopped cannot obey
            try:
                signal.pidfd_send_signal(fd, each)
            except OSError:
                continue


def _stubborn(build: str, pids: Collection[int]) -> Refused:
    told = ", ".join(map(str, sorted(pids)))
    return Refused(
        f"what the last run of build {build} started still runs, and does not end: process {told}",
        hint="End it by hand, then resume.",
    )
