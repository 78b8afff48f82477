"""The conversation with the state helper: requests on one FIFO, answers on a numbered one for each shell that asks.

A shell without a helper process can only open files, so the wire is a private directory:

    req           requests, a line each: `slot TAB verb TAB code TAB text`
    (and what `traces.py` lists)
    slot.N        claimed by the shell whose pid it holds (opened with noclobber, so only one can)
    reply.N       values too long for an answer, as shell assignments
    value.N       the same in the other direction

The answers go through pipes that have no name: the supervisor holds them at the descriptors after that of `req`, and
shells open `/proc/PID/fd/NUMBER`. When the supervisor dies, so does the path, and who is waiting reads the end of the
file. Nothing of ours can make a build wait for ever.
"""

from __future__ import annotations

import fcntl
import os
import resource
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from toolkit.core.values import Value
from toolkit.supervise.outliving import Outliving, is_told, write_until
from toolkit.supervise.traces import places, remove, sign

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolkit.core.progress import Attempt
    from toolkit.supervise.ledger import Ledger

SLOTS = 64
CROWDED = 4
"""Behind this part of the slots it is looked for shells that are gone."""
LOWEST_DESCRIPTOR = 200
"""Where our descriptors begin to be looked for: out of the way of those that come and go."""
SPARED_DESCRIPTORS = 12
"""Where a limit leaves too few, there are fewer slots, so that so many stay for other files."""
LONGEST_ANSWER = 3000
"""Bytes; a FIFO takes 4,096 in one piece."""


NEEDS_OWNER = frozenset({"begin", "retry", "decide"})
HOW = os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC
"""Both ends at once: so nobody who opens the other end has to wait for us, or finds it closed."""


class Request(Value):
    """One line from a shell, or from `toolkit state`."""

    slot: int
    owner: int
    """The pid of the shell that claimed the slot; 0 where it does not matter."""
    verb: str
    code: str
    text: str


class Wire:
    """The supervisor's end. Create it before the child starts; `close` removes every trace of it."""

    def __init__(self, parent: str) -> None:
        """Make the directory below `parent`, private to this user; OSError when it cannot be made."""
        self.directory = _private_directory(parent)
        self._owners: dict[int, int] = {}
        self._may_be_spared = False
        self._lock = -1
        self._closing = threading.Lock()
        try:
            self.descriptors = _contiguous(self.directory)
            for slot in range(len(self.descriptors), SLOTS + 1):
                _write(f"{self.directory}/slot.{slot}", f"{os.getpid()}\n".encode())  # nobody else may claim it
        except OSError:
            remove(self.directory)
            raise

    def sign(self, build: str, run: int, holder: str, *, alone: bool) -> None:
        """Say whose this is; OSError. `alone`: without us a script must stop, and need not be killed, then."""
        self._lock = sign(self.directory, build, run, holder)
        if alone:
            _write(f"{self.directory}/alone", b"")
        self._may_be_spared = alone

    def unsound(self) -> None:
        """Say that the record has holes, should we die before the history can say so."""
        with suppress(OSError):
            os.unlink(f"{self.directory}/sound")

    def outliving(self, attempt: Attempt | None, marks: Mapping[str, str], *, shared: bool) -> Outliving:
        """Say what becomes of the child when we are killed: a script of states, or the command of one `attempt`.

        Where the history is `shared` with other hosts, it must not outlive the lease.
        """
        until = f"{self.directory}/until" if shared else ""
        if attempt is None or not is_told():
            return Outliving(spare=f"{self.directory}/spare", until=until, lock=self._lock, marks=marks)
        return Outliving(
            spare=f"{self.directory}/alone", until=until, lock=self._lock, marks=marks,
            word=f"{self.directory}/ended.{attempt.state}-{attempt.attempt}",
        )  # fmt: skip

    def leased(self, moment: float) -> None:
        """Let the child live until a moment, in boot seconds."""
        write_until(f"{self.directory}/until", moment)

    @property
    def requests_fd(self) -> int:
        """The descriptor that becomes readable when somebody asks."""
        return self.descriptors[0]

    @property
    def address(self) -> str:
        """What the environment variable `TOOLKIT_WIRE` holds: `PID:DESCRIPTOR:DIRECTORY`."""
        return f"{os.getpid()}:{self.descriptors[0]}:{self.directory}"

    def parse(self, line: bytes) -> Request | None:
        """Read a request; None for a line that is none (anybody can write to a FIFO)."""
        parts = line.decode("utf-8", "replace").rstrip("\n").split("\t", 3)
        if len(parts) != 4 or not parts[0].isdigit():  # noqa: PLR2004 - four fields
            return None
        if not 1 <= int(parts[0]) < len(self.descriptors):
            return None
        slot = int(parts[0])
        if slot > (len(self.descriptors) - 1) // CROWDED:
            self._free_the_dead(slot)
        verb, text = parts[1], parts[3]
        if verb.endswith("-file"):
            verb, text = verb.removesuffix("-file"), self._value(slot)
        if verb == "begin" and self._may_be_spared:
            self._may_be_spared = False
            _write(f"{self.directory}/spare", b"")
        owner = self._owner(slot) if verb in NEEDS_OWNER else 0
        return Request(slot=slot, owner=owner, verb=verb, code=parts[2], text=text)

    def answer(self, request: Request, text: str) -> None:
        """Let the shell that asked go on."""
        line = " ".join(text.split("\n")).encode("utf-8", "surrogateescape")[:LONGEST_ANSWER] + b"\n"
        try:
            os.write(self.descriptors[request.slot], line)
        except BlockingIOError:
            return

    def still_waits(self, request: Request) -> bool:
        """Tell whether the shell that asked is still there, for answers that come late."""
        return self._owner(request.slot) == request.owner

    def leave_values(self, slot: int, values: Mapping[str, str]) -> None:
        """Put assignments where the shell at `slot` sources them after the answer `reuse values`."""
        text = "".join(f"{name}={_quoted(value)}\n" for name, value in values.items())
        _write(f"{self.directory}/reply.{slot}", text.encode("utf-8", "surrogateescape"))

    def ask_again(self, asked: Request, verb: str, seconds: float) -> None:
        """Let the same request come again, under another verb, after a wait."""
        line = f"{asked.slot}\t{verb}\t{asked.code}\t{asked.text}\n".encode()
        timer = threading.Timer(seconds, self._ask, (line,))
        timer.daemon = True
        timer.start()

    def _ask(self, line: bytes) -> None:
        with self._closing:
            if self.descriptors:
                os.write(self.descriptors[0], line)

    def close(self, *, leave_traces: bool = False) -> None:
        """Close the descriptors (whoever waits reads the end of the file) and remove the directory.

        Traces are left where the history does not have everything: they say so to whoever resumes the build.
        """
        with self._closing:  # a wait that is over just now must not write into what has our number next
            _close_all(self.descriptors)
            self.descriptors = []
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
        if not leave_traces:
            remove(self.directory)

    def _free_the_dead(self, busy: int) -> None:
        """Give back slots of shells that ended, before the last ones are taken."""
        for slot in range(1, SLOTS + 1):
            owner = self._owner(slot)
            if slot != busy and owner and not os.path.exists(f"/proc/{owner}"):
                self._drain(slot)
                os.unlink(f"{self.directory}/slot.{slot}")
                del self._owners[slot]

    def _owner(self, slot: int) -> int:
        """Give the pid that claimed a slot, 0 for none; a slot that is claimed stays so until we give it back."""
        if slot not in self._owners:
            try:
                with open(f"{self.directory}/slot.{slot}", encoding="ascii") as file:
                    owner = int(file.read() or 0)
            except (OSError, ValueError):
                return 0
            if not owner:
                return 0
            self._owners[slot] = owner
        return self._owners[slot]

    def _value(self, slot: int) -> str:
        try:
            with open(f"{self.directory}/value.{slot}", "rb") as file:
                return file.read().decode("utf-8", "surrogateescape")
        except OSError:
            return ""

    def _drain(self, slot: int) -> None:
        """An answer that nobody took must not reach the next owner of the slot."""
        try:
            while os.read(self.descriptors[slot], LONGEST_ANSWER):
                pass
        except BlockingIOError:
            return


