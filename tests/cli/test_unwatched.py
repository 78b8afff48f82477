"""A supervisor is killed and the build is not: what the build does then, and what becomes of it when it is resumed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.transcripts import Shell

CONFIGURATION = """
phase = "{phase}"

[pipeline]
name = "golden-image"

[[states]]
code = 20
outputs = ["image"]
"""
BUILD = """#!/bin/sh
. "$TOOLKIT_SHELL"
set -e
one() { echo one >>effects; }
state 5 one -- one
two() { echo two >>effects; echo waiting; while [ ! -e go ]; do sleep 0.02; done; echo built >image; }
state 20 two -- two
three() { echo three >>effects; }
state 30 three -- three
"""
PATIENCE = 30.0


def orphaned(shell: Shell, build: str = BUILD, phase: str = "full-resume") -> None:
    """Begin a build, and kill its supervisor while it is in its second state."""
    (shell.folder / "toolkit.toml").write_text(CONFIGURATION.format(phase=phase))
    running = subprocess.Popen(
        [sys.executable, "-m", "toolkit", "run", "--", shell.script("build.sh", build)], cwd=shell.folder,
        env=shell.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert running.stdout is not None
    assert running.stdout.readline() == "waiting\n"
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    running.stdout.close()


def effects(folder: Path) -> list[str]:
    return (folder / "effects").read_text().split()


def until(shell: Shell, name: str) -> None:
    """Wait until there is a file of this name below the toolkit's own folder for runs."""
    deadline = time.monotonic() + PATIENCE
    while not list((shell.folder / ".toolkit" / "run").glob(f"*/{name}")):
        assert time.monotonic() < deadline, f"nobody left {name}"
        time.sleep(0.02)


def test_a_state_that_ends_unwatched_is_believed(shell: Shell) -> None:
    """The state goes on, leaves how it ended, and the script stops before the next; it is reused, not run again."""
    orphaned(shell)
    (shell.folder / "go").touch()
    until(shell, "ended.20-1")

    assert shell.run("resume")[0] == 0
    assert effects(shell.folder) == ["one", "two", "three"]
    assert shell.statuses("b-0001") == [
        (5, "started", 1), (5, "completed", 1), (20, "started", 1), (20, "completed", 1),
        (5, "reused", None), (20, "reused", None), (30, "started", 1), (30, "completed", 1),
    ]  # fmt: skip


def test_a_state_that_fails_unwatched_has_failed(shell: Shell) -> None:
    """A bad end is believed as well, and so is one without the outputs that were promised."""
    orphaned(shell, BUILD.replace("set -e\n", "").replace("echo built >image", "return 9"))
    (shell.folder / "go").touch()
    until(shell, "ended.20-1")

    told = shell.json("status")["stateHistory"][-1]
    assert (told["state"], told["status"], told["error"]) == (20, "failed", "exit code 9")


@pytest.mark.parametrize("torn", ["", "0", "zero\n", "0\n0\n"])
def test_half_a_line_is_no_record(shell: Shell, torn: str) -> None:
    """What was left without its end, or is no number, was never said: the state was interrupted, and runs again."""
    orphaned(shell)
    (next((shell.folder / ".toolkit" / "run").glob("*/owner")).parent / "ended.20-1").write_text(torn)
    assert shell.json("status")["stateHistory"][-1]["status"] == "interrupted"
    (shell.folder / "go").touch()

    assert shell.run("resume")[0] == 0
    assert effects(shell.folder).count("two") == 2


def test_what_still_runs_is_ended_before_the_build_goes_on(shell: Shell) -> None:
    """Two steps never work on one state: the one that was left behind is ended first, its children included."""
    orphaned(shell, BUILD.replace("while [ ! -e go ]; do sleep 0.02; done", "[ -e go ] || sh -c 'sleep 77; :'"))
    assert _sleepers(shell.folder)
    (shell.folder / "go").touch()
    code, _, error = shell.run("resume")

    assert code == 0
    assert "ended what the last run of build b-0001 still ran: " in error
    assert not _sleepers(shell.folder)
    assert effects(shell.folder) == ["one", "two", "two", "three"]
    assert not list((shell.folder / ".toolkit" / "run").iterdir())


def test_what_a_completed_state_left_running_stays(shell: Shell) -> None:
    """A virtual machine, or what stands for one here, is the result of its state: resuming does not take it away."""
    orphaned(shell, BUILD.replace("echo one >>effects", "echo one >>effects; sleep 77 >/dev/null 2>&1 & :"))
    (shell.folder / "go").touch()
    try:
        assert shell.run("resume")[0] == 0
        assert len(_sleepers(shell.folder)) == 1
    finally:
        for pid in _sleepers(shell.folder):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("phase", ["track-only", "selective-retry"])
def test_elsewhere_the_build_dies_with_its_supervisor(shell: Shell, phase: str) -> None:
    """Where nothing is resumed, whoever kills us means the build: it gets what a bare build would have got."""
    orphaned(shell, phase=phase)
    (shell.folder / "go").touch()
    time.sleep(0.3)

    assert not (shell.folder / "image").exists()
    assert shell.json("status")["status"] == "interrupted"


def test_a_record_with_holes_is_not_built_upon(shell: Shell) -> None:
    """A supervisor in trouble says so outside the history too: killed then, its build starts over when resumed."""
    orphaned(shell)
    next((shell.folder / ".toolkit" / "run").glob("*/sound")).unlink()
    (shell.folder / "go").touch()
    code, _, error = shell.run("resume")

    assert code == 0
    assert "toolkit: warning: build b-0001 starts over: its record may have holes" in error
    assert effects(shell.folder).count("one") == 2


def _sleepers(folder: Path) -> list[int]:
    """Find the processes that sleep so long in a folder."""
    found = []
    for path in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208 - names, not paths
        try:
            with open(f"/proc/{path}/cmdline", "rb") as file:  # noqa: PTH123 - as above
                told = file.read()
            if told.startswith(b"sleep\x0077") and os.readlink(f"/proc/{path}/cwd") == str(folder):  # noqa: PTH115
                found.append(int(path))
        except OSError:
            continue
    return found
