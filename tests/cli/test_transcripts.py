"""Whole conversations with the command line, as they stand in `transcripts/`: what is typed, what is answered.

A transcript is a text file. `== NAME` begins a file that is written before anything is typed; `$ COMMAND` is typed in
that folder, and what follows is what a person sees of it, stdout and stderr together; `[3]` is an exit code other than
0. The folder's own path is written `HERE`. After a change that is meant, write them anew and read what differs:

    TRANSCRIPTS=write ./dev test tests/cli/test_transcripts.py
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.transcripts import Shell

TRANSCRIPTS = sorted((Path(__file__).parent / "transcripts").glob("*.txt"))


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: path.stem)
def test_the_command_line_answers_as_written(shell: Shell, transcript: Path) -> None:
    """Each command of a transcript prints what stands below it, to the letter, and ends as it says."""
    written = transcript.read_text(encoding="utf-8")

    played = play(shell, written)

    if os.environ.get("TRANSCRIPTS") == "write":
        transcript.write_text(played, encoding="utf-8")
    assert played == written


def play(shell: Shell, written: str) -> str:
    """Give the transcript as it is with what the commands print now."""
    told: list[str] = []
    answering = False
    file: Path | None = None
    for line in written.splitlines():
        if line.startswith("== "):
            answering, file = False, shell.folder / line.removeprefix("== ")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("", encoding="utf-8")
            told += ["", line] if told else [line]
        elif line.startswith("$ "):
            answering, file = True, None
            told += ["", line] if told else [line]
            told += answer(shell, line.removeprefix("$ "))
        elif line.startswith("# ") and not answering and file is None:
            told.append(line)
        elif file is not None and (line or file.stat().st_size):
            with file.open("a", encoding="utf-8") as growing:
                growing.write(f"{line}\n")
            told.append(line)
    return "\n".join(line for place, line in enumerate(told) if line or told[place - 1]) + "\n"


def answer(shell: Shell, command: str) -> list[str]:
    ended = subprocess.run(
        ["/bin/sh", "-c", command], cwd=shell.folder, env=shell.environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False,
    )  # fmt: skip
    lines = ended.stdout.replace(str(shell.folder), "HERE").splitlines()
    return lines if ended.returncode == 0 else [*lines, f"[{ended.returncode}]"]
