"""Where a build stands: the fold of its events, and the written table of what may follow what.

`apply` is total. A fact that it does not know, or that the table does not allow, changes nothing, so a damaged or newer
history still folds to something true.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from toolkit.core import events as ev
from toolkit.core.codes import StateCode
from toolkit.core.values import NOTHING, Value

Status = Literal["pending", "in_progress", "completed", "failed"]

LEGAL: dict[tuple[str, str], Status] = {
    # status of the state   fact                      -> status afterwards
    ("pending", "attempt_started"): "in_progress",
    ("pending", "state_reused"): "completed",
    ("pending", "state_skipped"): "completed",
    ("in_progress", "attempt_started"): "in_progress",  # the same state twice at once: steps in the background
    ("in_progress", "attempt_completed"): "completed",
    ("in_progress", "attempt_failed"): "failed",
    ("in_progress", "attempt_interrupted"): "pending",
    ("failed", "attempt_started"): "in_progress",
    ("failed", "state_skipped"): "completed",
    ("failed", "attempt_completed"): "completed",  # two at once, the other one came through
    ("failed", "attempt_failed"): "failed",
    ("failed", "attempt_interrupted"): "failed",
    ("pending", "attempt_completed"): "completed",
    ("pending", "attempt_failed"): "failed",
    ("pending", "attempt_interrupted"): "pending",
    ("completed", "attempt_completed"): "completed",
    ("completed", "attempt_failed"): "failed",
    ("completed", "attempt_interrupted"): "completed",
    ("completed", "state_reset"): "pending",
    ("failed", "state_reset"): "pending",
}
"""What may follow what within one run. `attempt_started` on a completed state is not here: only `state_reset`, or a new
run, makes it runnable. The attempts that end while their state is not `in_progress` are the others of several at once;
that each attempt ends only once is kept by `Attempt.status`."""


class Attempt(Value):
    """One execution of one state. Durations in seconds, times in milliseconds since 1970 (UTC)."""

    state: StateCode
    name: str | None = None
    run: int = 1
    attempt: int
    status: Literal["in_progress", "completed", "failed", "interrupted"] = "in_progress"
    started_ms: int | None = None
    ended_ms: int | None = None
    duration: float | None = None
    phase: str | None = None
    host: str | None = None
    inputs: str | None = None
    why: str | None = None
    outputs: str | None = None
    error: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    failure_class: str | None = None
    signature: str | None = None
    rule: str | None = None
    confidence: float | None = None
    template: str | None = None
    retry_after: float | None = None
    evidence: tuple[tuple[int, str], ...] = ()
    decision: ev.Decided | None = None


class Progress(Value):
    """A build as its events leave it."""

    build: str
    pipeline: str | None = None
    target: str | None = None
    labels: Mapping[str, str] = NOTHING
    phase: str | None = None
    arm: str | None = None
    run: int = 0
    run_open: bool = False
    """A supervisor has this run in hand; imported runs never are."""
    run_outcome: str | None = None
    run_started_ms: int | None = None
    holder: str | None = None
    lease: float | None = None
    """Seconds for which the holder's last sign of life counts; None when it took no lease."""
    exit_code: int | None = None
    signal: int | None = None
    states: Mapping[StateCode, Status] = NOTHING
    """Status of each state in the present run."""
    names: Mapping[StateCode, str] = NOTHING
    attempts: tuple[Attempt, ...] = ()
    """All attempts, in the order in which they started."""
    counts: Mapping[StateCode, int] = NOTHING
    """The number of the last attempt at each state."""
    opened: tuple[int, ...] = ()
    """Places, in `attempts`, of those that have begun and not ended."""
    outputs: Mapping[StateCode, Mapping[str, str]] = NOTHING
    completions: Mapping[StateCode, Attempt] = NOTHING
    """The last completed attempt of each state, in whichever run."""
    skips: Mapping[StateCode, ev.StateSkipped] = NOTHING
    """States that a person declared done by hand, and that were not attempted since."""
    spoilt: Mapping[StateCode, str] = NOTHING
    """Completed states whose checkpoint did not come back: what they made is lost, for this reason."""
    current: StateCode | None = None
    history: tuple[Mapping[str, Any], ...] = ()
    """What happened to states, in the shape of the build record's `stateHistory`."""
    held: bool = False
    hold: ev.BuildHeld | None = None
    released: ev.BuildReleased | None = None
    abandoned: bool = False
    degraded: bool = False
    started_ms: int | None = None
    updated_ms: int | None = None

    @property
    def status(self) -> str:
        """`pending`, `in_progress`, `completed`, `failed` or `interrupted`: the build as a whole."""
        last = self.states.get(self.current) if self.current is not None else None
        if self.run_open:
            return "in_progress"
        if self.run_outcome == "interrupted":
            return "interrupted"
        if self.run_outcome is not None:
            return "failed" if last == "failed" else self.run_outcome
        if last != "in_progress" and "failed" in self.states.values():
            return "failed"  # told by others, whose clean-up steps may come after the failed one
        if last == "pending" and self.attempts and self.attempts[-1].status == "interrupted":
            return "interrupted"
        return last or "pending"

    def next_attempt(self, state: StateCode) -> int:
        """Number the next attempt at a state: counted per build, never reset by a restart."""
        return 1 + self.counts.get(state, 0)

    def open_attempts(self) -> tuple[Attempt, ...]:
        """Give the attempts that have begun and not ended."""
        return tuple(self.attempts[place] for place in self.opened)

    def attempts_at(self, state: StateCode) -> tuple[Attempt, ...]:
        """Give the attempts at one state, first to last."""
        return tuple(each for each in self.attempts if each.state == state)


