"""What is asked wrongly is said to be wrong: names that nothing has, stores that are not there, two documents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.transcripts import Shell

if TYPE_CHECKING:
    from pathlib import Path

PROJECT = 'phase = "{phase}"\n[pipeline]\nname = "golden-image"\n[[states]]\ncode = 70\nname = "tests"\n'
MANUAL = 'strategy = "manual"\nrun = "exit 3"\n'


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """Give a project with one build that failed."""
    shell = Shell(tmp_path_factory.mktemp("project"))
    (shell.folder / "toolkit.toml").write_text(PROJECT.format(phase="track-only"))
    shell.run("run", "--", "sh", "-c", "echo ::state 5 started kickstart::; exit 3")
    return shell


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("report", "--pipeline", "golden"), "pipeline golden\nhint: There is golden-image.\n"),
        (("recommend", "--pipeline", "golden"), "pipeline golden\nhint: There is golden-image.\n"),
        (("phase", "preview", "3", "--pipeline", "golden"), "pipeline golden\nhint: There is golden-image.\n"),
        (("report", "--target", "web"), "target web\nhint: No build has one.\n"),
    ],
)
def test_what_no_build_is_of_is_not_found(recorded: Shell, asked: tuple[str, ...], said: str) -> None:
    """A mistyped pipeline or target is no lack of evidence: it is an error that names those there are."""
    assert recorded.run(*asked) == (4, "", f"error: no recorded build is of the {said}")


@pytest.mark.parametrize("command", ["builds", "status", "history", "why", "report", "export", "plan", "watch --once"])
def test_a_store_that_was_named_is_there(recorded: Shell, command: str) -> None:
    """To read from a mistyped store is an error, not an empty answer; nothing is made there."""
    code, out, error = recorded.run(*command.split(), "--store", "sqlite:///typo/h.db")
    assert (code, out) == (4, "")
    assert error.startswith(f"error: there is no store {recorded.folder}/typo/h.db\nhint: ")
    assert not (recorded.folder / "typo").exists()


def test_a_project_without_builds_has_none(tmp_path: Path) -> None:
    """Its own store, or one that the environment names for all, begins with the first build; before, there is none."""
    shell = Shell(tmp_path)
    assert shell.run("builds") == (0, "no builds\n", "")
    assert shell.run("builds", TOOLKIT_STORE="sqlite:///new.db") == (0, "no builds\n", "")


def test_a_query_gives_times_as_everything_does(recorded: Shell) -> None:
    """In JSON a moment is RFC 3339 in UTC with milliseconds, and so can be compared with any other."""
    (row,) = recorded.json("sql", "select started, cast('2026-03-01' as date) as day from builds")["rows"]
    assert row == {"started": recorded.json("builds")["builds"][0]["started"], "day": "2026-03-01"}


def test_stdout_takes_one_document(recorded: Shell) -> None:
    """Two would be neither; a file beside the one on stdout is fine."""
    for asked in (("--json", "--markdown", "-"), ("--html", "-", "--markdown", "-")):
        code, out, error = recorded.run("report", *asked)
        assert (code, out) == (2, "")
        assert error.startswith("error: stdout takes one document, and more are asked for\n")
    code, out, _ = recorded.run("report", "--json", "--markdown", "report.md")
    assert (code, json.loads(out)["outcomes"]["builds"]) == (0, 1)
    assert (recorded.folder / "report.md").read_text().startswith("#")


@pytest.mark.parametrize(
    ("phase", "said"),
    [("selective-retry", "toolkit run starts at the first state"), ("full-resume", "toolkit run too")],
)
def test_who_releases_hears_how_it_goes_on(tmp_path: Path, phase: str, said: str) -> None:
    """`resume` goes on at the state that was mended; what running it again does depends on the phase."""
    shell = Shell(tmp_path)
    (tmp_path / "toolkit.toml").write_text(PROJECT.format(phase=phase) + MANUAL)
    assert shell.run("run")[0] == 3
    assert shell.run("release") == (0, f"b-0001 is released; toolkit resume goes on at state 70, {said}\n", "")


def test_changes_of_phase_are_listed_in_words(recorded: Shell) -> None:
    """The table says yes where something was forced, and nothing where not."""
    recorded.run("phase", "set", "selective-retry", "--force")
    recorded.run("phase", "set", "track-only")
    lines = recorded.run("phase", "history")[1].splitlines()
    assert [" yes " in line for line in lines] == [False, True, False]
    assert "False" not in "\n".join(lines)


def test_one_of_a_thing_is_one(recorded: Shell) -> None:
    """Counts have their nouns in the right number."""
    assert "  1 ended build; it takes 30\n" in recorded.run("phase", "ready", "selective-retry")[1]
    assert "1 recorded failure of 1 kind that no rule knows" in recorded.run("classify", "--unmatched")[1]


def test_the_name_alone_tells_what_there_is(tmp_path: Path) -> None:
    """`toolkit` is no mistake but a question; `--version` has an answer, and a mistyped command the nearest ones."""
    shell = Shell(tmp_path)
    code, out, error = shell.run()
    assert (code, error) == (0, "")
    assert out == shell.run("--help")[1]
    assert shell.run("phase")[:2] == (0, shell.run("phase", "--help")[1])
    assert shell.run("--version")[1].startswith("toolkit ")
    assert shell.run("repot")[::2] == (
        2, "error: No such command 'repot'. Did you mean 'report', 'export'?\nhint: see `toolkit --help`\n",
    )  # fmt: skip


def test_options_stand_behind_their_command(shell: Shell) -> None:
    """Who gives a command's option before it is told where it belongs."""
    code, out, error = shell.run("--project", ".", "status")
    assert (code, out) == (2, "")
    assert error.endswith("\nhint: options stand behind the command, as in `toolkit status --json`\n")