def open_wire(project_directory: str, ledger: Ledger) -> Wire | None:
    """Open the wire of a run that `ledger` records, and sign it; None, and a word about it, when there is no place."""
    trouble: OSError | None = None
    for parent in places(project_directory):
        try:
            wire = Wire(parent)
            wire.sign(ledger.build, ledger.run, ledger.progress.holder or "", alone=ledger.phase == "full-resume")
        except OSError as error:
            trouble = error
        else:
            ledger.on_trouble = wire.unsound
            return wire
    ledger.trouble(f"the state helper has nowhere to talk: {trouble}")
    return None


def _private_directory(parent: str) -> str:
    os.makedirs(parent, mode=0o700, exist_ok=True)
    for attempt in range(100):
        directory = f"{parent}/{os.getpid()}-{attempt}"
        try:
            os.mkdir(directory, 0o700)
        except FileExistsError:
            continue
        return directory
    raise FileExistsError(17, "no free name for the wire's directory", parent)


def _contiguous(directory: str) -> list[int]:
    """Open what is asked and answered through at consecutive descriptors: the requests, then one for each slot."""
    os.mkfifo(f"{directory}/req", 0o600)
    opened: list[int] = []
    placed: list[int] = []
    slots, base = _affordable()
    try:
        opened.append(os.open(f"{directory}/req", HOW))
        for _ in range(slots):
            opened.append(_open_nameless())  # noqa: PERF401 - what is open is closed when the next one fails
        while len(placed) < len(opened):
            new = fcntl.fcntl(opened[len(placed)], fcntl.F_DUPFD_CLOEXEC, base + len(placed))
            if new == base + len(placed):
                placed.append(new)
                continue
            _close_all([*placed, new])
            placed, base = [], new + 1
    except OSError:
        _close_all(placed)
        raise
    finally:
        _close_all(opened)
    return placed


def _affordable() -> tuple[int, int]:
    """Give how many slots there can be, and from where on their descriptors, within the limit on open files."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY or limit > LOWEST_DESCRIPTOR + 4 * SLOTS:
        return SLOTS, LOWEST_DESCRIPTOR
    # While they are being placed each takes two.
    free = limit - len(os.listdir("/proc/self/fd")) - SPARED_DESCRIPTORS
    slots = max(1, min(SLOTS, free // 2 - 2))
    return slots, max(3, limit - slots - 1)


def _open_nameless() -> int:
    reading, writing = os.pipe()
    try:
        return os.open(f"/proc/self/fd/{reading}", HOW)
    finally:
        _close_all([reading, writing])


def _close_all(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "'\\''") + "'"


def _write(path: str, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, data)
    finally:
        os.close(descriptor)
