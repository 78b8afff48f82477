"""Facts in the shapes that the world outside relies on: interchange events, and the build record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit.core import events as ev
from toolkit.core.fingerprints import id_of
from toolkit.core.moments import rfc3339
from toolkit.core.progress import Attempt, Progress, fold
from toolkit.core.provenance import after_retry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STATUS_OF = {
    ev.AttemptStarted: "started",
    ev.AttemptCompleted: "completed",
    ev.AttemptFailed: "failed",
    ev.AttemptInterrupted: "interrupted",
    ev.StateReused: "reused",
    ev.StateSkipped: "skipped",
}


def interchange(events: Iterable[ev.Event]) -> Iterator[dict[str, Any]]:
    """Give one build's events as interchange events, one per thing that happened to a state.

    What was found out about a failure afterwards (its class, the decision, the shadow decisions) stands in the line of
    the failure. Attempts that a run left open when it ended come out as `interrupted`. Fields that are unknown are left
    out; `seq` numbers the lines of the build from 1.
    """
    kept = tuple(events)
    if not kept or kept[0].build == ev.PROJECT:
        return
    progress = fold(kept)
    attempts = {(each.state, each.attempt): each for each in progress.attempts}
    told: set[tuple[int, int]] = set()
    lines: list[tuple[int, dict[str, Any]]] = []
    for event in kept:
        if isinstance(event, ev.RunEnded):
            lines.extend(_cut_short(progress, attempts, told, event))
        if not isinstance(event, tuple(STATUS_OF)) or not isinstance(event, ev.StateEvent):
            continue
        number = getattr(event, "attempt", None)
        attempt = attempts.get((event.state, number)) if number is not None else None
        status = STATUS_OF[type(event)]
        if attempt is not None and status != "started":
            told.add((attempt.state, attempt.attempt))
        lines.append((event.ts_ms, _line(progress, event, status, attempt)))
    for seq, (_, line) in enumerate(lines, start=1):
        yield {key: value for key, value in {**line, "seq": seq}.items() if value is not None}


def _cut_short(
    progress: Progress, attempts: dict[tuple[int, int], Attempt], told: set[tuple[int, int]], end: ev.RunEnded
) -> Iterator[tuple[int, dict[str, Any]]]:
    for key, attempt in attempts.items():
        if (
            attempt.run == end.run
            and attempt.status == "interrupted"
            and attempt.ended_ms == end.ts_ms
            and key not in told
        ):
            told.add(key)
            fact = ev.AttemptInterrupted(
                build=end.build, ts_ms=end.ts_ms, run=end.run, state=attempt.state, attempt=attempt.attempt
            )
            yield end.ts_ms, _line(progress, fact, "interrupted", attempt)


def _line(progress: Progress, event: ev.StateEvent, status: str, attempt: Attempt | None) -> dict[str, Any]:
    line: dict[str, Any] = {
        "schema": ev.SCHEMA, "build": event.build, "pipeline": progress.pipeline, "target": progress.target,
        "run": event.run, "state": event.state, "name": event.name or progress.names.get(event.state),
        "attempt": getattr(event, "attempt", None), "status": status, "ts": rfc3339(event.ts_ms),
    }  # fmt: skip
    if attempt is not None:
        line |= {"host": attempt.host, "phase": attempt.phase, "inputs": id_of(attempt.inputs)}
        if status != "started":
            line["duration"] = attempt.duration
        if status == "failed":
            line |= {
                "error": attempt.error, "exit_code": attempt.exit_code, "signal": attempt.signal,
                "class": attempt.failure_class, "signature": attempt.signature, "rule": attempt.rule,
            }  # fmt: skip
            if attempt.decision is not None:
                line |= decision_shape(attempt.decision)
    if reason := getattr(event, "reason", None):
        line["error"] = reason
    return line


def decision_shape(decided: ev.Decided) -> dict[str, Any]:
    """Give a decision as the `decision` and `shadow` fields of an interchange event."""
    decision = {
        "action": decided.action, "reason": decided.reason, "rule": decided.rule, "wait": decided.wait,
        "phase": decided.phase,
    }  # fmt: skip
    shadow = {phase: dict(what) for phase, what in decided.shadow.items()} or None
    return {"decision": {key: value for key, value in decision.items() if value is not None}, "shadow": shadow}


def build_record(progress: Progress) -> dict[str, Any]:
    """Give a build in the design document's shape: `currentState`, `status`, `stateHistory` and more."""
    errors = {(each.state, each.attempt): each.error for each in progress.attempts if each.status == "failed"}
    history = []
    for entry in progress.history:
        line = {key: value for key, value in entry.items() if key != "ts_ms"}
        if entry["status"] == "failed" and (error := errors.get((entry["state"], entry["attempt"]))):
            line["error"] = error  # what was found out about it, as everywhere else
        line["timestamp"] = rfc3339(entry["ts_ms"])
        history.append(line)
    return {
        "build": progress.build, "pipeline": progress.pipeline, "target": progress.target,
        "labels": dict(progress.labels), "currentState": progress.current, "status": progress.status,
        "phase": progress.phase, "held": progress.held, "abandoned": progress.abandoned, "degraded": progress.degraded,
        "afterRetry": after_retry(progress),
        "runs": progress.run, "exitCode": progress.exit_code, "signal": progress.signal,
        "started": None if progress.started_ms is None else rfc3339(progress.started_ms),
        "updated": None if progress.updated_ms is None else rfc3339(progress.updated_ms),
        "stateHistory": history,
    }  # fmt: skip
