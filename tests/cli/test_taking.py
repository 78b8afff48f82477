"""Raw logs on their way into a history: understood like live output, and open about what they do not say."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.transcripts import Shell

FAILED = """\
::state 5 started kickstart::
curl: (28) Failed to connect to mirror.example port 80 after 30001 ms: Connection timed out
::state 5 failed - exit 28::
::state 5 started::
vmforge: E7713 broker handshake lost
"""


def test_failures_of_a_raw_log_are_understood(shell: Shell) -> None:
    """Built-in and own rules say of a log's failures what they would have said in a run."""
    rule = '[[rules]]\nid = "vmforge.broker"\nclass = "network"\nmatch = "E7713 broker handshake lost"\n'
    (shell.folder / "toolkit.toml").write_text(f'phase = "track-only"\n[pipeline]\nname = "image"\n{rule}')
    (shell.folder / "old.log").write_text(FAILED)

    assert shell.run("import", "old.log", "--exit-code", "70")[0] == 0

    told = [(each["class"], each["signature"]) for each in shell.json("why", "old")["failures"]]
    assert told == [("network", "net.timeout"), ("network", "vmforge.broker")]


def test_what_a_log_does_not_say_is_asked_for(shell: Shell) -> None:
    """Without an exit code and without times the import says what is missing, and not on stdout."""
    (shell.folder / "old.log").write_text("::state 5 started::\ninstalling\n")
    (shell.folder / "full.log").write_text(
        "2026-03-01T10:00:00Z hello\n::state 5 started::\n2026-03-01T10:00:40Z done\n::state 5 completed::\n"
    )

    code, out, error = shell.run("import", "old.log")

    assert (code, out) == (0, "1 build and 4 events are new, 0 events were known\n")
    assert [line.split(",")[0].split(":")[:2] for line in error.splitlines()] == [
        ["hint", " old.log does not say how the build ended"],
        ["hint", " old.log does not say when"],
    ]
    assert shell.run("import", "full.log")[2] == ""


def test_time_that_nobody_recorded_is_unknown_in_the_report(shell: Shell) -> None:
    """Without times in any log nothing is said to have cost nothing; beside others it is said what hours leave out."""
    (shell.folder / "old.log").write_text(FAILED)
    assert shell.run("import", "old.log", "--exit-code", "70")[0] == 0
    report = shell.json("report")

    assert report["headline"][0] == (
        "2 of 2 attempts failed; how long they took is not recorded, so what that cost is unknown."
    )
    (shell.folder / "full.log").write_text(
        "2026-03-01T10:00:00Z hello\n::state 5 started::\n2026-03-01T10:00:40Z full\n::state 5 failed - no disk::\n"
    )
    assert shell.run("import", "full.log", "--exit-code", "1")[0] == 0
    report = shell.json("report")

    assert report["headline"][0].startswith("Failures cost 40s of 40s machine time")
    assert (
        "How long 2 of 3 attempts took is not recorded: in sums of hours they count as nothing."
        in (report["quality"]["notes"])
    )


def test_two_logs_of_one_name_are_not_one_build(shell: Shell) -> None:
    """Logs are often all called `build.log`: neither is taken, and what to do is said."""
    for folder in ("one", "two"):
        (shell.folder / folder).mkdir()
        (shell.folder / folder / "build.log").write_text("::state 5 started::\n::state 5 completed::\n")

    code, _, error = shell.run("import", "one/build.log", "two/build.log")

    assert code == 2
    assert error.splitlines() == [
        "error: two/build.log and another of these logs would both be build build",
        "hint: Import each by itself, with --build ID.",
    ]
    assert shell.json("builds") == {"builds": []}
    assert shell.run("import", "one/build.log", "two/build.log", "--build", "b-1")[0] == 0


def test_a_proposal_says_how_to_go_on(shell: Shell) -> None:
    """Behind proposed states stands how the log itself is taken in; a log that suggests none is said to be so."""
    (shell.folder / "old.log").write_text(FAILED)
    (shell.folder / "mute.log").write_text("hello\n")

    assert shell.run("init", "--from-log", "old.log")[1].splitlines()[-1].startswith("`toolkit import old.log --exit-")
    assert shell.run("init", "--force", "--from-log", "mute.log")[1].splitlines()[1:] == [
        "no line of mute.log looks like the beginning of a state: write `marker` expressions of your own"
    ]
