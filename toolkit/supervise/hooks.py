"""Runs the commands that states bring along besides their own: probes, and those that keep and restore checkpoints."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from toolkit.core.values import NOTHING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolkit.project import Project

TIMEOUT_SECONDS: Final = 600.0
GRACE_SECONDS: Final = 5.0
LONGEST_WORD: Final = 300
LAST_BYTES: Final = 4096


def run_hook(
    command: str, project: Project, *, extra: Mapping[str, str] = NOTHING, timeout_seconds: float = TIMEOUT_SECONDS
) -> str:
    """Run a command with `sh -c` in the project's folder; says why it failed, without secrets, empty when it did not.

    It has no input, its output goes nowhere, and what it started ends with it when it takes too long.
    """
    import signal
    import subprocess

    environ = {name: value for name, value in os.environ.items() if name != "TOOLKIT_WIRE"}
    said = os.memfd_create("hook", os.MFD_CLOEXEC)
    try:
        child = subprocess.Popen(
            ["/bin/sh", "-c", command], cwd=project.directory, env={**environ, **extra}, stdin=subprocess.DEVNULL,
            stdout=said, stderr=said, start_new_session=True,
        )  # fmt: skip
        try:
            code = child.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            for way, patience in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, None)):
                try:
                    os.killpg(child.pid, way)
                    child.wait(patience)
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    continue
            child.wait()
            return f"`{command}` took longer than {timeout_seconds:g}s"
        return "" if code == 0 else f"`{command}` {_ending(code)}{_last_word(said, project)}"
    except OSError as error:
        return f"`{command}` cannot be run: {error.strerror}"
    finally:
        os.close(said)


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
