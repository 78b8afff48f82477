"""A log that a build left behind tells its states by the markers in it."""

from __future__ import annotations

import io
from typing import Any

import pytest

from toolkit.core import events as ev
from toolkit.core.failure import Classifier
from toolkit.core.moments import rfc3339
from toolkit.core.pipeline import StateConfig
from toolkit.core.progress import fold
from toolkit.errors import BadInput
from toolkit.importers.rawlog import read_log

WRITTEN = 1_772_000_000_000
STATES = (
    StateConfig(code=5, name="kickstart", marker="^Starting install"),
    StateConfig(code=10, name="base", marker="PLAY .Base"),
)


def facts(log: str, **more: Any) -> list[ev.Event]:
    build, told = read_log(io.BytesIO(log.encode()), "build.log", build="b-1", written_ms=WRITTEN, **more)
    assert build == "b-1"
    return list(told)


def told(log: str, **more: Any) -> list[tuple[int, str, str | None]]:
    return [(each.state, each.status, each.error) for each in fold(facts(log, **more)).attempts]


def test_the_next_marker_completes_the_state_before_it() -> None:
    """A configured marker starts its state; how the build ended says how its last state did."""
    log = "Starting install, retrieving file\nok\nPLAY [Base] ***\nfatal: mirror gone\n"

    assert told(log, states=STATES, exit_code=0) == [(5, "completed", None), (10, "completed", None)]
    assert told(log, states=STATES, exit_code=2) == [(5, "completed", None), (10, "failed", None)]


def test_a_log_that_just_ends_is_not_judged() -> None:
    """Nobody knows how the build ended, so its last state was interrupted, never failed."""
    assert told("Starting install\n", states=STATES) == [(5, "interrupted", None)]


def test_a_build_that_was_interrupted_by_hand_did_not_fail() -> None:
    """Exit code 130 is Ctrl-C: what it cut short is no failure."""
    assert told("Starting install\n", states=STATES, exit_code=130) == [(5, "interrupted", None)]


@pytest.mark.parametrize("reason", ["exit 137", "exit code 137", "exited with status 137", "exit=137, at step 3"])
def test_a_marker_may_name_the_exit_code(reason: str) -> None:
    """An exit code in the marker's reason is the attempt's, and helps to understand it."""
    log = f"::state 5 started kickstart::\nunpacking\n::state 5 failed kickstart - {reason}::\n"
    (attempt,) = fold(facts(log, classifier=Classifier())).attempts

    assert (attempt.exit_code, attempt.failure_class, attempt.error) == (137, "killed", reason)


def test_built_in_markers_say_it_all() -> None:
    """A script that prints its own markers needs no configuration."""
    log = (
        "::state 5 started kickstart::\n::state 5 failed - Network timeout::\n"
        "::state 5 started kickstart::\n::state 5 completed::\n"
    )
    progress = fold(facts(log))

    assert [(each.attempt, each.status, each.error) for each in progress.attempts] == [
        (1, "failed", "Network timeout"), (2, "completed", None),
    ]  # fmt: skip
    assert progress.names == {5: "kickstart"}


def test_times_come_from_the_lines() -> None:
    """Stamps at the beginning of lines date what happened between them."""
    log = (
        "[2026-03-01T10:00:00Z] hello\n::state 5 started::\n[2026-03-01T10:00:40Z] done\n::state 5 completed::\n"
        "2026-03-01 10:01:00,500 more\n::state 10 started::\n2026-03-01 10:02:00 bye\n::state 10 failed::\n"
    )
    attempts = fold(facts(log)).attempts

    assert [(rfc3339(each.started_ms or 0)[11:19], each.duration) for each in attempts] == [
        ("10:00:00", 40.0),
        ("10:01:00", 59.5),
    ]


def test_a_log_without_times_happened_when_it_was_written() -> None:
    """Durations that nobody knows are not invented: all is dated by the file."""
    assert {fact.ts_ms for fact in facts("::state 5 started::\nx\n::state 5 failed::\n")} == {WRITTEN}


def test_failures_are_understood_from_their_own_output() -> None:
    """A failed state's own lines, not its neighbours', say what went wrong."""
    log = (
        "::state 5 started::\ncurl: (28) Connection timed out after 30001 milliseconds\n::state 5 failed::\n"
        "::state 5 started::\nfine\n::state 5 completed::\n"
        "::state 10 started::\nE: You must be root\n::state 10 failed::\n"
    )
    first, second = [fact for fact in facts(log, classifier=Classifier()) if isinstance(fact, ev.FailureDiagnosed)]

    assert first.failure_class == "network"
    assert "timed out" in first.evidence[0][1]
    assert second.state == 10
    assert all("timed out" not in text for _, text in second.evidence)


def test_a_log_without_markers_is_refused() -> None:
    """There is nothing to import, and the hint says how to come by markers."""
    with pytest.raises(BadInput, match="no state marker") as refused:
        facts("hello\n")

    assert "--from-log" in refused.value.hint
