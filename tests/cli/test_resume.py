"""`toolkit plan` and `toolkit resume` as people meet them."""

from __future__ import annotations

import json
import os
import re
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
{more}

[[states]]
code = 5
name = "kickstart"
inputs = ["ks.cfg"]
outputs = ["disk"]
"""
BUILD = """#!/bin/bash
. "$TOOLKIT_SHELL"
set -e
kickstart() { echo installing; cp ks.cfg disk; }
state 5 kickstart -- kickstart
base() { echo configuring; [ -e mirror-is-up ] || return 28; }
state 20 base -- base
state 100 done -- echo ready
"""


@pytest.fixture
def failed(shell: Shell) -> Shell:
    """A build that failed at its second state."""
    return failing(shell)


def failing(shell: Shell, phase: str = "full-resume", more: str = "") -> Shell:
    (shell.folder / "toolkit.toml").write_text(CONFIGURATION.format(phase=phase, more=more))
    (shell.folder / "ks.cfg").write_text("lang en_US\n")
    build = shell.script("build.sh", BUILD)
    code, out, _ = shell.run("run", "--", build)
    assert (code, out) == (28, "installing\nconfiguring\n")
    return shell


def test_resume_goes_on_where_the_build_failed(failed: Shell) -> None:
    """Once the trouble is gone, what completed is not executed again, and the build ends well."""
    (failed.folder / "mirror-is-up").touch()

    assert failed.run("resume")[:2] == (0, "configuring\nready\n")
    assert failed.statuses("b-0001") == [
        (5, "started", 1), (5, "completed", 1), (20, "started", 1), (20, "failed", 1),
        (5, "reused", None), (20, "started", 2), (20, "completed", 2), (100, "started", 1), (100, "completed", 1),
    ]  # fmt: skip


def test_resume_from_another_folder(failed: Shell) -> None:
    """The build's command is run where it was first given, wherever one stands in the project."""
    (failed.folder / "mirror-is-up").touch()
    (failed.folder / "docs").mkdir()
    ended = subprocess.run(
        [sys.executable, "-m", "toolkit", "resume"], cwd=failed.folder / "docs", env=failed.environment,
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert (ended.returncode, ended.stdout) == (0, "configuring\nready\n")


def test_resume_with_a_corrected_script(failed: Shell) -> None:
    """Another command, or another script of the same name, is the normal case."""
    corrected = failed.script("corrected.sh", BUILD.replace("[ -e mirror-is-up ]", "true"))

    assert failed.run("resume", "b-0001", "--", corrected)[:2] == (0, "configuring\nready\n")


def test_plan(failed: Shell) -> None:
    """The plan says state by state what is reused, what runs and why."""
    plan = failed.json("plan")
    assert plan["build"] == "b-0001"
    assert [(each["code"], each["name"], each["action"], each["why"]) for each in plan["states"]] == [
        (5, "kickstart", "reuse", "completed in attempt 1: inputs and outputs unchanged"),
        (20, "base", "run", "it has not completed in this build"),
    ]
    (failed.folder / "ks.cfg").write_text("lang de_DE\n")
    (failed.folder / "disk").unlink()
    code, out, error = failed.run("plan", "b-0001")

    assert (code, error) == (0, "")
    told = re.compile(r"5  kickstart +run +[0-9.]+s \(n=1\)  inputs: ks.cfg changed; outputs: disk missing")
    assert told.search(out.splitlines()[1]), out
    assert "b-0001: 0 states reused, 2 run" in out
    assert out.splitlines()[-1].endswith("s (n=1), and state 20 that nobody has timed")


def test_plan_of_what_has_not_begun(shell: Shell) -> None:
    """Where nothing waits to be resumed, the plan is that of a new build."""
    (shell.folder / "toolkit.toml").write_text(CONFIGURATION.format(phase="track-only", more=""))

    assert shell.json("plan")["states"] == [
        {"code": 5, "name": "kickstart", "action": "run", "why": "a new build", "expected_seconds": None,
         "expected": None}
    ]  # fmt: skip


def test_plan_says_what_run_would_do_instead(shell: Shell) -> None:
    """In a phase that reuses nothing, nobody takes the plan for what `toolkit run` does."""
    out = failing(shell, "track-only").run("plan")[1]

    last = "this is what `toolkit resume` does; `toolkit run` follows track-only and reuses nothing"
    assert out.splitlines()[-1] == last


def test_nothing_to_resume(shell: Shell) -> None:
    """No history, no unfinished build, no such build, a build that is done: each is told apart."""
    (shell.folder / "toolkit.toml").write_text(CONFIGURATION.format(phase="full-resume", more=""))
    assert shell.run("resume")[0] == 4
    shell.run("run", "--", "true")

    code, _, error = shell.run("resume")
    assert (code, error.splitlines()[0]) == (4, "error: no build of golden-image waits to be resumed")
    told = "error: there is no build b-0009\nhint: List what there is with `toolkit builds`.\n"
    assert shell.run("resume", "b-0009")[::2] == (4, told)
    assert shell.run("resume", "b-0001")[::2] == (
        6, "error: build b-0001 is completed\nhint: Begin another with `toolkit run --build new`.\n",
    )  # fmt: skip


@pytest.mark.parametrize("more", ['resume = "never"', 'never_resume = ["kind=release"]'])
def test_builds_that_always_start_over(shell: Shell, more: str) -> None:
    """A release build is not resumed, whether its pipeline or its label says so."""
    (shell.folder / "toolkit.toml").write_text(CONFIGURATION.format(phase="full-resume", more=more))
    assert shell.run("run", "--label", "kind=release", "--", "false")[0] == 1
    code, _, error = shell.run("resume")

    assert (code, error.splitlines()[0]) == (
        6, "error: build b-0001 always runs from its first state on: `resume` is never for it",
    )  # fmt: skip


def test_an_upgrade_of_ours_never_invalidates_silently(failed: Shell) -> None:
    """A version that makes fingerprints in another way says so where it runs what it cannot compare."""
    later = "import runpy, toolkit.core.fingerprints as f; f.SCHEMA = 2; runpy.run_module('toolkit', {}, '__main__')"
    ended = subprocess.run(
        [sys.executable, "-c", later, "plan", "--json"], cwd=failed.folder, env=failed.environment,
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    told = json.loads(ended.stdout)["states"][0]

    assert failed.json("plan")["states"][0]["action"] == "reuse"
    assert (told["action"], told["why"].split(";")[0]) == (
        "run", "inputs: recorded by a version that cannot be compared",
    )  # fmt: skip


def test_a_label_of_the_run_that_continues_counts(failed: Shell) -> None:
    """Whoever labels the build a release while running it again has it run from its first state on, now and later."""
    text = (failed.folder / "toolkit.toml").read_text()
    (failed.folder / "toolkit.toml").write_text(
        text.replace("[pipeline]\n", '[pipeline]\nnever_resume = ["kind=release"]\n')
    )
    assert all(each["action"] == "reuse" for each in failed.json("plan")["states"][:1])
    failed.run("run", "--label", "kind=release", "--", "./build.sh")

    assert not [each for each in failed.json("status")["stateHistory"] if each["status"] == "reused"]
    assert failed.json("status")["labels"] == {"kind": "release"}
    code, _, error = failed.run("resume")
    assert (code, "`resume` is never for it" in error) == (6, True)


def test_a_held_build_waits_for_a_person(failed: Shell) -> None:
    """A hold is not got around by resuming."""
    failed.run("hold", "-m", "looking at the VM")
    code, out, error = failed.run("resume")

    assert (code, out) == (6, "")
    assert error == (
        "error: build b-0001 is held: looking at the VM\n"
        "hint: Let it go on with `toolkit release b-0001`, then resume it.\n"
    )


def test_what_is_skipped_by_a_person_is_not_run(failed: Shell) -> None:
    """A state that was done by hand counts as complete when the build goes on."""
    failed.run("skip", "b-0001", "--state", "20", "-m", "configured by hand")

    assert failed.json("plan")["states"][1]["why"] == "done by hand: configured by hand"
    assert failed.run("resume")[:2] == (0, "ready\n")


def test_part_of_a_build_is_refused_before_it_starts(failed: Shell) -> None:
    """What cannot be reused, does not exist or makes no sense is said before anything runs."""
    (failed.folder / "ks.cfg").write_text("changed\n")
    code, out, error = failed.run("resume", "--from", "20")
    assert (code, out) == (6, "")
    assert error.splitlines()[0] == (
        "error: state 5 kickstart before state 20 cannot be reused: inputs: ks.cfg changed"
    )
    assert failed.run("resume", "--only", "7")[0] == 4
    assert failed.run("resume", "--from", "20", "--through", "5")[0] == 2
    assert failed.run("resume", "--from", "base")[0] == 2
    assert failed.run("plan", "--from", "20")[0] == 6
    assert len(failed.json("status")["stateHistory"]) == 4


def test_a_killed_build_goes_on(shell: Shell, tmp_path: Path) -> None:
    """After a kill that nobody could record, resume knows the truth and goes on at the interrupted state."""
    (shell.folder / "toolkit.toml").write_text(CONFIGURATION.format(phase="full-resume", more=""))
    (shell.folder / "ks.cfg").write_text("lang en_US\n")
    slow = shell.script("build.sh", BUILD.replace("[ -e mirror-is-up ] || return 28", "[ -e up ] || exec sleep 60"))
    running = subprocess.Popen(
        [sys.executable, "-m", "toolkit", "run", "--", slow], cwd=shell.folder, env=shell.environment,
        stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert running.stdout is not None
    assert [running.stdout.readline() for _ in range(2)] == ["installing\n", "configuring\n"]
    code, _, error = shell.run("resume")
    assert (code, error.splitlines()[0].split(" is being run by ")[0]) == (6, "error: build b-0001")
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    running.stdout.close()
    time.sleep(0.1)
    (shell.folder / "up").touch()

    assert shell.run("resume")[:2] == (0, "configuring\nready\n")
    assert (20, "interrupted", 1) in shell.statuses("b-0001")
    assert (5, "started", 2) not in shell.statuses("b-0001")
