"""`toolkit watch` as people and scripts meet it."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.transcripts import Shell

CONFIGURATION = 'phase = "track-only"\n\n[pipeline]\nname = "golden-image"\n'
BUILD = """#!/bin/bash
. "$TOOLKIT_SHELL"
step() { echo "installing packages"; echo ....; until [ -e go ]; do sleep 0.05; done; }
state 5 kickstart -- step
state 20 base -- echo configuring
"""
COMMAND = [sys.executable, "-m", "toolkit"]
PATIENCE = 60


@pytest.fixture
def building(shell: Shell) -> Iterator[Shell]:
    """A project in which a build runs until the file `go` appears."""
    (shell.folder / "toolkit.toml").write_text(CONFIGURATION)
    script = shell.script("build.sh", BUILD)
    running = subprocess.Popen(
        [*COMMAND, "run", "--target", "green", "--", script],
        cwd=shell.folder, env=shell.environment, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert running.stdout is not None
    assert running.stdout.readline() == b"installing packages\n"
    until(lambda: b"installing packages" in log(shell))
    yield shell
    (shell.folder / "go").touch()
    running.communicate(timeout=PATIENCE)


def log(shell: Shell) -> bytes:
    """Give what the toolkit kept of the build's output so far."""
    return subprocess.run([*COMMAND, "logs"], cwd=shell.folder, env=shell.environment, capture_output=True).stdout  # noqa: PLW1510


def until(true: Any) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def test_nothing_to_watch(shell: Shell) -> None:
    """No build, no history, no such build: each is said, and none is an error but the last."""
    assert shell.run("watch", "--once") == (0, "no build is running or held\n", "")
    document = shell.json("watch", "--once")
    assert (document["builds"], document["trouble"]) == ([], None)
    assert shell.run("watch", "b-0001")[0] == 4
    shell.run("run", "--", "true")
    assert shell.run("watch", "--once") == (0, "no build is running or held\n", "")
    assert shell.run("watch", "b-0009")[::2] == (
        4, "error: there is no build b-0009\nhint: List what there is with `toolkit builds`.\n",
    )  # fmt: skip


@pytest.mark.parametrize("width", [80, 120, 200])
def test_a_running_build_once(building: Shell, width: int) -> None:
    """Where it is, for how long, what it last said that was news; in the width there is."""
    code, out, error = building.run("watch", "--once", COLUMNS=str(width))
    told = re.sub(r"\d+(\.\d)?s|\d+m \d+s", "Ns", out).splitlines()

    assert (code, error) == (0, "")
    assert re.fullmatch(r"b-0001  golden-image for green +running for Ns", told[0])
    assert len(out.splitlines()[0]) == width
    assert told[1:] == [
        "  state 5 kickstart, attempt 1 for Ns; run 1, track-only",
        "  no estimate: not enough history: 0 of 5 completed runs to compare with",
        "  | installing packages",
    ]


def test_a_running_build_as_a_document(building: Shell) -> None:
    """Scripts get one JSON document, with or without `--once`."""
    for document in (building.json("watch", "--once"), building.json("watch", "b-0001")):
        (build,) = document["builds"]
        assert {name: build[name] for name in ("build", "doing", "status", "currentState", "name", "attempt")} == {
            "build": "b-0001", "doing": "running", "status": "in_progress", "currentState": 5, "name": "kickstart",
            "attempt": 1,
        }  # fmt: skip
        assert build["lastLine"]["text"] == "installing packages"
        assert build["elapsed"] >= build["stateElapsed"] > 0


