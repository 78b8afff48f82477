"""A supervisor is killed and the build is not: what the build does then, and what becomes of it when it is resumed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from toolkit.supervise.outliving import is_told

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
PATIENCE = 120.0


PIPELINE = """
phase = "full-resume"

[pipeline]
name = "golden-image"

[[states]]
code = 5
run = "echo one >>effects"

[[states]]
code = 20
outputs = ["image"]
run = "./two.sh"

[[states]]
code = 30
run = "echo three >>effects"
"""
TWO = """#!/bin/sh
echo two >>effects
echo waiting
while [ ! -e go ]; do sleep 0.02; done
echo built >image
"""
needs_telling_kernel = pytest.mark.skipif(not is_told(), reason="from Linux 6.15 on others hear how a process ended")


def orphaned(shell: Shell, build: str = BUILD, phase: str = "full-resume") -> None:
    """Begin a build, and kill its supervisor while it is in its second state."""
    (shell.folder / "toolkit.toml").write_text(CONFIGURATION.format(phase=phase))
    _orphaned(shell, "run", "--", shell.script("build.sh", build))


def orphaned_pipeline(shell: Shell, two: str = TWO) -> None:
    """Begin a build of commands of its own, and kill its supervisor while it is in its second state."""
    (shell.folder / "toolkit.toml").write_text(PIPELINE)
    shell.script("two.sh", two)
    _orphaned(shell, "run")


def _orphaned(shell: Shell, *arguments: str) -> None:
    running = subprocess.Popen(
        [sys.executable, "-m", "toolkit", *arguments], cwd=shell.folder,
        env=shell.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert running.stdout is not None
    assert running.stdout.readline() == "waiting\n"
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    running.stdout.close()


def ended_unwatched(shell: Shell) -> None:
    """Let the second state end, and wait until the standby has seen that."""
    until(shell, "unwatched")
    (shell.folder / "go").touch()
    deadline = time.monotonic() + PATIENCE
    while list((shell.folder / ".toolkit" / "run").glob("*/unwatched")):
        assert time.monotonic() < deadline, "it does not end"
        time.sleep(0.02)


def goes_on(shell: Shell) -> None:
    """Resume the build, and see that it goes on behind its second state, which has run once."""
    assert shell.run("resume")[0] == 0
    assert effects(shell.folder) == ["one", "two", "three"]
    assert shell.statuses("b-0001") == [
        (5, "started", 1), (5, "completed", 1), (20, "started", 1), (20, "completed", 1),
        (5, "reused", None), (20, "reused", None), (30, "started", 1), (30, "completed", 1),
    ]  # fmt: skip


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
    goes_on(shell)


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
    deadline = time.monotonic() + PATIENCE
    while not _sleepers(shell.folder):
        assert time.monotonic() < deadline, "nobody sleeps"
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


@needs_telling_kernel
def test_a_command_of_the_pipeline_that_ends_unwatched_is_believed(shell: Shell) -> None:
    """It goes on to its end, its exit code is left behind, and nothing of what came behind it has begun."""
    orphaned_pipeline(shell)
    (shell.folder / "go").touch()
    until(shell, "ended.20-1")
    goes_on(shell)


@needs_telling_kernel
@pytest.mark.parametrize(
    ("end", "told"),
    [("exit 9", "exit code 9"), ("exit 0", "state 20 ended well, but its outputs are missing: image")],
)
def test_a_command_of_the_pipeline_that_fails_unwatched_has_failed(shell: Shell, end: str, told: str) -> None:
    """A bad end is believed as well, and so is one without the outputs that were promised."""
    orphaned_pipeline(shell, TWO.replace("echo built >image", end))
    (shell.folder / "go").touch()
    until(shell, "ended.20-1")

    last = shell.json("status")["stateHistory"][-1]
    assert (last["state"], last["status"], last["error"]) == (20, "failed", told)


@needs_telling_kernel
@pytest.mark.parametrize("whom", ["$$", "$PPID"])
def test_what_a_signal_ended_unwatched_was_interrupted(shell: Shell, whom: str) -> None:
    """A machine that shuts down ends all by signal: that is nobody's failure, though a shell has a number for it."""
    orphaned_pipeline(shell, TWO.replace("echo built >image", f"kill -TERM {whom}; sleep 5"))
    ended_unwatched(shell)

    assert shell.json("status")["stateHistory"][-1]["status"] == "interrupted"


@needs_telling_kernel
def test_states_inside_a_command_that_stop_for_lack_of_us_are_no_failure(shell: Shell) -> None:
    """The command of a state tells states of its own; it stops behind the first that ends unwatched, and is resumed."""
    inner = '. "$TOOLKIT_SHELL"\nset -e\ntwo() {\n' + TWO.removeprefix("#!/bin/sh\n")
    orphaned_pipeline(shell, f"#!/bin/sh\n{inner}}}\nstate 21 inner -- two\nstate 22 last -- true\n")
    ended_unwatched(shell)
    assert (20, "interrupted", 1) in shell.statuses("b-0001")
    assert (21, "completed", 1) in shell.statuses("b-0001")
    assert shell.run("resume")[0] == 0


@needs_telling_kernel
def test_a_state_took_as_long_as_it_ran_not_until_somebody_looked(shell: Shell) -> None:
    """The end that was left behind has its own moment: what is learned from it is how long the state takes."""
    orphaned_pipeline(shell)
    (shell.folder / "go").touch()
    until(shell, "ended.20-1")
    word = next((shell.folder / ".toolkit" / "run").glob("*/ended.20-1"))
    ended = word.stat().st_mtime
    time.sleep(0.3)
    events = [json.loads(line) for line in shell.run("history", "--jsonl")[1].splitlines()]
    (told,) = [each for each in events if (each["state"], each["status"]) == (20, "completed")]

    assert abs(datetime.fromisoformat(told["ts"]).timestamp() - ended) < 0.01


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
