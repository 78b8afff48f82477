"""A person at the terminal is told why a build waits or stays, and nobody else is."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.transcripts import Shell

PROJECT = """
phase = "{phase}"
[[states]]
code = 5
name = "kickstart"
strategy = "patient"
[strategies.patient]
wait = "2s"
jitter = false
max_attempts = 2
on = ["network"]
"""
BUILD = """. "$TOOLKIT_SHELL"
set -e
state 5 kickstart -- sh -c 'echo "{error}"; exit 28'
"""
TIMED_OUT = "curl: (28) Connection timed out after 5001 milliseconds"
REFUSED = "curl: (22) The requested URL returned error: 401"


def run_in_terminal(shell: Shell, phase: str, error: str) -> tuple[bytes, bytes]:
    """Run a build that fails, its errors on a terminal; gives what it printed, and what stood on the terminal."""
    (shell.folder / "toolkit.toml").write_text(PROJECT.format(phase=phase))
    (shell.folder / "build.sh").write_text(BUILD.format(error=error))
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "toolkit", "run", "--", "bash", "build.sh"]
    ended = subprocess.run(
        command, cwd=shell.folder, env=shell.environment, stdout=subprocess.PIPE, stderr=theirs, check=False
    )
    os.write(theirs, b"END")
    shown = b""
    while not shown.endswith(b"END"):
        shown += os.read(ours, 4096)
    for each in (ours, theirs):
        os.close(each)
    assert ended.returncode == 28
    return ended.stdout, shown.removesuffix(b"END").replace(b"\r\n", b"\n")


def test_a_wait_is_explained(shell: Shell) -> None:
    """Before a retry that is waited for, its state, how long that takes and the reason are said, once."""
    printed, shown = run_in_terminal(shell, "selective-retry", TIMED_OUT)

    assert printed.decode() == f"{TIMED_OUT}\n" * 2
    assert shown.decode() == (
        "toolkit: state 5 is tried again in 2.0s: net.timeout is worth another attempt: strategy.patient\n"
    )


def test_a_stop_says_how_to_go_on(shell: Shell) -> None:
    """A build that stays at its state says why, and names the command that goes on with it."""
    _, shown = run_in_terminal(shell, "full-resume", TIMED_OUT)
    lines = shown.decode().splitlines()

    assert lines[1].startswith("toolkit: build b-0001 stops here: 2 attempts of state 5 failed")
    assert lines[2] == "toolkit: `toolkit why b-0001` says more; `toolkit resume b-0001` goes on"


def test_a_hold_says_how_to_release_it(shell: Shell) -> None:
    """A build that waits for a person tells the one in front of it."""
    _, shown = run_in_terminal(shell, "full-resume", REFUSED)
    first, second = shown.decode().splitlines()

    assert first.startswith("toolkit: build b-0001 is held at state 5: ")
    assert "`toolkit release b-0001`" in second


@pytest.mark.parametrize("error", [TIMED_OUT, REFUSED], ids=["network", "auth"])
def test_tracking_says_nothing(shell: Shell, error: str) -> None:
    """While builds are only tracked, nothing of ours stands on the terminal."""
    assert run_in_terminal(shell, "track-only", error)[1] == b""


def test_a_pipe_gets_what_the_build_says(shell: Shell) -> None:
    """Into a pipe goes nothing of ours, whatever the phase."""
    (shell.folder / "toolkit.toml").write_text(PROJECT.format(phase="full-resume"))
    (shell.folder / "build.sh").write_text(BUILD.format(error=REFUSED))

    assert shell.run("run", "--", "bash", "build.sh") == (28, f"{REFUSED}\n", "")