def fold(events: Iterable[ev.Event], progress: Progress | None = None) -> Progress:
    """Fold a build's events, in order, from the beginning or from `progress`; ValueError when there is none."""
    for event in events:
        progress = apply(progress if progress is not None else Progress(build=event.build), event)
    if progress is None:
        raise ValueError("no events: a build that never began has no progress")
    return progress


def apply(progress: Progress, event: ev.Event) -> Progress:
    """Give the progress after one more fact; one that is unknown or not allowed changes nothing."""
    handler = _HANDLERS.get(type(event))
    if handler is None or event.build != progress.build:
        return progress
    changes = handler(progress, event)
    if changes is None:
        return progress
    started = event.ts_ms if progress.started_ms is None else progress.started_ms
    return progress.but(**{"started_ms": started, "updated_ms": max(event.ts_ms, progress.updated_ms or 0), **changes})


Changes = dict[str, Any] | None


def _build_begun(_: Progress, event: ev.BuildBegun) -> Changes:
    return {"pipeline": event.pipeline, "target": event.target, "labels": event.labels}


def _run_started(progress: Progress, event: ev.RunStarted) -> Changes:
    if event.run <= progress.run:
        return None
    return {
        **_close(progress, event.ts_ms),
        "run": event.run, "run_open": event.holder is not None, "run_outcome": None, "run_started_ms": event.ts_ms,
        "holder": event.holder, "lease": event.lease,
        "exit_code": None, "signal": None, "phase": event.phase, "arm": event.arm,
        "labels": {**progress.labels, **event.labels} if event.labels else progress.labels,
        "states": {}, "held": False, "hold": None, "abandoned": False,
    }  # fmt: skip


def _run_ended(progress: Progress, event: ev.RunEnded) -> Changes:
    if event.run != progress.run or not progress.run_open:
        return None
    return {
        **_close(progress, event.ts_ms),
        "run_open": False, "run_outcome": event.outcome, "exit_code": event.exit_code, "signal": event.signal,
    }  # fmt: skip


def _close(progress: Progress, ts_ms: int) -> dict[str, Any]:
    """What a run leaves open when it ends was interrupted with it."""
    states, history, attempts = dict(progress.states), list(progress.history), list(progress.attempts)
    for place in progress.opened:
        each = attempts[place]
        attempts[place] = each.but(status="interrupted", ended_ms=ts_ms)
        states[each.state] = LEGAL[states.get(each.state, "pending"), "attempt_interrupted"]
        history.append(_entry(each.state, "interrupted", ts_ms, each.attempt, name=each.name))
    return {"attempts": tuple(attempts), "opened": (), "states": states, "history": tuple(history)}


def _attempt_started(progress: Progress, event: ev.AttemptStarted) -> Changes:
    after = LEGAL.get((progress.states.get(event.state, "pending"), event.kind))
    if after is None or event.attempt <= progress.counts.get(event.state, 0):
        return None
    attempt = Attempt(
        state=event.state, name=event.name, run=event.run, attempt=event.attempt, started_ms=event.ts_ms,
        phase=event.phase, host=event.host, inputs=event.inputs, why=event.why,
    )  # fmt: skip
    skips = progress.skips
    if event.state in skips:
        skips = {code: skip for code, skip in skips.items() if code != event.state}
    return {
        **_touch(progress, event, after),
        "skips": skips,
        "attempts": (*progress.attempts, attempt),
        "counts": {**progress.counts, event.state: event.attempt},
        "opened": (*progress.opened, len(progress.attempts)),
        "history": (*progress.history, _entry(event.state, "started", event.ts_ms, event.attempt, name=event.name)),
        "phase": event.phase or progress.phase,
    }


def _attempt_ended(
    progress: Progress, event: ev.AttemptCompleted | ev.AttemptFailed | ev.AttemptInterrupted
) -> Changes:
    place = _find(progress, event.state, event.attempt)
    after = LEGAL.get((progress.states.get(event.state, "pending"), event.kind))
    if place is None or after is None or progress.attempts[place].status != "in_progress":
        return None
    status: Any = event.kind.removeprefix("attempt_")
    facts = {
        name: value
        for name, value in event.__dict__.items()
        if name in Attempt.fields and name not in {"name", "run", "state", "attempt"} and value is not None
    }
    ended = progress.attempts[place].but(status=status, ended_ms=event.ts_ms, **facts)
    if ended.duration is None and ended.started_ms is not None and event.ts_ms > ended.started_ms:
        ended = ended.but(duration=(event.ts_ms - ended.started_ms) / 1000)  # of an end alone, nobody knows
    told = event.error if isinstance(event, ev.AttemptFailed) else getattr(event, "reason", None)
    changes = {
        **_touch(progress, event, after),
        "attempts": _put(progress.attempts, place, ended),
        "opened": tuple(each for each in progress.opened if each != place),
        "history": (*progress.history, _entry(event.state, status, event.ts_ms, event.attempt, told, ended.name)),
    }
    if status == "completed":
        changes["completions"] = {**progress.completions, event.state: ended}
        if event.state in progress.spoilt:
            changes["spoilt"] = {code: why for code, why in progress.spoilt.items() if code != event.state}
    return changes


