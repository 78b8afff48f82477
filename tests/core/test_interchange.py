"""Facts in the shapes that the world outside relies on."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given

from tests.histories import (
    BUILD,
    T0,
    completes,
    decides,
    ends,
    fails,
    histories,
    history,
    interrupts,
    restarts,
    reuses,
    skips,
    starts,
)  # fmt: skip
from toolkit.core import events as ev
from toolkit.core.interchange import build_record, interchange
from toolkit.core.moments import parse_rfc3339
from toolkit.core.progress import fold

KNOWN = {
    "schema", "build", "pipeline", "target", "run", "seq", "state", "name", "attempt", "status", "ts", "error",
    "exit_code", "signal", "class", "signature", "rule", "duration", "host", "phase", "inputs", "decision", "shadow",
}  # fmt: skip
SUPERVISED = "builder1/boot/1/2"


def lines(events: list[ev.Event]) -> list[dict[str, Any]]:
    return list(interchange(events))


@given(histories())
def test_every_line_has_what_an_import_requires(events: list[ev.Event]) -> None:
    """Build, state, status and time are in every line; nothing is null, and nothing is there that nobody agreed on."""
    for line in lines(events):
        assert {"build", "state", "status", "ts"} <= line.keys() <= KNOWN
        assert None not in line.values()
        assert line["status"] in {"started", "completed", "failed", "interrupted", "reused", "skipped"}
        assert parse_rfc3339(line["ts"]) >= T0
        assert json.loads(json.dumps(line)) == line


@given(histories())
def test_lines_are_numbered_in_order(events: list[ev.Event]) -> None:
    """`seq` counts a build's lines from 1 without gaps."""
    assert [line["seq"] for line in lines(events)] == list(range(1, len(lines(events)) + 1))


@given(histories())
def test_attempts_that_a_run_left_open_come_out_interrupted(events: list[ev.Event]) -> None:
    """A supervised run that is over leaves nothing started without an end."""
    progress = fold(events)
    if not progress.run_open:
        return
    last = ev.RunEnded(build=progress.build, ts_ms=events[-1].ts_ms, run=progress.run, outcome="failed")
    ended = {(line["state"], line.get("attempt")) for line in lines([*events, last]) if line["status"] != "started"}

    assert {(each.state, each.attempt) for each in progress.open_attempts()} <= ended


def test_the_line_of_a_failure() -> None:
    """The contract's own example: one failed attempt, with everything known about it."""
    started, failed = lines(history(fails(5, "net.timeout", "Network timeout", exit_code=28, name="kickstart")))

    assert started["status"] == "started"
    assert failed == {
        "schema": 1, "build": "b-0001", "pipeline": "golden-image", "run": 1, "seq": 2, "state": 5, "name": "kickstart",
        "attempt": 1, "status": "failed", "ts": "2026-03-01T10:01:00.000Z", "error": "Network timeout", "exit_code": 28,
        "class": "network", "signature": "net.timeout", "rule": "net.timeout", "duration": 60.0, "host": "builder1",
        "phase": "track-only",
    }  # fmt: skip


def test_what_was_decided_stands_in_the_line_of_the_failure() -> None:
    """Decision and shadow decisions come later than the failure and are told with it."""
    failed = lines(history(fails(5, "net.timeout"), decides(5, "retry", wait=30.0)))[1]

    assert failed["decision"] == {"action": "retry", "reason": "so it was decided", "wait": 30.0, "phase": "track-only"}


def test_every_kind_of_end_has_its_word() -> None:
    """Completed, failed, interrupted, reused, skipped: each is told as what it was."""
    told = lines(
        history(completes(5), interrupts(10, "cancelled"), fails(10), restarts("resume"), reuses(5), skips(10))
    )

    assert [line["status"] for line in told] == [
        "started", "completed", "started", "interrupted", "started", "failed", "reused", "skipped",
    ]  # fmt: skip
    assert told[3]["error"] == "cancelled"


def test_an_open_attempt_is_interrupted_by_the_end_of_its_run() -> None:
    """The machine rebooted: the attempt was never a failure."""
    told = lines(history(starts(5), ends("interrupted"), holder=SUPERVISED))

    assert [line["status"] for line in told] == ["started", "interrupted"]


def test_facts_about_the_project_are_no_builds_lines() -> None:
    """A change of phase is nobody's attempt."""
    assert lines([ev.PhaseChanged(build=ev.PROJECT, ts_ms=T0, phase="full-resume", by="ann")]) == []
    assert lines([]) == []


def test_the_build_record_has_the_design_documents_shape() -> None:
    """`currentState`, `status` and `stateHistory`, as the document draws them."""
    record = build_record(fold(history(fails(5, error="Network timeout"), starts(5), phase="selective-retry")))

    assert record["build"] == BUILD
    assert (record["currentState"], record["status"], record["phase"]) == (5, "in_progress", "selective-retry")
    assert record["stateHistory"] == [
        {"state": 5, "status": "started", "timestamp": "2026-03-01T10:00:00.000Z", "attempt": 1},
        {
            "state": 5,
            "status": "failed",
            "error": "Network timeout",
            "timestamp": "2026-03-01T10:01:00.000Z",
            "attempt": 1,
        },
        {"state": 5, "status": "started", "timestamp": "2026-03-01T10:01:00.000Z", "attempt": 2},
    ]


def test_a_record_tells_what_was_found_out() -> None:
    """A failure's error in the record is the line that its diagnosis found, as it is in the history."""
    told = history(fails(5, error="exit code 28"))
    told.append(
        ev.FailureDiagnosed(
            build=BUILD, ts_ms=T0, run=1, state=5, attempt=1, failure_class="network", signature="net.timeout",
            error="Connection timed out",
        )
    )  # fmt: skip

    assert build_record(fold(told))["stateHistory"][-1]["error"] == "Connection timed out"
    assert lines(told)[-1]["error"] == "Connection timed out"


@given(histories())
def test_every_build_has_a_record(events: list[ev.Event]) -> None:
    """Whatever happened to it, a build's record can be written as JSON and read back."""
    record = build_record(fold(events))

    assert json.loads(json.dumps(record)) == record
    assert record["runs"] >= 1
