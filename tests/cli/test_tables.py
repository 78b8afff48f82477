"""A table is as wide as its content, but a terminal's width bounds its last column."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.transcripts import Shell

SAID = "the broker on builder1 lost its handshake, and nobody had looked at https://wiki.example/a-very-long-address"


@pytest.fixture
def recorded(shell: Shell) -> Shell:
    """Give a project whose build failed with a long line."""
    told = {"build": "b-7", "state": 5, "name": "kickstart", "run": 1, "attempt": 1, "status": "failed"}
    (shell.folder / "old.jsonl").write_text(json.dumps({**told, "ts": "2026-03-01T10:15:00Z", "error": SAID}) + "\n")
    assert shell.run("import", "old.jsonl")[0] == 0
    return shell


def in_terminal(shell: Shell, columns: int, *words: str) -> list[str]:
    """Type a command in a terminal so wide; gives the lines that it shows."""
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "toolkit", *words], cwd=shell.folder, stdout=theirs,
        env={**shell.environment, "COLUMNS": str(columns)},
    ):  # fmt: skip
        os.close(theirs)
        shown = b""
        while piece := _read(ours):
            shown += piece
    os.close(ours)
    return shown.decode().splitlines()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when the last writer is gone
        return b""


def test_a_long_last_column_goes_on_below_itself(recorded: Shell) -> None:
    """In eighty columns the words stand under each other, none is lost, and an address stays whole."""
    lines = in_terminal(recorded, 80, "status", "b-7")
    start = next(line.index("WHAT") for line in lines if "WHAT" in line)
    told = [line[start:] for line in lines if line[start - 1 : start] == " " and "WHAT" not in line]

    assert len(told) > 1
    assert " ".join(told) == SAID
    assert [line for line in lines if len(line) > 80] == [f"{' ' * start}https://wiki.example/a-very-long-address"]


def test_elsewhere_a_row_is_a_line(recorded: Shell) -> None:
    """What is not a terminal gets each row whole, and so does a terminal that has no room for the column."""
    assert f"  {SAID}\n" in recorded.run("status", "b-7")[1]
    assert any(line.endswith(SAID) for line in in_terminal(recorded, 60, "status", "b-7"))
