"""Many builds that fail alike are one outage: all of them wait, one tries, and then all go on."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from toolkit.demo.server import Fault, FaultyServer, Reply

if TYPE_CHECKING:
    from tests.transcripts import Shell

BUILDS = ("amber", "blue", "coral", "dun")
PATIENCE_SECONDS = 90.0


def configure(shell: Shell, proxy: FaultyServer) -> None:
    """Write a project whose builds all need the same mirror."""
    (shell.folder / "toolkit.toml").write_text(
        f"""phase = "selective-retry"
[[states]]
code = 5
name = "kickstart"
strategy = "patient"
run = "curl -sSf --max-time 20 {proxy.url}/$TOOLKIT_BUILD.img"
[strategies.patient]
max_attempts = 90
on = ["transient"]
wait = "60s"
max_elapsed = "40h"
factor = 1.0
jitter = false
[budget]
attempts_per_build = 90
minutes_per_build = 9000
breaker = 3
[notify]
command = "echo $TOOLKIT_EVENT $TOOLKIT_SIGNATURE >> told"
on = ["breaker"]
"""
    )


def started(shell: Shell, target: str) -> subprocess.Popen[bytes]:
    """Begin a build in which the half minute between two looks at an open breaker takes half a second."""
    hurried = str(Path(__file__).with_name("hurried.py"))
    with (shell.folder / f"{target}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, hurried, "-", "60", "run", "--target", target], cwd=shell.folder, env=shell.environment,
            stdout=log, stderr=log,
        )  # fmt: skip


def waiting(shell: Shell) -> set[str]:
    """Give the builds whose latest decision is to wait."""
    found = set()
    for row in shell.json("builds")["builds"]:
        failures = shell.json("why", row["build"])["failures"]
        if failures and failures[-1]["decision"] and failures[-1]["decision"]["action"] == "wait":
            found.add(row["build"])
    return found


@pytest.mark.long
def test_one_build_probes_for_all(shell: Shell) -> None:
    """While a mirror is down, all builds but one wait for it; when that one comes through, so do all; told of once."""
    with FaultyServer(lambda _: Reply(200, b"image"), [Fault("503")]) as proxy:
        configure(shell, proxy)
        running = [started(shell, target) for target in BUILDS]
        try:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while len(waiting(shell)) < len(BUILDS) - 1 and time.monotonic() < deadline:
                time.sleep(0.2)
            held_back = waiting(shell)
            assert len(held_back) == len(BUILDS) - 1
            before = len(proxy.hits)
            while len(proxy.hits) < before + 3 and time.monotonic() < deadline:
                time.sleep(0.1)
            probing = {hit.target for hit in proxy.hits[before:]}
            assert len(probing) == 1
            assert not any(f"/{build}.img" in probing for build in held_back)
            proxy.change([])
            assert [each.wait(PATIENCE_SECONDS) for each in running] == [0] * len(BUILDS)
        finally:
            for each in running:
                each.kill()
    assert {each["status"] for each in shell.json("builds")["builds"]} == {"completed"}
    assert (shell.folder / "told").read_text().splitlines() == ["breaker http.503"]
