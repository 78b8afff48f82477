"""Runs a scene twice, bare and under the wrapper, and gives what its surroundings could see of each."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

TOOLKIT = f"{Path(sys.executable).with_name('toolkit')}"
PATIENCE_SECONDS = 120.0
BECOMING = f"{sys.executable} -I {Path(__file__).with_name('wrap.py')}"
COLUMNS, ROWS = 80, 24
ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHON": sys.executable}

CONFIGURATION = """
phase = "{phase}"
[[states]]
code = 0
name = "start"
strategy = "quick"
"""

PRELUDE = """
shown() { until grep -q -- "$2" "$1" 2>/dev/null; do sleep 0.01; done; }   # FILE TEXT: wait for it
gone() { while kill -0 "$1" 2>/dev/null; do sleep 0.01; done; }            # PID: wait for its end
stopped() { until ps -o stat= -p "$1" | grep -q "^[${2-T}]"; do sleep 0.01; done; }   # PID [STATES]: wait for its stop
# PID: wait for its end, and show it; bash takes its time to notice that a stopped job goes on.
ended() { local s=147; while [ $s = 147 ] || [ $s = 148 ]; do sleep 0.01; wait "$1" 2>/dev/null; s=$?; done; echo $s; }
"""

Step = tuple[bytes, bytes | Callable[["Screen"], None]]


class Seen(NamedTuple):
    """What a caller sees of a command."""

    status: int
    stdout: bytes
    stderr: bytes
    files: dict[str, bytes]


class Screen(NamedTuple):
    """A terminal in a test's hands: the master's descriptor, and the process in front of it."""

    master: int
    pid: int

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def toolkit_run(folder: Path, phase: str = "track-only") -> str:
    """Give the product's command line, with a project of its own beside the scene's folder."""
    project = folder.with_name(f"{folder.name}.project")
    project.mkdir()
    (project / "toolkit.toml").write_text(CONFIGURATION.format(phase=phase))
    return f"{TOOLKIT} run --project {project} --"


def scene(script: str, folder: Path, wrapper: str, *, stdin: bytes = b"", executable: str = "bash") -> Seen:
    """Run a shell script in which `$W` stands before the command that is to be wrapped, between pipes."""
    folder.mkdir()
    process = subprocess.run(
        [executable, "-c", f"W='{wrapper}'\n{PRELUDE}\n{script}"],
        cwd=folder, env=ENVIRONMENT, input=stdin, capture_output=True, check=False, timeout=PATIENCE_SECONDS,
        start_new_session=True,
    )  # fmt: skip
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
    return Seen(process.returncode, _anonymous(process.stdout), _anonymous(process.stderr), files)


def both(script: str, folder: Path, *, phase: str = "track-only", executable: str = "bash") -> tuple[Seen, Seen]:
    """Give what is seen of the bare and of the wrapped scene, played at the same time."""
    play = partial(scene, script, executable=executable)
    with ThreadPoolExecutor() as pool:
        bare = pool.submit(play, folder / "bare", "")
        wrapped = pool.submit(play, folder / "wrapped", toolkit_run(folder / "wrapped", phase))
        return bare.result(), wrapped.result()


def on_screen(script: str, folder: Path, wrapper: str, steps: Sequence[Step], shell: Sequence[str]) -> Seen:
    """Run the script in a session of its own on a terminal; each step waits for its cue, then types or acts."""
    folder.mkdir()
    (folder / "script").write_text(f"W='{wrapper}'\nPS1='$ '\n{PRELUDE}\n{script}")
    pid, master = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        os.chdir(folder)
        os.execvpe(shell[0], [*shell, "script"], {**ENVIRONMENT, "TERM": "xterm"})  # noqa: S606 - the shell itself
    screen = Screen(master, pid)
    text = b""
    try:
        read_to = 0
        for cue, act in steps:
            while cue not in text[read_to:]:
                text += _read(master, text)
            read_to = text.index(cue, read_to) + len(cue)
            if callable(act):
                act(screen)
            else:
                os.write(master, act)
        with contextlib.suppress(EOFError):
            while True:
                text += _read(master, text)
        _, status = os.waitpid(pid, 0)
    finally:
        os.close(master)
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    (folder / "script").unlink()
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
    return Seen(os.waitstatus_to_exitcode(status), _anonymous(text), b"", files)


def both_on_screen(
    script: str, folder: Path, *steps: Step, shell: Sequence[str] = ("bash", "--norc")
) -> tuple[Seen, Seen]:
    """Give what is seen of the bare and of the wrapped scene on a terminal."""
    with ThreadPoolExecutor() as pool:
        bare = pool.submit(on_screen, script, folder / "bare", "", steps, shell)
        wrapped = pool.submit(on_screen, script, folder / "wrapped", toolkit_run(folder / "wrapped"), steps, shell)
        return bare.result(), wrapped.result()


def _read(master: int, before: bytes) -> bytes:
    ready, _, _ = select.select([master], [], [], PATIENCE_SECONDS)
    if not ready:
        raise TimeoutError(f"the screen stands still after {before!r}")
    try:
        data = os.read(master, 1 << 16)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        data = b""
    if not data:
        raise EOFError(before)
    return data


def _anonymous(text: bytes) -> bytes:
    """Take out what differs from run to run: process numbers in a shell's messages, and the wrapper's own words."""
    text = re.sub(rb"(line \d+: +)\d+ ", rb"\1PID ", text)
    text = re.sub(rb"\[(\d)\] \d+", rb"[\1] PID", text)
    text = re.sub(rb"child \d+", b"child PID", text)
    text = re.sub(rb"^\[(\d)\][+-]", rb"[\1]", text, flags=re.MULTILINE)
    text = re.sub(rb"^TOOLKIT_(?:BUILD|RUN|SHELL|WIRE|PROJECT)=.*\n", b"", text, flags=re.MULTILINE)
    return re.sub(re.escape(TOOLKIT).encode() + rb" run --project \S+ -- ", b"$W ", text)


def settle(seconds: float) -> Callable[[Screen], None]:
    """Give a step that only waits."""
    return lambda _screen: time.sleep(seconds)
