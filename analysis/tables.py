"""The history's four tables, column by column: what every query, estimate and report may rely on."""

from __future__ import annotations

from typing import Final

import polars as pl

MOMENT: Final = pl.Datetime("ms", "UTC")

EVENTS: Final[dict[str, pl.DataType]] = {
    "build": pl.String(),
    "pipeline": pl.String(),
    "target": pl.String(),
    "run": pl.Int32(),
    "seq": pl.Int32(),  # numbers the lines of a build from 1
    "state": pl.Int32(),
    "name": pl.String(),
    "attempt": pl.Int32(),  # null for reused and skipped
    "status": pl.String(),  # started, completed, failed, interrupted, reused, skipped
    "ts": MOMENT,
    "error": pl.String(),
    "exit_code": pl.Int32(),
    "signal": pl.Int32(),
    "class": pl.String(),
    "group": pl.String(),
    "signature": pl.String(),
    "rule": pl.String(),
    "duration": pl.Float64(),  # seconds
    "host": pl.String(),
    "phase": pl.String(),
    "inputs": pl.String(),
    "decision": pl.String(),  # JSON: {action, reason, rule, wait, phase}
    "shadow": pl.String(),  # JSON: {phase: {action, reason, rule, gain_seconds}}
    "id": pl.Int64(),  # of the fact in the store, or the line of the file
}
"""One line per thing that happened to a state, in the interchange shape."""

ATTEMPTS: Final[dict[str, pl.DataType]] = {
    "build": pl.String(),
    "pipeline": pl.String(),
    "target": pl.String(),
    "run": pl.Int32(),
    "state": pl.Int32(),
    "name": pl.String(),
    "attempt": pl.Int32(),  # null for reused and skipped
    "status": pl.String(),  # completed, failed, interrupted, in_progress, reused, skipped
    "started": MOMENT,  # of an end without a beginning: the end less its duration
    "ended": MOMENT,  # null while in progress
    "duration": pl.Float64(),  # seconds
    "error": pl.String(),
    "exit_code": pl.Int32(),
    "signal": pl.Int32(),
    "class": pl.String(),
    "group": pl.String(),
    "signature": pl.String(),
    "rule": pl.String(),
    "template": pl.String(),
    "retry_after": pl.Float64(),  # seconds, as the other side asked
    "host": pl.String(),
    "phase": pl.String(),
    "inputs": pl.String(),
    "decision": pl.String(),  # JSON, as in EVENTS
    "shadow": pl.String(),  # JSON, as in EVENTS
    "evidence": pl.String(),  # JSON: [[line, text], …]
    "started_ord": pl.Int64(),  # orders what happened within a build; null where no line tells it
    "ended_ord": pl.Int64(),
    "started_id": pl.Int64(),  # of the facts in the store, or the lines of the file
    "ended_id": pl.Int64(),
}
"""One row per execution of a state, and per state that a run reused or a person skipped."""

RUNS: Final[dict[str, pl.DataType]] = {
    "build": pl.String(),
    "pipeline": pl.String(),
    "target": pl.String(),
    "run": pl.Int32(),
    "started": MOMENT,
    "ended": MOMENT,  # of a run in progress: the last thing known of it
    "outcome": pl.String(),  # completed, failed, interrupted, in_progress, pending
    "exit_code": pl.Int32(),
    "signal": pl.Int32(),
    "reason": pl.String(),  # first, start-over, resume
    "phase": pl.String(),
    "arm": pl.String(),  # new, old
    "host": pl.String(),
    "attempts": pl.Int32(),
    "failures": pl.Int32(),
}
"""One row per pass of a build's command."""

BUILDS: Final[dict[str, pl.DataType]] = {
    "build": pl.String(),
    "pipeline": pl.String(),
    "target": pl.String(),
    "status": pl.String(),  # completed, failed, interrupted, in_progress, pending
    "current": pl.Int32(),  # code of the state last touched
    "runs": pl.Int32(),
    "attempts": pl.Int32(),
    "failures": pl.Int32(),  # failed attempts
    "started": MOMENT,
    "ended": MOMENT,
    "first_run_only": pl.Boolean(),  # one run, whatever became of it
    "completed_after_retry": pl.Boolean(),  # completed, after a failed or interrupted attempt or run
    "held": pl.Boolean(),
    "abandoned": pl.Boolean(),
    "degraded": pl.Boolean(),  # recording was in trouble: there may be holes
    "phase": pl.String(),
    "arm": pl.String(),
    "labels": pl.String(),  # JSON: {name: value}
}
"""One row per build."""

TABLES: Final = {"events": EVENTS, "attempts": ATTEMPTS, "runs": RUNS, "builds": BUILDS}

ATTEMPT_LOSSES: Final[dict[str, pl.DataType]] = {
    "build_started": MOMENT,
    "seconds": pl.Float64(),  # how long it took, 0 where nothing tells
    "unmeasured": pl.Boolean(),
    "repeated": pl.Boolean(),  # its state had completed in an earlier run of the build
    "charged": pl.Int32(),  # the state that is to blame for what was lost in it
    "lost": pl.Float64(),  # seconds
    "first_here": pl.Boolean(),  # of the build at its state
    "passed_here": pl.Boolean(),  # of the first: whether the build got past the state
    "failure_class": pl.String(),  # of a failure, found from its message where nobody said
    "failure_signature": pl.String(),
    "first_of_kind": pl.Boolean(),  # of the build's failures with this signature
}
"""What a report adds up, told of each attempt when it is mirrored: `sql/losses.sql`."""

BUILD_LOSSES: Final[dict[str, pl.DataType]] = {
    "first_green": pl.Boolean(),
    "first_ended": pl.Boolean(),
    "bad_runs": pl.Int32(),
    "green_at": MOMENT,
    "start_overs": pl.Int32(),
    "waited": pl.Float64(),  # seconds between a bad run and the next
    "executed": pl.Int32(),
    "failed": pl.Int32(),
    "interrupted": pl.Int32(),
    "unmeasured": pl.Int32(),
    "seconds": pl.Float64(),
    "failed_seconds": pl.Float64(),
    "repeated_seconds": pl.Float64(),
    "interrupted_seconds": pl.Float64(),
    "lost": pl.Float64(),
    "hosts": pl.List(pl.String()),
    "classes": pl.List(pl.String()),
    "signatures": pl.List(pl.String()),
    "failed_states": pl.List(pl.Int32()),
}
"""The same of each build."""

COSTED: Final = {"attempts": {**ATTEMPTS, **ATTEMPT_LOSSES}, "builds": {**BUILDS, **BUILD_LOSSES}}
"""All that is mirrored of attempts and builds."""