def test_a_pipe_gets_a_line_for_each_change(building: Shell) -> None:
    """Piped, the watch is a log of changes, plain, and ends with 0 when the build does."""
    watching = subprocess.Popen(
        [*COMMAND, "watch", "b-0001", "--interval", "0.1"], cwd=building.folder, env=building.environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert watching.stdout is not None
    first = watching.stdout.readline()
    (building.folder / "go").touch()
    out, error = watching.communicate(timeout=PATIENCE)

    assert (watching.returncode, error) == (0, "")
    lines = [line[9:] for line in (first + out).splitlines()]
    assert lines[0] == "b-0001 running; state 5 kickstart, attempt 1 in_progress; run 1"
    assert lines[-1] == "b-0001 completed; state 20 base, attempt 1 completed; run 1"
    assert building.run("watch", "b-0001")[1].splitlines()[0][9:] == lines[-1]


def test_a_failed_build_ends_the_watch_with_0(shell: Shell) -> None:
    """The watch did what it was asked to; the build's own exit code belongs to the build."""
    (shell.folder / "toolkit.toml").write_text(CONFIGURATION)
    shell.run("run", "--", "false")
    code, out, _ = shell.run("watch", "b-0001")
    assert (code, out[9:]) == (0, "b-0001 failed; state 0 start, attempt 1 failed (exit code 1); run 1\n")


def test_a_held_build(shell: Shell) -> None:
    """What waits for a person shows with the reason, who said so, and the way on."""
    (shell.folder / "toolkit.toml").write_text(CONFIGURATION)
    shell.run("run", "--", "false")
    shell.run("hold", "b-0001", "-m", "looking at the VM")
    out = shell.run("watch", "--once")[1]
    assert re.search(r"held by \S+: looking at the VM", out)
    assert "toolkit release b-0001" in out
    assert shell.json("watch")["builds"][0]["hold"]["reason"] == "looking at the VM"


def test_a_killed_supervisor_does_not_run_for_ever(shell: Shell) -> None:
    """A build whose supervisor was killed is interrupted, and the watch of it ends."""
    (shell.folder / "toolkit.toml").write_text(CONFIGURATION)
    script = shell.script("build.sh", BUILD)
    running = subprocess.Popen(
        [*COMMAND, "run", "--", script], cwd=shell.folder, env=shell.environment, stdout=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    assert running.stdout is not None
    assert running.stdout.readline()
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()

    code, out, _ = shell.run("watch", "b-0001")
    assert (code, out.splitlines()[-1][9:]) == (
        0,
        "b-0001 interrupted; state 5 kickstart, attempt 1 interrupted; run 1",
    )


class Screen:
    """A terminal in which a command runs, and all that it has written."""

    def __init__(self, shell: Shell, *arguments: str, **environment: str) -> None:
        told = {name: value for name, value in shell.environment.items() if name not in {"NO_COLOR", "COLUMNS"}}
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(shell.folder)
            os.execve(COMMAND[0], [*COMMAND, *arguments], {**told, "TERM": "xterm-256color", **environment})  # noqa: S606
        self.text = ""

    def shows(self, wanted: str) -> None:
        """Wait until something stands on the screen."""
        end = time.monotonic() + PATIENCE
        while not re.search(wanted, self.text):
            assert time.monotonic() < end, self.text
            self._read()

    def ends(self) -> int:
        """Wait for the end; gives the exit code, negative for a signal."""
        while self._read():
            pass
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _read(self) -> bool:
        if not select.select([self.fd], [], [], PATIENCE)[0]:
            raise AssertionError(self.text)
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.text += data.decode("utf-8", "replace")
        return bool(data)


@contextmanager
def watched(shell: Shell, *arguments: str, **environment: str) -> Iterator[Screen]:
    """Watch on a terminal; afterwards it must have its own screen and its cursor back."""
    screen = Screen(shell, "watch", "--interval", "0.1", *arguments, **environment)
    screen.shows("running for")
    assert "\x1b[?1049h" in screen.text
    yield screen
    after = screen.text[screen.text.rindex("\x1b[?1049l") :]
    assert "\x1b[?25h" in screen.text[screen.text.rindex("\x1b[?25l") :]
    assert "\x1b[?1049h" not in after


def test_a_terminal_gets_a_screen_until_the_build_ends(building: Shell) -> None:
    """On a terminal the view is drawn anew in place, with colours; at the end the last view stays to be read."""
    with watched(building, "b-0001") as screen:
        assert "\x1b[1;32m" in screen.text
        (building.folder / "go").touch()
        assert screen.ends() == 0
    assert "completed after" in screen.text[screen.text.rindex("\x1b[?1049l") :]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_leaving_leaves_the_terminal_as_it_was(building: Shell, number: int, code: int) -> None:
    """Ctrl-C and a polite kill end the watch without a traceback; the build goes on."""
    with watched(building) as screen:
        os.kill(screen.pid, number)
        assert screen.ends() == code
    assert "Traceback" not in screen.text
    assert building.json("status")["status"] == "in_progress"


def test_a_resized_terminal_is_drawn_in_its_new_size(building: Shell) -> None:
    """The next picture after a resize fits the new window."""
    import fcntl
    import struct
    import termios

    with watched(building) as screen:
        for columns in (60, 100):
            fcntl.ioctl(screen.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 20, columns, 0, 0))
            os.kill(screen.pid, signal.SIGWINCH)
            blank = columns - len("b-0001  golden-image for green") - len("running for 9.9s") - 4
            screen.text = screen.text[-20:]
            screen.shows(rf"golden-image for green {{{blank - 4},{blank + 4}}}\S* ?running for")
        os.kill(screen.pid, signal.SIGINT)
        assert screen.ends() == 130
        screen.text = "\x1b[?1049h\x1b[?25l" + screen.text


def test_no_color(building: Shell) -> None:
    """NO_COLOR leaves no colour; weight and cursor movements are not colours."""
    with watched(building, NO_COLOR="1") as screen:
        assert not re.search(r"\x1b\[[0-9;]*3[0-7]m|\x1b\[9\dm", screen.text)
        os.kill(screen.pid, signal.SIGINT)
        assert screen.ends() == 130
