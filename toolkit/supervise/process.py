"""The child: started as the caller would have started it, watched, and left again, so that neither side can tell.

We stay its parent. Becoming the build would be closer to nothing, but retries and time-outs need somebody who stays,
and a detached copier of output can print after the caller's next command. The child keeps the caller's session,
process group and terminal; what a parent in between would change is put right piece by piece:

    signals.py    what reaches us is passed on, standby.py   unless the whole group got it; and who inherits the streams
    streams.py    what we stand in, copier.py  bytes through us, and  terminal.py  a terminal's twin
    spawn.py      what Python would leak into the child      files.py     output that goes past us
    limits.py     time-outs and stalls, inactive unless asked for
    recording.py  the recorder, which may be slow, fail or hang
    loop.py       all of it at work

One thread, the main one, does all of this. The recorder has its own, is only ever handed copies, and reads the wire:
only one thread has to wake for a request.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NoReturn

from toolkit.core.values import Value
from toolkit.supervise.clock import Stopwatch
from toolkit.supervise.control import Cause, Control
from toolkit.supervise.files import written_files
from toolkit.supervise.footing import give_back, stand
from toolkit.supervise.limits import Limits
from toolkit.supervise.loop import Loop
from toolkit.supervise.outliving import Outliving
from toolkit.supervise.recording import Nobody, Recorder, Recording
from toolkit.supervise.signals import DUMPING, Signals
from toolkit.supervise.spawn import (
    NOT_RUNNABLE,
    CannotSupervise,
    CommandNotRunnable,
    as_started_by_a_shell,
    as_started_by_systemd,
    environment,
    execute,
    resolve,
    spawn,
)
from toolkit.supervise.standby import Standby
from toolkit.supervise.streams import open_channels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "CannotSupervise",
    "CommandNotRunnable",
    "Control",
    "Ended",
    "Recorder",
    "become",
    "die_like",
    "stand",
    "supervise",
]

Capture = Literal["auto", "pipes", "none"]
STOOD_IN: Mapping[Capture, tuple[str, ...]] = MappingProxyType(
    {"auto": ("pipe", "socket", "terminal"), "pipes": ("pipe", "socket"), "none": ()}
)
NOTHING: Mapping[str, str] = MappingProxyType({})
RECORDER_SECONDS = 5.0
PR_SET_DUMPABLE = 4


class Ended(Value):
    """How a child came to its end."""

    pid: int
    exit_code: int | None
    """None when a signal ended it."""
    signal: int | None
    wall: float
    """When it started, in seconds since 1970."""
    seconds: float
    """How long it lived, on the monotonic clock."""
    cause: Cause | None
    """Why we, or a stop signal passed through us, ended it; None: it ended by itself."""
    stopped_by: int | None
    """The last signal asking it to end that reached us, whatever it made of it."""
    recorded: bool
    """False when the recorder had not taken everything in time."""


def supervise(  # noqa: PLR0913 - each is a choice of its own
    command: Sequence[str],
    environ: Mapping[str, str] | None = None,
    recorder: Recorder | None = None,
    *,
    extra: Mapping[str, str] = NOTHING,
    wire_fd: int | None = None,
    control: Control | None = None,
    capture: Capture = "auto",
    cwd: str | None = None,
    again: bool = False,
    patience: float = RECORDER_SECONDS,
    outliving: Outliving = Outliving(),  # noqa: B008 - a frozen value
) -> Ended:
    """Run `command` to its end, on the main thread; CommandNotRunnable or CannotSupervise before that.

    `environ` replaces the caller's own environment, `extra` is added to either. Lines that can be read from `wire_fd`
    go to the recorder in their place among the output. `capture="pipes"` leaves terminals alone, `"none"` all streams.
    `again` says that another command may follow and will need the caller's descriptors; otherwise they are let go of as
    early as the build lets go of them. The recorder is waited for at the end, at most `patience` seconds.
    `outliving` says what becomes of the child when we are killed.
    """
    stand()
    variables = environment(environ, extra)
    program = resolve(command, variables, cwd)
    recording = Recording(recorder or Nobody())
    try:
        channels = open_channels(STOOD_IN[capture])
    except OSError as error:
        channels = []
        recording.trouble(f"output is not kept: {error.strerror}")
    files = written_files() if capture != "none" else []
    signals = Signals()
    signals.block()
    standby = Standby(channels, outliving)
    watch = Stopwatch()
    try:
        signals.install(terminal=any(channel.terminal for channel in channels))
        places = {target: channel.inlet for channel in channels for target in channel.targets}
        shown = as_started_by_systemd(as_started_by_a_shell(variables, program), places)
        pid = spawn(program, command, shown, places=places, signals=signals, cwd=cwd)
    except (CommandNotRunnable, OSError) as error:
        signals.restore()
        standby.dismiss()
        for channel in channels:
            channel.close()
        for file in files:
            file.close()
        if isinstance(error, OSError):
            raise CannotSupervise(f"cannot stand in front of {command[0]!r}: {error.strerror}") from error
        raise
    finally:
        signals.unblock()
    loop = Loop(
        pid, channels, files,
        signals=signals, standby=standby, recording=recording,
        limits=Limits(control or Control(), extra, pid), wire_fd=wire_fd, again=again,
    )  # fmt: skip
    exit_code, number = loop.run()
    seconds = watch.seconds
    recorded = loop.finish(patience)
    stopped = loop.stopped_by is not None and exit_code != 0
    return Ended(
        pid=pid, exit_code=exit_code, signal=number, wall=watch.wall, seconds=seconds,
        cause=loop.limits.cause or ("stopped" if stopped else None), stopped_by=loop.stopped_by, recorded=recorded,
    )  # fmt: skip


def become(command: Sequence[str], extra: Mapping[str, str] = NOTHING) -> NoReturn:
    """Let the command take our place, unsupervised, as if we had never been there; CommandNotRunnable otherwise."""
    variables = environment(None, extra)
    program = resolve(command, variables)
    for number in Signals().defaults_for_child:
        signal.signal(number, signal.SIG_DFL)
    give_back()
    try:
        execute(program, command, as_started_by_a_shell(variables, program))
    except OSError as error:
        raise CommandNotRunnable(command[0], error.strerror or str(error), NOT_RUNNABLE) from error


def die_like(ended: Ended) -> NoReturn:
    """End this process as the child ended: with its exit code, or by its signal, without a core file of our own."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    if ended.signal is not None:
        _leave_no_core(ended.signal)
        with contextlib.suppress(OSError, ValueError):  # SIGKILL has no disposition to put back
            signal.signal(ended.signal, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {ended.signal})
        os.kill(os.getpid(), ended.signal)
        os._exit(128 + ended.signal)  # the first process of a container survives its own signals
    os._exit(ended.exit_code or 0)


def _leave_no_core(number: int) -> None:
    """A core of ours would be found where the build's own one is looked for."""
    if number not in DUMPING:
        return
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    with contextlib.suppress(Exception):
        # A collector behind a pipe gets its dump whatever the limit says.
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