def _failure_diagnosed(progress: Progress, event: ev.FailureDiagnosed) -> Changes:
    place = _find(progress, event.state, event.attempt)
    if place is None or progress.attempts[place].status != "failed":
        return None
    facts = {
        name: event.__dict__[name]
        for name in ("failure_class", "signature", "rule", "confidence", "template", "retry_after", "evidence")
    }
    attempt = progress.attempts[place]
    return {"attempts": _put(progress.attempts, place, attempt.but(**facts, error=event.error or attempt.error))}


def _decided(progress: Progress, event: ev.Decided) -> Changes:
    place = _find(progress, event.state, event.attempt)
    if place is None:
        return None
    return {"attempts": _put(progress.attempts, place, progress.attempts[place].but(decision=event))}


def _state_settled(progress: Progress, event: ev.StateReset | ev.StateReused | ev.StateSkipped) -> Changes:
    after = LEGAL.get((progress.states.get(event.state, "pending"), event.kind))
    if after is None:
        return None
    changes = _touch(progress, event, after)
    if not isinstance(event, ev.StateReset):
        status = event.kind.removeprefix("state_")
        entry = _entry(event.state, status, event.ts_ms, None, event.reason, event.name)
        changes["history"] = (*progress.history, entry)
    if isinstance(event, ev.StateSkipped):
        changes["skips"] = {**progress.skips, event.state: event}
    return changes


def _state_outputs(progress: Progress, event: ev.StateOutputs) -> Changes:
    values = {**progress.outputs.get(event.state, {}), **event.values}
    return {"outputs": {**progress.outputs, event.state: values}}


def _checkpoint_restored(progress: Progress, event: ev.CheckpointRestored) -> Changes:
    return {"spoilt": {**progress.spoilt, event.state: event.error}} if event.error else None


def _build_held(_: Progress, event: ev.BuildHeld) -> Changes:
    return {"held": True, "hold": event, "released": None}


def _build_released(progress: Progress, event: ev.BuildReleased) -> Changes:
    return {"held": False, "released": event} if progress.held else None


def _build_abandoned(_: Progress, __: ev.BuildAbandoned) -> Changes:
    return {"held": False, "abandoned": True}


def _record_degraded(_: Progress, __: ev.RecordDegraded) -> Changes:
    return {"degraded": True}


def _touch(progress: Progress, event: ev.StateEvent, status: Status) -> dict[str, Any]:
    names = progress.names
    if event.name and names.get(event.state) != event.name:
        names = {**names, event.state: event.name}
    return {"current": event.state, "names": names, "states": {**progress.states, event.state: status}}


def _find(progress: Progress, state: StateCode, attempt: int) -> int | None:
    for place in range(len(progress.attempts) - 1, -1, -1):
        each = progress.attempts[place]
        if each.state == state and each.attempt == attempt:
            return place
    return None


def _put(attempts: tuple[Attempt, ...], place: int, attempt: Attempt) -> tuple[Attempt, ...]:
    return (*attempts[:place], attempt, *attempts[place + 1 :])


def _entry(  # noqa: PLR0913, PLR0917 - the fields of one line of history
    state: StateCode, status: str, ts_ms: int, attempt: int | None, error: str | None = None, name: str | None = None
) -> Mapping[str, Any]:
    entry = {"state": state, "name": name, "status": status, "error": error, "ts_ms": ts_ms, "attempt": attempt}
    return {key: value for key, value in entry.items() if value is not None}


_HANDLERS: dict[type[ev.Event], Any] = {
    ev.BuildBegun: _build_begun,
    ev.RunStarted: _run_started,
    ev.RunEnded: _run_ended,
    ev.AttemptStarted: _attempt_started,
    ev.AttemptCompleted: _attempt_ended,
    ev.AttemptFailed: _attempt_ended,
    ev.AttemptInterrupted: _attempt_ended,
    ev.FailureDiagnosed: _failure_diagnosed,
    ev.Decided: _decided,
    ev.StateReset: _state_settled,
    ev.StateReused: _state_settled,
    ev.StateSkipped: _state_settled,
    ev.StateOutputs: _state_outputs,
    ev.CheckpointRestored: _checkpoint_restored,
    ev.BuildHeld: _build_held,
    ev.BuildReleased: _build_released,
    ev.BuildAbandoned: _build_abandoned,
    ev.RecordDegraded: _record_degraded,
}
