"""Checkpoints in builds that really run: kept, gone back to, refused when they are no good, and cleaned away."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.cli.kinds import Build

if TYPE_CHECKING:
    from pathlib import Path

DISK = """
checkpoint = 'sh "$TOOLKIT_RECIPES/disk.sh" save disk.img'
restore = 'sh "$TOOLKIT_RECIPES/disk.sh" restore disk.img'
"""
TREE = DISK.replace("disk.sh", "tree.sh").replace("disk.img", "root")
STEP = """#!/bin/sh
# Each state adds itself to a disk and to a tree; a failing one leaves them half changed.
echo "$1" >>ran
mkdir -p root
echo "begun $1" >>disk.img
echo "begun $1" >>"root/$1"
[ ! -e "fail-$1" ] || exit 3
echo "done $1" >>disk.img
echo "done $1" >>"root/$1"
"""
WHOLE = "".join(f"begun {code}\ndone {code}\n" for code in (5, 20, 40, 100))


@pytest.fixture(params=["instrumented", "pipeline"])
def build(request: pytest.FixtureRequest, tmp_path: Path) -> Build:
    """A build whose states change one disk and one tree."""
    made = Build(tmp_path, request.param)
    made.shell.script("step.sh", STEP)
    return made


def kept(folder: Path) -> list[str]:
    top = folder / ".toolkit" / "checkpoints"
    return sorted(str(each.relative_to(top)) for each in top.glob("*/*") if each.is_dir()) if top.exists() else []


@pytest.mark.parametrize(("hooks", "made"), [(DISK, "disk.img"), (TREE, "root/40")], ids=["disk", "tree"])
def test_a_resumed_state_starts_from_what_its_predecessor_left(build: Build, hooks: str, made: str) -> None:
    """What the failed state had half done is gone; what comes out is what an uninterrupted build makes."""
    build.configure({5: hooks, 20: hooks})
    build.fails_at(40)
    assert (build.folder / made).read_text().endswith("begun 40\n")
    assert kept(build.folder) == ["b-0001/20-1", "b-0001/5-1"]
    assert build.shell.json("plan")["goes_back_to"] == 20
    assert "the checkpoint of state 20 is restored" in build.shell.run("plan")[1]

    assert build.resume()[0] == 0
    assert build.ran() == [40, 100]
    assert (build.folder / made).read_text() == (WHOLE if made == "disk.img" else "begun 40\ndone 40\n")
    assert kept(build.folder) == []


def test_outputs_that_the_failed_state_spoilt(build: Build) -> None:
    """A state whose output a later one half changed is not run again where its checkpoint gives the output back."""
    build.configure({5: 'outputs = ["disk.img"]\n' + DISK})
    build.fails_at(20)
    why = build.shell.json("plan")["states"][0]
    assert why["action"] == "reuse"
    assert why["why"].endswith("its checkpoint gives its outputs back")

    assert build.resume()[0] == 0
    assert build.ran() == [20, 40, 100]
    assert (build.folder / "disk.img").read_text() == WHOLE


def test_a_checkpoint_that_does_not_come_back(build: Build) -> None:
    """Nothing goes on from a restore that failed: the run stops, and the next one begins with the state itself."""
    build.configure({20: DISK.replace("restore disk.img'", "restore disk.img && false'")})
    build.fails_at(40)
    code, _, error = build.resume()

    assert (code, build.ran()) == (6, [])
    assert error.startswith("toolkit: warning: the checkpoint of state 20 s20 did not come back: `sh ")
    assert build.shell.json("status")["status"] == "interrupted"
    plan = build.shell.json("plan")["states"]
    assert [each["action"] for each in plan] == ["reuse", "run", "run", "run"]
    assert plan[1]["why"].startswith("checkpoint: `sh ")
    assert build.resume()[0] == 0
    assert build.ran() == [20, 40, 100]


def test_a_restore_that_brings_something_else(build: Build) -> None:
    """What comes back has to be what the state recorded as its output."""
    build.configure({20: 'outputs = ["disk.img"]\ncheckpoint = "true"\nrestore = "echo other >disk.img"\n'})
    build.fails_at(40)
    code, _, error = build.resume()

    assert (code, build.ran()) == (6, [])
    assert "outputs: disk.img changed" in error


def test_a_checkpoint_that_cannot_be_kept_costs_a_warning(build: Build) -> None:
    """The build goes on; resumed, it does without."""
    build.configure({20: 'checkpoint = "echo no space left; false"\nrestore = "true"\n'})
    (build.folder / "fail-40").touch()
    code, _, error = build.run()

    assert code == 3
    told = "toolkit: warning: there is no checkpoint of state 20 s20, the build goes on: "
    assert error.startswith(told)
    assert error.endswith("ended with 1: no space left\n")
    assert build.shell.json("plan")["goes_back_to"] is None


def test_checkpoints_grow_old(build: Build) -> None:
    """Past `checkpoint_age` one is neither restored nor kept."""
    build.configure({20: DISK + 'checkpoint_age = "1s"\n'})
    build.fails_at(40)
    assert kept(build.folder) == ["b-0001/20-1"]
    time.sleep(1.2)

    assert build.shell.json("plan")["goes_back_to"] is None
    (build.folder / "fail-40").touch()
    assert build.resume()[0] == 3
    assert (build.folder / "disk.img").read_text().endswith("begun 40\nbegun 40\n")
    assert kept(build.folder) == []


def test_checkpoints_of_abandoned_builds_go(build: Build) -> None:
    """Who gives a build up frees what it kept, at the end of the next run; other failed builds keep theirs."""
    build.configure({20: DISK})
    build.fails_at(40)
    (build.folder / "fail-40").touch()
    assert build.run("--target", "other")[0] == 3
    assert kept(build.folder) == ["b-0001/20-1", "b-0002/20-1"]
    build.shell.run("abandon", "b-0001", "-m", "superseded")
    assert build.run("--target", "third", "--through", "5")[0] == 0

    assert kept(build.folder) == ["b-0002/20-1"]


@pytest.mark.skipif(shutil.which("setsid") is None, reason="setsid is not there")
def test_a_restore_that_outlives_its_supervisor_is_waited_for(build: Build) -> None:
    """Two restores never work on the same thing at once, not even one whose supervisor was killed."""
    slow = "echo begin >>log; sleep 1; echo end >>log"
    build.configure({20: f'checkpoint = "true"\nrestore = "{slow}"\n'})
    build.fails_at(40)
    running = subprocess.Popen(
        [sys.executable, "-m", "toolkit", "resume"], cwd=build.folder, env=build.shell.environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    log = build.folder / "log"
    while not log.exists():
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()

    assert build.resume()[0] == 0
    assert log.read_text().split() == ["begin", "end", "begin", "end"]
    assert build.ran() == [40, 100]
