"""`toolkit phase`: the change of phase, judged, written and remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.transcripts import Shell

FILE = """# our image
phase = "track-only"   # for now

[[states]]
code = 5
strategy = "expensive"
"""


def test_moving_up_asks_for_evidence(shell: Shell) -> None:
    """Without recorded builds the phase is not changed; `--force` does it and is remembered, comments are kept."""
    (shell.folder / "toolkit.toml").write_text(FILE)
    code, _, error = shell.run("phase", "set", "selective-retry")
    assert code == 6
    assert "not ready" in error
    assert (shell.folder / "toolkit.toml").read_text() == FILE
    assert shell.run("phase", "set", "2", "--force", "-m", "trying it")[0] == 0
    assert (shell.folder / "toolkit.toml").read_text() == FILE.replace("track-only", "selective-retry")
    shown = shell.json("phase", "show")
    assert (shown["phase"], shown["why"]) == ("selective-retry", "trying it")
    changes = shell.json("phase", "history")["changes"]
    assert [(each["before"], each["phase"], each["forced"]) for each in changes] == [
        ("track-only", "selective-retry", True)
    ]
    assert shell.run("phase", "rollback")[0] == 0
    assert shell.json("phase", "show")["phase"] == "track-only"


def test_single_states_may_go_ahead(shell: Shell) -> None:
    """A phase can be set for some states only."""
    (shell.folder / "toolkit.toml").write_text(FILE)
    assert shell.run("phase", "set", "selective-retry", "--states", "5,20-30", "--force")[0] == 0
    shown = shell.json("phase", "show")
    assert shown["phase"] == "track-only"
    assert list(shown["states"].values()) == ["selective-retry"]


def test_which_rule_would_answer(shell: Shell) -> None:
    """`phase explain` shows what each phase would do about a failure, and why."""
    (shell.folder / "toolkit.toml").write_text(FILE)
    out = shell.run("phase", "explain", "--state", "5", "--failure", "net.timeout")[1]
    lines = [line.split()[:3] for line in out.splitlines()]
    assert lines[0][:3] == ["*", "track-only", "stop"]
    assert lines[1][:2] == ["selective-retry", "retry"]
