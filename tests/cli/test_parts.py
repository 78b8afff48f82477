"""A part of a build: `--from`, `--through` and `--only`, for each way of telling states."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from tests.cli.kinds import KINDS, Build

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=KINDS)
def build(request: pytest.FixtureRequest, tmp_path: Path) -> Build:
    """A build of each kind, of which nothing has run."""
    return Build(tmp_path, request.param)


def test_a_failed_build_goes_on_at_its_failed_state(build: Build) -> None:
    """Whether one says `resume` or just runs it again, what completed is reused and the rest runs."""
    build.fails_at(20)
    (build.folder / "fail-40").touch()
    assert build.resume()[0] == 3
    assert build.ran() == [20, 40]
    (build.folder / "fail-40").unlink()

    assert build.run()[0] == 0
    assert build.ran() == [40, 100]
    record = build.shell.json("status")
    assert (record["build"], record["status"], record["runs"]) == ("b-0001", "completed", 3)
    assert build.shell.statuses("b-0001")[-6:-3] == [(5, "reused", None), (20, "reused", None), (40, "started", 2)]


def test_through(build: Build) -> None:
    """A build that was asked to stop behind a state ends well there, is unfinished, and is resumed behind it."""
    with build.waiting_at(40):
        code, _, error = build.run("--through", "20")
    assert (code, error if build.kind != "marked" else "") == (0, "")
    assert [each for each in build.ran() if each <= 20] == [5, 20]
    record = build.shell.json("status")
    assert (record["status"], record["currentState"] <= 40) == ("interrupted", True)
    assert "failed" not in {status for _, status, _ in build.shell.statuses("b-0001")}

    assert build.resume()[0] == 0
    assert build.ran() == [40, 100]
    assert build.shell.json("status")["status"] == "completed"


def test_from(build: Build) -> None:
    """A state that completed runs again when it is asked for, with all that follows, and nothing before it."""
    build.fails_at(100)

    assert build.actions("--from", "20") == {5: "reuse", 20: "run", 40: "run", 100: "run"}
    assert build.resume("--from", "20")[0] == 0
    assert build.ran() == [20, 40, 100]


def test_from_with_run(build: Build) -> None:
    """`run --from` goes on with the last build, whatever its phase."""
    build.phase = "track-only"
    build.configure()
    build.fails_at(100)

    more = ("--force",) if build.kind == "pipeline" else ()  # of a tracked `run` no fingerprint is kept
    assert build.run("--from", "40", *more)[0] == 0
    assert build.ran() == [40, 100]
    assert build.shell.json("status")["runs"] == 2


def test_only(build: Build) -> None:
    """One state runs and nothing else; what follows it is no longer what it was."""
    build.fails_at(100)

    with build.waiting_at(40):
        assert build.resume("--only", "20")[0] == 0
    assert [each for each in build.ran() if each <= 20] == [20]
    assert build.shell.json("status")["status"] == "interrupted"
    told = build.shell.json("plan")["states"]
    assert [each["action"] for each in told] == ["reuse", "reuse", "run", "run"]
    assert told[2]["why"].startswith(("state 20 before it ran since", "attempt 2 at it came later"))


def test_through_the_last_state(build: Build) -> None:
    """Asked to go through its last state, a build is complete."""
    assert build.run("--through", "100")[0] == 0
    assert build.shell.json("status")["status"] == "completed"


def test_nothing_left_before_the_end_that_was_asked_for(build: Build) -> None:
    """Where all up to there is complete, nothing runs, and nothing is wrong."""
    build.fails_at(40)

    assert build.resume("--through", "20")[0] == 0
    assert build.ran() == []
    assert build.shell.json("status")["status"] == "interrupted"


@pytest.mark.parametrize("options", [("--from", "20"), ("--only", "40")])
def test_what_lies_before_has_to_hold(build: Build, options: tuple[str, str]) -> None:
    """A part of a build that has not begun, or behind what changed, is refused before anything runs; --force may."""
    code, out, error = build.run(*options)
    assert (code, out, build.ran()) == (6, "", [])
    assert error.startswith(f"error: state 5 s5 before state {options[1]} cannot be reused: ")
    assert build.shell.json("builds")["builds"] == []

    (build.folder / "in-5").write_text("first\n")
    build.configure({5: 'inputs = ["in-5"]'})
    build.fails_at(100)
    (build.folder / "in-5").write_text("changed\n")
    assert build.resume(*options)[0] == 6
    assert build.ran() == []
    with nullcontext() if options[0] == "--from" else build.waiting_at(100):
        assert build.resume(*options, "--force")[0] == 0
    assert build.ran()[0] == int(options[1])
    assert "by force, although: inputs: in-5 changed" in build.shell.run("history")[1]


def test_nonsense_is_refused(build: Build) -> None:
    """Codes that are none, states that are not there, and ways backwards are told before anything runs."""
    assert build.run("--from", "base")[0] == 2
    assert build.run("--from", "40", "--through", "20")[0] == 2
    assert build.run("--only", "20", "--from", "20")[0] == 2
    assert build.run("--force")[0] == 2
    code, _, error = build.run("--through", "7")
    assert (code, error) == (4, "error: no state has the code 7\nhint: There are 5, 20, 40, 100.\n")
    assert build.ran() == []


def test_a_build_killed_behind_its_last_state_is_complete(build: Build) -> None:
    """When every state is complete and holds, there is nothing to run."""
    with build.waiting_at(100):
        assert build.run("--through", "40")[0] == 0
    assert build.resume("--only", "100")[0] == 0
    build.ran()

    assert build.shell.json("status")["status"] == "completed"
    assert build.resume()[0] == 4
