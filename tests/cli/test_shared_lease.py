"""A history shared by many hosts, whose server or whose supervisor goes away: nothing runs on beside its own resume."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.store.servers import Server, serving
from toolkit.supervise.outliving import is_told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.transcripts import Shell

LEASE = 6
CONFIGURATION = """
phase = "full-resume"

[pipeline]
name = "golden-image"
"""
PIPELINE = f"""{CONFIGURATION}
[[states]]
code = 5
run = "echo one >>effects"

[[states]]
code = 20
run = "./two.sh"

[[states]]
code = 30
run = "echo three >>effects"
"""
INSTRUMENTED = """#!/bin/sh
. "$TOOLKIT_SHELL"
set -e
one() { echo one >>effects; }
state 5 one -- one
state 20 two -- ./two.sh
three() { echo three >>effects; }
state 30 three -- three
"""
TWO = """#!/bin/sh
trap '' TERM
echo two >>effects
echo waiting
while [ ! -e go ]; do sleep 0.05; date +%s.%N >alive.new; mv alive.new alive; done
echo two-is-over >>effects
"""
SLACK = 1.0
"""A machine that is busy notices a moment late; whoever takes over waits for two thirds of the lease on top of it."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Run a server that only these tests mistreat."""
    with serving() as running:
        yield running


@pytest.fixture(params=["pipeline", "instrumented"])
def build(request: pytest.FixtureRequest, shell: Shell, server: Server) -> tuple[Shell, tuple[str, ...]]:
    """A build whose second state waits for a file, and will not be asked to end; gives how it is run."""
    shell.environment |= {"TOOLKIT_STORE": server.database(), "TOOLKIT_LEASE": f"{LEASE}s"}
    shell.script("two.sh", TWO)
    if request.param == "pipeline":
        (shell.folder / "toolkit.toml").write_text(PIPELINE)
        return shell, ("run",)
    (shell.folder / "toolkit.toml").write_text(CONFIGURATION)
    return shell, ("run", "--", shell.script("build.sh", INSTRUMENTED))


def begun(shell: Shell, arguments: tuple[str, ...]) -> subprocess.Popen[str]:
    running = subprocess.Popen(
        [sys.executable, "-m", "toolkit", *arguments], cwd=shell.folder, env=shell.environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert running.stdout is not None
    assert running.stdout.readline() == "waiting\n"
    return running


def cleared(running: subprocess.Popen[str]) -> str:
    """End whatever is left; gives what was said on stderr."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGKILL)
    return running.communicate(timeout=60)[1]


def last_alive(shell: Shell) -> float:
    """Wait until the second state gives no sign of life any more; gives when the last one was."""
    while True:
        last = float((shell.folder / "alive").read_text())
        time.sleep(0.5)
        if float((shell.folder / "alive").read_text()) == last:
            return last


def effects(shell: Shell) -> list[str]:
    return (shell.folder / "effects").read_text().split()


@pytest.mark.long
@pytest.mark.parametrize("how", ["frozen", "stopped"])
def test_a_build_that_cannot_renew_its_lease_is_ended_in_time(
    build: tuple[Shell, tuple[str, ...]], server: Server, how: str
) -> None:
    """Somebody elsewhere may take the build over then: what it runs is ended first, and the next resume goes on."""
    shell, arguments = build
    running = begun(shell, arguments)
    try:
        time.sleep(LEASE / 2)
        if how == "frozen":
            server.freeze()
        else:
            server.stop("immediate")
        gone = time.time()
        last = last_alive(shell)
        error = running.communicate(timeout=60)[1]
    finally:
        if how == "frozen":
            server.thaw()
        else:
            server.start()
        cleared(running)

    assert last - gone < LEASE + SLACK
    assert "is over, and what it runs is ended: its lease cannot be renewed, and another host may take it over" in error
    assert running.returncode not in {0, 70}
    assert effects(shell) == ["one", "two"]
    (shell.folder / "go").touch()
    code, _, said = shell.run("resume")
    assert code == 0, said
    assert effects(shell) == ["one", "two", "two", "two-is-over", "three"]
    assert [each for each in shell.statuses("b-0001") if each[0] == 20] == [
        (20, "started", 1), (20, "interrupted", 1), (20, "started", 2), (20, "completed", 2),
    ]  # fmt: skip


@pytest.mark.long
def test_what_lost_its_supervisor_ends_before_its_lease_does(build: tuple[Shell, tuple[str, ...]]) -> None:
    """Killed -9 on a shared history, a supervisor leaves a step that may go on for as long as nobody else may begin."""
    shell, arguments = build
    running = begun(shell, arguments)
    try:
        time.sleep(LEASE / 2)
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        gone = time.time()
        last = last_alive(shell)
    finally:
        cleared(running)

    assert last - gone < LEASE + SLACK
    assert effects(shell) == ["one", "two"]


@pytest.mark.long
@pytest.mark.skipif(not is_told(), reason="from Linux 6.15 on others hear how a process ended")
def test_what_ends_unwatched_within_the_lease_is_believed(build: tuple[Shell, tuple[str, ...]]) -> None:
    """A step that was done before anybody else could begin is done, also where the history is shared."""
    shell, arguments = build
    running = begun(shell, arguments)
    try:
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        (shell.folder / "go").touch()
        deadline = time.monotonic() + 120
        while not list((shell.folder / ".toolkit" / "run").glob("*/ended.20-1")):
            assert time.monotonic() < deadline, "nobody left how it ended"
            time.sleep(0.02)
        code, _, error = shell.run("resume")
        assert code == 0, error
    finally:
        cleared(running)

    assert effects(shell) == ["one", "two", "two-is-over", "three"]
    assert (20, "completed", 1) in shell.statuses("b-0001")
