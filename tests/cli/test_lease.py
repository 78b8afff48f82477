"""A build has one owner: who holds it, who may take it over and when, and what becomes of one who lost it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from toolkit.core import events as ev
from toolkit.store import open_store
from toolkit.supervise.holder import HERE, fate, this_process

if TYPE_CHECKING:
    from tests.transcripts import Shell

ELSEWHERE = ("unshare", "--uts", "sh", "-c", 'hostname builder2 && exec "$0" "$@"')
"""A host of another name: its processes are numbered as ours, and still nothing may be concluded from that."""
LEASE = 6
STEPPED = (str(Path(__file__).with_name("stepped.py")),)
SHORT = {"TOOLKIT_LEASE": f"{LEASE}s"}
CONFIGURATION = """
phase = "{phase}"

[pipeline]
name = "golden-image"

[[states]]
code = 5
verify = "true"
"""
SLOW = """#!/bin/sh
. "$TOOLKIT_SHELL"
set -e
one() { echo one >>effects; }
state 5 one -- one
two() { echo two >>effects; [ -e quick ] || { echo waiting; sleep 60; }; echo two-is-over >>effects; }
state 20 two -- two
three() { echo three >>effects; }
state 30 three -- three
"""

needs_namespaces = pytest.mark.skipif(
    os.getuid() != 0 or shutil.which("unshare") is None, reason="only root gives a process another host name"
)


@pytest.fixture
def project(shell: Shell) -> Shell:
    """A project whose build waits in its second state until the file `quick` is there."""
    (shell.folder / "toolkit.toml").write_text(CONFIGURATION.format(phase="full-resume"))
    shell.script("build.sh", SLOW)
    return shell


def begun(
    shell: Shell,
    *prefix: str,
    arguments: tuple[str, ...] = ("run", "--", "./build.sh"),
    program: tuple[str, ...] = ("-m", "toolkit"),
    **environment: str,
) -> subprocess.Popen[str]:
    """Begin a build and wait until it is in its second state."""
    running = subprocess.Popen(
        [*prefix, sys.executable, *program, *arguments], cwd=shell.folder,
        env={**shell.environment, **SHORT, **environment},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert running.stdout is not None
    assert running.stdout.readline() == "waiting\n"
    return running


def ended(running: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for a supervisor; gives its exit code and what it said on stderr."""
    _, error = running.communicate(timeout=60)
    return running.returncode, error


def cleared(running: subprocess.Popen[str]) -> None:
    """End whatever is left of a build."""
    for number in (signal.SIGCONT, signal.SIGKILL):
        try:
            os.killpg(running.pid, number)
        except ProcessLookupError:
            break
    running.communicate(timeout=60)


def effects(folder: Path) -> list[str]:
    return (folder / "effects").read_text().split()


def test_who_holds_a_build_is_judged_by_what_can_be_known() -> None:
    """Ours is alive or dead; one of an earlier boot is dead; of another host, machine or container nothing is known."""
    host, where, pid, ticks = this_process().rsplit("/", 3)
    boot, machine, namespace = where.split("~")

    assert host == HERE
    assert fate(this_process()) == "alive"
    assert fate(f"{host}/{where}/{pid}/{int(ticks) + 1}") == "dead"
    assert fate(f"{host}/{boot}/{pid}/{ticks}") == "alive"
    assert fate(f"{host}/an-earlier-boot~{machine}~{namespace}/{pid}/{ticks}") == "dead"
    assert fate(f"{host}/an-earlier-boot~another-machine~{namespace}/{pid}/{ticks}") == "unknown"
    assert fate(f"{host}/{boot}~{machine}~4026000000/{pid}/{ticks}") == "unknown"
    assert fate(f"elsewhere/{where}/{pid}/{ticks}") == "unknown"
    assert fate("nonsense") == "unknown"


@pytest.mark.long
@needs_namespaces
def test_a_lease_elsewhere_is_respected_while_it_is_renewed(project: Shell) -> None:
    """A supervisor on another host keeps its build for as long as it lives, though nobody here can see it."""
    running = begun(project, *ELSEWHERE)
    try:
        code, _, error = project.run("resume", **SHORT)
        assert (code, error.splitlines()[0].split(";")[0]) == (
            6, f"error: build b-0001 is being run by process {running.pid} on builder2",
        )  # fmt: skip
        code, _, error = project.run("unlock", "b-0001", "-m", "I think it is gone", **SHORT)
        assert (code, error.splitlines()[1:]) == (
            6,
            [
                f"error: build b-0001 is being run by process {running.pid} on builder2, which lives",
                "hint: Stop it there instead.",
            ],
        )
        assert project.json("status")["status"] == "in_progress"
    finally:
        cleared(running)


