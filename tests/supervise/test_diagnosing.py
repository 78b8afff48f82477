"""What is said of a failure is its error, and helps to understand it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.transcripts import Shell

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Give an empty project folder to type in."""
    return Shell(tmp_path)


def failure(shell: Shell, script: str) -> dict[str, object]:
    """Run a script; gives the last failure at state 5 that `toolkit why` tells of."""
    assert shell.run("run", "--", shell.script("build.sh", f"#!/bin/sh\n{script}\n"))[0] != 0
    told: list[dict[str, object]] = [each for each in shell.json("why")["failures"] if each["state"] == 5]
    return told[-1]


def test_an_error_that_is_told_is_kept_and_understood(shell: Shell) -> None:
    """`toolkit state fail --error` says what went wrong; what happens to stand in the output beside it does not."""
    script = "toolkit state start 5\necho copying\ntoolkit state fail 5 --error '{}'\necho error: it all broke\nexit 4"

    found = failure(shell, script.format("HTTP 503 Service Unavailable from mirror"))
    assert (found["error"], found["class"]) == ("HTTP 503 Service Unavailable from mirror", "unavailable")
    assert failure(shell, script.format("the blue lamp is off"))["error"] == "the blue lamp is off"


def test_a_marker_is_nobodys_error(shell: Shell) -> None:
    """The reason in a marker is the error; a marker without one is none, whosever it is."""
    told = "echo '::state 5 started kick::'\necho '::state 5 failed{}::'\necho '::state 9 started::'\nexit 4"

    assert failure(shell, told.format(" - no mirror at all"))["error"] == "no mirror at all"
    assert failure(shell, told.format(""))["error"] == "the build said so"


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ("verify = 'echo it is broken; false'", "state 5: `echo it is broken; false` ended with 1: it is broken"),
        ("outputs = ['x.img']", "state 5 ended well, but its outputs are missing: x.img"),
    ],
)
def test_what_was_not_believed_is_said(shell: Shell, config: str, error: str) -> None:
    """A state that ended well and is not believed failed by what was found out, not by its last line of output."""
    states = f"[[states]]\ncode = 5\nname = 'a'\nrun = 'echo all fine'\n{config}\n"
    (shell.folder / "toolkit.toml").write_text(f"phase = 'full-resume'\n[pipeline]\nname = 'img'\n{states}")

    assert shell.run("run")[0] == 1
    assert shell.json("why")["failures"][0]["error"] == error
