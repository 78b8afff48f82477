"""Start a command exactly as the caller would have: same program, same environment, same descriptors, same signals.

By fork and exec: glibc's `posix_spawn` is cheaper, but leaves the signals 32 and 33 ignored in the child, and cannot
hand on an ignored SIGCHLD without losing the child's exit status.
"""

from __future__ import annotations

import errno
import os
import signal
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

from toolkit.errors import ToolkitError
from toolkit.supervise.footing import give_back

if TYPE_CHECKING:
    from toolkit.supervise.signals import Signals

NOT_FOUND = 127
NOT_RUNNABLE = 126
DEFAULT_PATH = "/bin:/usr/bin"
NAMING_A_PROCESS = frozenset({"LISTEN_PID", "WATCHDOG_PID", "SYSTEMD_EXEC_PID"})
"""What systemd says to the process that it started, and to no other."""
NAMING_AN_OUTPUT = "JOURNAL_STREAM"
"""Device and inode of the output that systemd connected to its journal."""
SHELL = "/bin/sh"


class CommandNotRunnable(ToolkitError):
    """The command cannot be started; `exit_code` is what a shell would give: 127 when it is not there, else 126."""

    hint = "Nothing was run. Check the spelling, the PATH and the file's permissions."

    def __init__(self, command: str, reason: str, exit_code: int) -> None:
        super().__init__(f"cannot run {command!r}: {reason}")
        self.exit_code = exit_code


class CannotSupervise(ToolkitError):
    """There is not enough left of something (open files, processes, memory) to stand in front of a build."""

    hint = "Nothing was run. Raise the limit that ulimit -a shows, or run the command without the toolkit."


class Environment(Mapping[str, str]):
    """Variables in their order, doubles included: what `execve` takes and a dict cannot hold."""

    def __init__(self, variables: Sequence[tuple[str, str]]) -> None:
        self.variables = variables

    def __getitem__(self, name: str) -> str:
        for known, value in self.variables:
            if known == name:
                return value
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, _ in self.variables])

    def __len__(self) -> int:
        return len(self.variables)

    def keys(self) -> list[str]:  # type: ignore[override]
        return [name for name, _ in self.variables]

    def values(self) -> list[str]:  # type: ignore[override]
        return [value for _, value in self.variables]


def environment(given: Mapping[str, str] | None, extra: Mapping[str, str]) -> Environment:
    """Give what the child gets: the caller's own variables (or `given`), and those of `extra` at the end.

    The caller's are read from /proc/self/environ, because Python adds LC_CTYPE to its own where there was no locale.
    """
    variables = list(_inherited() if given is None else given.items())
    return Environment([(name, value) for name, value in variables if name not in extra] + list(extra.items()))


def as_started_by_a_shell(variables: Environment, program: str) -> Environment:
    """Name the program in `_` where a shell named us there: it tells each command its own path."""
    ours = {sys.executable, sys.argv[0], *sys.orig_argv[:1]}
    return Environment(
        [(name, program if name == "_" and value in ours else value) for name, value in variables.variables]
    )


def as_started_by_systemd(variables: Environment, outputs: Mapping[int, int]) -> Environment:
    """Name the child's output where systemd named ours: `outputs` maps descriptors of the child to what they become."""
    told = variables.get(NAMING_AN_OUTPUT)
    for theirs, ours in outputs.items() if told else ():
        if _device_and_inode(theirs) == told:
            return _with(variables, {NAMING_AN_OUTPUT: _device_and_inode(ours)})
    return variables


def resolve(command: Sequence[str], environ: Mapping[str, str], cwd: str | None = None) -> str:
    """Find the file that would be executed, by PATH where the name has no slash; CommandNotRunnable otherwise."""
    name = command[0]
    denied = ""
    for candidate in _candidates(name, environ):
        path = os.path.join(cwd, candidate) if cwd else candidate
        reason = _refusal(path)
        if reason is None:
            return candidate
        if reason != errno.ENOENT:
            denied = denied or os.strerror(reason)
    if denied:
        raise CommandNotRunnable(name, denied, NOT_RUNNABLE)
    raise CommandNotRunnable(name, os.strerror(errno.ENOENT) if "/" in name else "command not found", NOT_FOUND)


