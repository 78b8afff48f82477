"""Builds that a retry helped, verified by clean ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from toolkit.core.verifying import chosen

if TYPE_CHECKING:
    from pathlib import Path

    from tests.transcripts import Shell

CONFIGURATION = """
phase = "selective-retry"

[pipeline]
name = "image"
{pipeline}

[[policy]]
id = "mirror"
signatures = ["own.mirror"]
wait = "0s"

[[rules]]
id = "own.mirror"
class = "network"
match = "mirror went away"

[[rules]]
id = "own.broken"
class = "config"
match = "broken for good"

[[states]]
code = 5
name = "fetch"
inputs = ["source"]
outputs = ["image"]
run = "./fetch.sh"
"""
FETCH = """#!/bin/sh
[ ! -e broken ] || { echo "broken for good"; exit 4; }
[ ! -e flaky ] || { rm flaky; echo "mirror went away"; exit 28; }
cat source >image
[ ! -e differs ] || echo more >>image
"""


def helped(shell: Shell, pipeline: str = "") -> None:
    """Run a build that comes through by a retry: the first one of the folder."""
    (shell.folder / "toolkit.toml").write_text(CONFIGURATION.format(pipeline=pipeline))
    shell.script("fetch.sh", FETCH)
    (shell.folder / "source").write_text("content\n")
    (shell.folder / "flaky").touch()
    code, _, error = shell.run("run")
    assert (code, error) == (0, "")
    assert shell.json("status")["afterRetry"] is True


def test_a_clean_build_that_agrees(shell: Shell) -> None:
    """It begins a build of its own, by the command of the first one, and taints nothing; it is needed only once."""
    helped(shell)
    assert shell.run("run", "--verify-clean")[0] == 0

    record = shell.json("status")
    assert (record["build"], record["labels"]) == ("b-0002", {"verifies": "b-0001"})
    assert shell.json("phase", "show")["tainted"] == {}
    code, _, error = shell.run("run", "--verify-clean")
    assert (code, error.splitlines()[0]) == (
        4, "error: no build of image that a retry helped waits to be verified",
    )  # fmt: skip


def test_a_clean_build_that_disagrees_taints_the_rule(shell: Shell, tmp_path: Path) -> None:
    """Whoever asks for the phase, the reason or a recommendation hears of it, until a person trusts the rule again."""
    helped(shell)
    (tmp_path / "broken").touch()
    code, _, error = shell.run("run", "--verify-clean")
    assert code == 4
    assert error.startswith("toolkit: warning: build b-0001 came through by a retry, and this clean one disagrees: ")

    taint = shell.json("phase", "show")["tainted"]["mirror"]
    assert (taint["build"], taint["by"]) == ("b-0001", "b-0002")
    assert "mirror is tainted: it helped b-0001" in shell.run("phase", "show")[1]
    assert "mirror is tainted: it helped b-0001" in shell.run("why", "b-0001")[1]
    assert shell.run("phase", "trust", "mirror", "-m", "the source was gone")[0] == 0
    assert shell.json("phase", "show")["tainted"] == {}
    assert shell.run("phase", "trust", "mirror", "-m", "again")[0] == 6


def test_other_outputs_count_where_they_come_out_alike(shell: Shell, tmp_path: Path) -> None:
    """An output that differs is a disagreement only where other builds show that it is the same each time."""
    helped(shell)
    (tmp_path / "differs").touch()
    assert shell.run("run", "--verify-clean")[0] == 0
    assert shell.json("phase", "show")["tainted"] == {}
    (tmp_path / "differs").unlink()
    for _ in range(2):
        assert shell.run("run", "--build", "new", "--target", "other")[0] == 0

    assert [each["afterRetry"] for each in shell.json("builds")["builds"]] == [True, False, False, False]


@pytest.mark.parametrize(("share", "verifies"), [("1.0", True), ("0.0", False)])
def test_the_next_build_verifies_by_itself(shell: Shell, share: str, verifies: bool) -> None:
    """Where a share is configured, the next new build of the same is the clean one; nothing is built for its sake."""
    helped(shell, f"verify_clean = {share}")
    assert shell.run("run")[0] == 0

    assert shell.json("status")["labels"] == ({"verifies": "b-0001"} if verifies else {})


def test_which_builds_are_chosen() -> None:
    """The same ones however often one asks, about as many as the share says, and more with a larger one."""
    builds = [f"b-{number:04d}" for number in range(4000)]
    small = {each for each in builds if chosen(each, 0.05)}

    assert 120 < len(small) < 290
    assert small <= {each for each in builds if chosen(each, 0.2)}
    assert not any(chosen(each, 0.0) for each in builds)
    assert all(chosen(each, 1.0) for each in builds)
