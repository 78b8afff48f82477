"""`toolkit doctor`: what is not sound is said, and what multiplies behind one's back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.transcripts import Shell

RETRIED = """phase = "selective-retry"
[pipeline]
restarts = 1
[[states]]
code = 5
run = "curl --retry 4 -O https://mirror.example/image"
strategy = "expensive"
"""


def test_a_folder_without_anything_is_well(shell: Shell) -> None:
    """Neither a configuration nor a history is asked for before there is something to check."""
    assert shell.run("doctor") == (0, "all is well\n", "")


@pytest.mark.parametrize("phase", ["track-only", "selective-retry", "full-resume"])
def test_a_project_without_states_is_well_in_every_phase(shell: Shell, phase: str) -> None:
    """What `init` writes names no states and no rules, so there is nothing that could try again."""
    assert shell.run("init")[0] == 0
    assert shell.run("phase", "set", phase, "--force")[0] == 0
    assert shell.run("doctor") == (0, "all is well\n", "")


def test_the_store_is_checked_although_the_configuration_is_wrong(shell: Shell) -> None:
    """Both are told of at once; a store that is not sound weighs more."""
    (shell.folder / "toolkit.toml").write_text("phase = 'x'\n")
    assert shell.run("doctor")[0] == 3
    (shell.folder / ".toolkit").mkdir()
    (shell.folder / ".toolkit" / "history.db").write_text("no history\n" * 100)

    code, out, _ = shell.run("doctor")

    assert code == 5
    assert "is not a readable history" in out
    assert "toolkit.toml:1: phase" in out


def test_nested_retries_are_multiplied(shell: Shell) -> None:
    """Retries of the CI around us, of ours and of the tools inside are found, and what they come to is said."""
    (shell.folder / "toolkit.toml").write_text(RETRIED)
    (shell.folder / ".gitlab-ci.yml").write_text("image:\n  script: toolkit run\n  retry: 2\n")

    code, out, _ = shell.run("doctor")

    assert code == 0
    assert out.splitlines() == [
        "retries: run of state 5:1: curl --retry, 5 attempts",
        "retries: .gitlab-ci.yml:3: a CI job that is retried, 3 attempts",
        "retries: 3 around x 6 of ours x 5 inside = 90 attempts at the worst",
    ]
    assert shell.json("doctor")["retries"]["product"] == 90
