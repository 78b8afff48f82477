"""Runs the commands that states bring along besides their own: probes, and those that keep and restore checkpoints."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from toolkit.core.values import NOTHING
from toolkit.supervise.clock import monotonic

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Mapping

    from toolkit.project import Project

TIMEOUT_SECONDS: Final = 600.0
GRACE_SECONDS: Final = 5.0
LOOK_SECONDS: Final = 0.2
"""How often it is asked whether a command is still wanted."""
LONGEST_WORD: Final = 300
LAST_BYTES: Final = 4096


class Unwanted(Exception):
    """Nobody waits for the command any more."""


def run_hook(  # noqa: PLR0913 - what a command may be given
    command: str,
    project: Project,
    *,
    extra: Mapping[str, str] = NOTHING,
    timeout_seconds: float = TIMEOUT_SECONDS,
    wanted: Callable[[], bool] | None = None,
    lock: int | None = None,
) -> str:
    """Run a command with `sh -c` in the project's folder; says why it failed, without secrets, empty when it did not.

    It has no input, its output goes nowhere, and what it started ends with it when it takes too long, or when it is not
    `wanted` any more. All of it holds the descriptor `lock`, even if it outlives us.
    """
    import subprocess

    environ = {name: value for name, value in os.environ.items() if name != "TOOLKIT_WIRE"}
    said = os.memfd_create("hook", os.MFD_CLOEXEC)
    try:
        child = subprocess.Popen(
            ["/bin/sh", "-c", command], cwd=project.directory, env={**environ, **extra}, stdin=subprocess.DEVNULL,
            stdout=said, stderr=said, start_new_session=True, pass_fds=() if lock is None else (lock,),
        )  # fmt: skip
        try:
            code = _await(child, timeout_seconds, wanted)
        except subprocess.TimeoutExpired:
            _end(child)
            return f"`{command}` took longer than {timeout_seconds:g}s"
        except Unwanted:
            _end(child)
            return f"`{command}` was ended with the build"
        except BaseException:
            _end(child)
            raise
        return "" if code == 0 else f"`{command}` {_ending(code)}{_last_word(said, project)}"
    except OSError as error:
        return f"`{command}` cannot be run: {error.strerror}"
    finally:
        os.close(said)


def _await(child: subprocess.Popen[bytes], seconds: float, wanted: Callable[[], bool] | None) -> int:
    """Wait for a child to end, without looking more often than there is something to see."""
    import select
    import subprocess

    deadline = monotonic() + seconds
    process = os.pidfd_open(child.pid)
    try:
        ended = select.poll()
        ended.register(process, select.POLLIN)
        while (left := deadline - monotonic()) > 0:
            if ended.poll(1000 * (left if wanted is None else min(left, LOOK_SECONDS))):
                return child.wait()
            if wanted is not None and not wanted():
                raise Unwanted
    finally:
        os.close(process)
    raise subprocess.TimeoutExpired(child.args, seconds)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a child and what it has started, gently first."""
    import signal
    import subprocess

    for way, patience in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, None)):
        try:
            os.killpg(child.pid, way)
            child.wait(patience)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
    child.wait()


def _ending(code: int) -> str:
    return f"was killed by signal {-code}" if code < 0 else f"ended with {code}"


def _last_word(said: int, project: Project) -> str:
    """The last line that was printed is the likeliest to say what was wrong."""
    from toolkit.supervise.redact import Redactor

    size = os.fstat(said).st_size
    text = os.pread(said, LAST_BYTES, max(0, size - LAST_BYTES)).decode("utf-8", "replace").strip()
    if not text:
        return ""
    return f": {Redactor(os.environ, project.redact.patterns).text(text.splitlines()[-1])[:LONGEST_WORD]}"
