"""Builds that a retry helped, verified by clean ones."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
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


def project(shell: Shell, pipeline: str = "") -> None:
    """Lay the project out."""
    (shell.folder / "toolkit.toml").write_text(CONFIGURATION.format(pipeline=pipeline))
    shell.script("fetch.sh", FETCH)
    (shell.folder / "source").write_text("content\n")


def helped(shell: Shell, pipeline: str = "") -> None:
    """Run a build that comes through by a retry: the first one of the folder."""
    project(shell, pipeline)
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


def test_a_tainted_rule_waits_for_a_persons_word(shell: Shell, tmp_path: Path) -> None:
    """It does not retry the failure that it let through, until it is trusted again; who looks is told."""
    helped(shell)
    (tmp_path / "broken").touch()
    assert shell.run("run", "--verify-clean")[0] == 4
    (tmp_path / "broken").unlink()
    (tmp_path / "flaky").touch()
    assert shell.run("run", "--build", "new")[0] == 28
    told = "mirror is tainted for own.mirror in state 5: it helped b-0001, and the clean b-0002 disagrees"
    assert told in shell.run("why")[1]
    assert shell.json("doctor")["tainted"] == ["mirror"]
    assert "it does not retry own.mirror in state 5 until `toolkit phase trust mirror`" in shell.run("doctor")[1]

    assert shell.run("phase", "trust", "mirror", "-m", "the source was gone")[0] == 0
    (tmp_path / "flaky").touch()
    assert shell.run("run", "--build", "new")[0] == 0
    assert shell.json("doctor")["tainted"] == []


def test_other_outputs_taint_the_rule(shell: Shell, tmp_path: Path) -> None:
    """Two builds show that the output is the same each time: one that a retry helped, and that differs, is doubted."""
    project(shell)
    for _ in range(2):
        assert shell.run("run", "--build", "new")[0] == 0
    (tmp_path / "flaky").touch()
    (tmp_path / "differs").touch()
    assert shell.run("run", "--build", "new")[0] == 0
    (tmp_path / "differs").unlink()
    code, _, error = shell.run("run", "--verify-clean")

    assert (code, "disagrees: state 5 made something else in b-0004" in error) == (0, True), error
    assert shell.json("phase", "show")["tainted"]["mirror"]["build"] == "b-0003"


def test_what_is_tainted_is_not_recommended(shell: Shell, tmp_path: Path) -> None:
    """However well retries did on record: what a clean rebuild disagreed with is not advised again."""
    project(shell)
    (tmp_path / "history.jsonl").write_text("".join(_recovering(number) for number in range(60)))
    assert shell.run("import", "history.jsonl")[0] == 0
    assert "retry" in [rule["action"] for rule in shell.json("recommend")["states"][-1]["rules"]]
    (tmp_path / "flaky").touch()
    assert shell.run("run", "--build", "new")[0] == 0
    (tmp_path / "broken").touch()
    assert shell.run("run", "--verify-clean")[0] == 4
    advice = shell.json("recommend")["states"][-1]

    assert "retry" not in [rule["action"] for rule in advice["rules"] if "own.mirror" in rule["signatures"]]
    assert "was helped by one, and its clean rebuild" in advice["why"]


FAILURE = {
    "error": "mirror went away", "exit_code": 28, "class": "network", "signature": "own.mirror", "rule": "own.mirror",
}  # fmt: skip


def _recovering(number: int) -> str:
    """Write a build whose state 5 failed once, was tried again in place, and came through."""
    begun = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=number)
    words = [
        (1, "started", 1, 0), (1, "completed", 1, 40),
        (5, "started", 1, 40), (5, "failed", 1, 42), (5, "started", 2, 43), (5, "completed", 2, 46),
    ]  # fmt: skip
    lines = [
        {
            "build": f"old-{number}", "pipeline": "image", "run": 1, "state": state, "attempt": attempt,
            "status": status, "ts": (begun + timedelta(minutes=minutes)).isoformat(),
            **(FAILURE if status == "failed" else {}),
        }
        for state, status, attempt, minutes in words
    ]  # fmt: skip
    return "".join(json.dumps(line) + "\n" for line in lines)


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