def spawn(  # noqa: PLR0913 - an exec has that many parts
    program: str,
    command: Sequence[str],
    environ: Environment,
    *,
    places: Mapping[int, int],
    signals: Signals,
    cwd: str | None,
) -> int:
    """Start `program` with the arguments `command` and give its pid.

    CommandNotRunnable when the kernel refuses it, OSError when there is no room for another process or file.

    `places` maps descriptors of the child to those of ours that they become. All signals are blocked when this is
    called; the child starts with the caller's own mask and dispositions.
    """
    told, tell = os.pipe2(os.O_CLOEXEC)
    try:
        pid = os.fork()
        if pid == 0:
            _become(program, command, environ, places, signals, cwd, tell)
        os.close(tell)
        tell = -1
        failure = os.read(told, 16)
    finally:
        os.close(told)
        if tell >= 0:
            os.close(tell)
    if not failure:
        return pid
    os.waitpid(pid, 0)
    if int(failure) == errno.ENOENT:
        raise CommandNotRunnable(command[0], "its interpreter is missing", NOT_FOUND)
    raise CommandNotRunnable(command[0], os.strerror(int(failure)), NOT_RUNNABLE)


def execute(program: str, command: Sequence[str], environ: Environment) -> NoReturn:
    """Turn this process into the command; OSError when the kernel refuses."""
    try:
        os.execve(program, list(command), environ)  # noqa: S606 - no shell is the point
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
        # A script without #!: shells and execvp(3) hand it to sh.
        os.execve(SHELL, [SHELL, program, *command[1:]], environ)  # noqa: S606 - the same


def _become(  # noqa: PLR0913, PLR0917 - the same
    program: str,
    command: Sequence[str],
    environ: Environment,
    places: Mapping[int, int],
    signals: Signals,
    cwd: str | None,
    tell: int,
) -> NoReturn:
    try:
        signals.forget_in_child()
        for theirs, ours in places.items():
            os.dup2(ours, theirs)
        if cwd is not None:
            os.chdir(cwd)
        give_back()
        environ = _as_addressed_to(environ, os.getppid())
        signal.pthread_sigmask(signal.SIG_SETMASK, signals.original_mask)
        execute(program, command, environ)
    except OSError as error:
        os.write(tell, str(error.errno).encode())
    finally:
        os._exit(NOT_FOUND)


def _as_addressed_to(variables: Environment, them: int) -> Environment:
    """Name this process where systemd named the one whose place it takes."""
    here = str(os.getpid())
    return _with(variables, {name: here for name in NAMING_A_PROCESS if variables.get(name) == str(them)})


def _with(variables: Environment, changed: Mapping[str, str]) -> Environment:
    return Environment([(name, changed.get(name, value)) for name, value in variables.variables])


def _device_and_inode(fd: int) -> str:
    status = os.fstat(fd)
    return f"{status.st_dev}:{status.st_ino}"


def _inherited() -> list[tuple[str, str]]:
    try:
        with open("/proc/self/environ", "rb") as file:
            block = file.read()
    except OSError:
        return list(os.environ.items())
    pairs = (entry.partition(b"=") for entry in block.split(b"\0"))
    return [(os.fsdecode(name), os.fsdecode(value)) for name, equals, value in pairs if name and equals]


def _candidates(name: str, environ: Mapping[str, str]) -> list[str]:
    if "/" in name:
        return [name]
    if not name:
        return []
    return [f"{folder or '.'}/{name}" for folder in environ.get("PATH", DEFAULT_PATH).split(":")]


def _refusal(path: str) -> int | None:
    try:
        kind = os.stat(path).st_mode
    except OSError as error:
        return errno.ENOENT if error.errno == errno.ENOTDIR else error.errno
    if stat.S_ISDIR(kind):
        return errno.EISDIR
    return None if os.access(path, os.X_OK, effective_ids=True) else errno.EACCES
