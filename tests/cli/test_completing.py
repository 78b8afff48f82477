"""After TAB a shell offers what there is: commands, builds, states, phases, pipelines and targets of this project."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.transcripts import Shell

PROJECT = '[pipeline]\nname = "golden-image"\n[[states]]\ncode = 5\nname = "kickstart"\n[[states]]\ncode = 50\n'


def offered(shell: Shell, line: str) -> list[str]:
    """Press TAB at the end of a line in a bash that has the completion script; gives what it would show."""
    words = line.split(" ")
    typed = " ".join(f"'{word}'" for word in words)
    script = f"""
        eval "$(toolkit --show-completion)"
        COMP_WORDS=({typed}) COMP_CWORD={len(words) - 1}
        _toolkit_completion toolkit
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    ended = subprocess.run(
        ["bash", "-c", script],
        cwd=shell.folder, env=shell.environment, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert ended.stderr == ""
    return ended.stdout.split()


@pytest.fixture
def recorded(shell: Shell) -> Shell:
    """Give a project with two builds."""
    (shell.folder / "toolkit.toml").write_text(PROJECT)
    assert shell.run("run", "--target", "web", "--", "false")[0] == 1
    assert shell.run("run", "--target", "db", "--", "true")[0] == 0
    return shell


def test_offers(recorded: Shell) -> None:
    """Builds come newest first, states from toolkit.toml; what is typed already narrows the offer."""
    assert offered(recorded, "toolkit stat") == ["state", "status"]
    assert offered(recorded, "toolkit why b") == ["b-0002", "b-0001"]
    assert offered(recorded, "toolkit logs b-0001 --state 5") == ["5", "50"]
    assert offered(recorded, "toolkit phase set f") == ["full-resume"]
    assert offered(recorded, "toolkit report --pipeline ") == ["golden-image"]
    assert offered(recorded, "toolkit run --target w") == ["web"]


def test_nothing_to_offer_is_no_error(shell: Shell) -> None:
    """Without a history, or with a broken toolkit.toml, TAB stays silent: the command itself will say what is wrong."""
    assert offered(shell, "toolkit why b") == []
    (shell.folder / "toolkit.toml").write_text("[[[")
    assert offered(shell, "toolkit logs --state 5") == []
    assert not (shell.folder / ".toolkit").exists()