@pytest.mark.long
@needs_namespaces
def test_a_zombie_is_refused_before_it_can_do_harm(project: Shell) -> None:
    """One that slept past its lease finds its build taken: its next word is refused, and what it runs is ended."""
    running = begun(project, *ELSEWHERE)
    try:
        os.kill(running.pid, signal.SIGSTOP)
        time.sleep(LEASE)
        (project.folder / "quick").touch()
        code, _, error = project.run("resume", **SHORT)
        assert (code, "waiting 4 s to see whether build b-0001 is still being run" in error) == (0, True)
        os.kill(running.pid, signal.SIGCONT)
        code, error = ended(running)
    finally:
        cleared(running)

    assert code != 0
    assert "this run of build b-0001 is over, and what it runs is ended" in error
    assert effects(project.folder) == ["one", "two", "two", "two-is-over", "three"]
    assert project.statuses("b-0001") == [
        (5, "started", 1), (5, "completed", 1), (20, "started", 1), (20, "interrupted", 1), (5, "reused", None),
        (20, "started", 2), (20, "completed", 2), (30, "started", 1), (30, "completed", 1),
    ]  # fmt: skip


@pytest.mark.long
@needs_namespaces
def test_unlocking_asks_whether_the_holder_lives_and_is_kept_in_the_history(project: Shell) -> None:
    """What gives no sign of life is unlocked; who did it and why is a fact; what lives here never is."""
    running = begun(project, *ELSEWHERE)
    try:
        os.kill(running.pid, signal.SIGSTOP)
        assert project.run("unlock", "b-0001")[0] == 2
        code, out, error = project.run("unlock", "b-0001", "-m", "builder2 has burnt down")
        assert (code, out) == (0, "b-0001 is unlocked; `toolkit resume b-0001` goes on\n"), error
        code, _, error = project.run("unlock", "b-0001", "-m", "again")
        assert (code, error.splitlines()[0]) == (6, "error: build b-0001 is not locked: nobody runs it")
        assert _sleeps(running)
        os.kill(running.pid, signal.SIGCONT)
        code, error = ended(running)
        assert code != 0
        assert "this run of build b-0001 is over, and what it runs is ended" in error
        assert not _sleeps(running)
    finally:
        cleared(running)
    store = open_store(f"sqlite:///{project.folder}/.toolkit/history.db")
    told = [event for event in store.events("b-0001") if isinstance(event, ev.BuildUnlocked)]
    store.close()

    assert [(event.note, (event.holder or "").split("/")[0]) for event in told] == [
        ("builder2 has burnt down", "builder2")
    ]
    assert told[0].by
    assert project.json("status")["status"] == "interrupted"


@pytest.mark.long
@needs_namespaces
def test_a_clock_that_is_set_takes_no_build_from_anybody(project: Shell) -> None:
    """The holder's clock falls back: its lease looks old, and is renewed all the same, so it keeps its build."""
    running = begun(project, *ELSEWHERE, program=STEPPED, STEP="-3600")
    try:
        (project.folder / "clock-was-set").touch()
        time.sleep(LEASE / 2)
        assert project.json("status")["status"] == "in_progress"
        code, _, error = project.run("resume", "b-0001", **SHORT)
        assert (code, "waiting 4 s to see" in error, "is being run by" in error) == (6, True, True)
        assert running.poll() is None
    finally:
        cleared(running)


@pytest.mark.long
@needs_namespaces
def test_a_lease_from_the_future_ends_too(project: Shell) -> None:
    """Our clock falls back behind the last renewal of a holder that is gone: nobody waits until it has caught up."""
    running = begun(project, *ELSEWHERE)
    cleared(running)
    (project.folder / "clock-was-set").touch()
    (project.folder / "quick").touch()
    ended = subprocess.run(
        [sys.executable, *STEPPED, "resume"], cwd=project.folder, env={**project.environment, **SHORT, "STEP": "-3600"},
        capture_output=True, text=True, check=False, timeout=90,
    )  # fmt: skip

    assert ended.returncode == 0, ended.stderr
    assert "waiting 4 s to see" in ended.stderr
    assert effects(project.folder) == ["one", "two", "two", "two-is-over", "three"]


def test_what_lives_here_is_not_unlocked(project: Shell) -> None:
    """A supervisor that runs on this host keeps its build whatever is asked."""
    running = begun(project)
    try:
        code, _, error = project.run("unlock", "b-0001", "-m", "now", "--force")
    finally:
        cleared(running)

    assert (code, error.splitlines()[0]) == (
        6, f"error: build b-0001 is being run by process {running.pid} on {HERE}, which lives",
    )  # fmt: skip


def test_tracked_builds_take_no_lease_from_each_other(shell: Shell) -> None:
    """In track-only a build that another process records runs all the same, with one line said about it."""
    (shell.folder / "toolkit.toml").write_text(CONFIGURATION.format(phase="track-only"))
    shell.script("build.sh", SLOW)
    running = begun(shell, arguments=("run", "--build", "nightly", "--", "./build.sh"))
    try:
        (shell.folder / "quick").touch()
        code, out, error = shell.run("run", "--build", "nightly", "--", "echo", "built")
        assert shell.run("run", "--", "true")[0] == 0
    finally:
        cleared(running)

    assert (code, out) == (0, "built\n")
    told = f"recording is in trouble, the build goes on unrecorded: build nightly is being run by process {running.pid}"
    assert error == f"toolkit: warning: {told} on {HERE}\n"


def _sleeps(running: subprocess.Popen[str]) -> bool:
    """Tell whether what a build waits with is still there."""
    told = subprocess.run(["ps", "-o", "args=", "-s", str(running.pid)], capture_output=True, text=True, check=False)
    return "sleep 60" in told.stdout
