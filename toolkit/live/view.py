"""What is going on now, as one value: every running or held build, what it does, and when it will be done.

The terminal and the browser lay it out and find nothing out by themselves.
"""

from __future__ import annotations

from typing import Any, Literal

from toolkit.core.codes import StateCode
from toolkit.core.moments import rfc3339
from toolkit.core.values import Value

Doing = Literal["running", "waiting", "between", "held", "over"]
"""`between`: the run is over, and the process that supervised it is still at work on it, or waits to begin another."""


class Waiting(Value):
    """Why a build waits, and until when (milliseconds since 1970, UTC)."""

    action: str
    reason: str
    until_ms: int


class Done(Value):
    """When a build will be done; times in seconds from now, None where the history does not tell, which `why` says."""

    median: float | None = None
    low: float | None = None
    high: float | None = None
    coverage: float | None = None
    n: int = 0
    reached: int = 0
    completed: int = 0
    same_target: bool = False
    why: str = ""


class LiveBuild(Value):
    """How one build stands."""

    build: str
    pipeline: str | None = None
    target: str | None = None
    status: str
    doing: Doing
    phase: str | None = None
    run: int = 0
    state: StateCode | None = None
    name: str | None = None
    attempt: int | None = None
    state_status: str | None = None
    """Of that attempt."""
    started_ms: int | None = None
    """Of the run."""
    state_started_ms: int | None = None
    updated_ms: int | None = None
    waiting: Waiting | None = None
    held: bool = False
    held_since_ms: int | None = None
    held_why: str = ""
    held_by: str | None = None
    done: Done | None = None
    said: str = ""
    said_ms: int | None = None
    error: str = ""
    """Of the last failure in this run."""
    failures: int = 0
    degraded: bool = False
    abandoned: bool = False
    elsewhere: str = ""
    """The host that supervises it, where that is not this one: its output is kept there."""

    @property
    def is_over(self) -> bool:
        """Tell whether nothing more is to be expected of it unless somebody runs it again."""
        return self.doing == "over"


class View(Value):
    """Everything at one moment; builds in the order in which they began."""

    at_ms: int
    builds: tuple[LiveBuild, ...] = ()
    trouble: str = ""
    """Why this is not all, or not fresh."""

    def of(self, build: str) -> LiveBuild | None:
        """Give one of them."""
        return next((each for each in self.builds if each.build == build), None)


def shape(view: View) -> dict[str, Any]:
    """Give the view as the JSON document that `watch --once --json` prints."""
    return {
        "at": rfc3339(view.at_ms),
        "builds": [_shape(each, view.at_ms) for each in view.builds],
        "trouble": view.trouble or None,
    }


def _shape(each: LiveBuild, at_ms: int) -> dict[str, Any]:
    waiting = None
    if each.waiting is not None:
        waiting = {
            "action": each.waiting.action, "reason": each.waiting.reason, "until": rfc3339(each.waiting.until_ms),
            "seconds": max(0.0, (each.waiting.until_ms - at_ms) / 1000),
        }  # fmt: skip
    hold = {"reason": each.held_why, "by": each.held_by, "since": _time(each.held_since_ms)} if each.held else None
    return {
        "build": each.build, "pipeline": each.pipeline, "target": each.target, "status": each.status,
        "doing": each.doing, "held": each.held, "phase": each.phase, "run": each.run, "currentState": each.state,
        "name": each.name, "attempt": each.attempt, "stateStatus": each.state_status,
        "started": _time(each.started_ms), "elapsed": elapsed(each, at_ms),
        "stateStarted": _time(each.state_started_ms),
        "stateElapsed": state_elapsed(each, at_ms), "wait": waiting, "hold": hold,
        "done": None if each.done is None else _done_shape(each.done, at_ms),
        "lastLine": {"text": each.said, "timestamp": _time(each.said_ms)} if each.said else None,
        "error": each.error or None, "failures": each.failures, "degraded": each.degraded,
        "abandoned": each.abandoned, "host": each.elsewhere or None, "updated": _time(each.updated_ms),
    }  # fmt: skip


def _done_shape(done: Done, at_ms: int) -> dict[str, Any]:
    known = done.median is not None
    return {
        "seconds": {"median": done.median, "low": done.low, "high": done.high} if known else None,
        "at": None if done.median is None else rfc3339(at_ms + round(done.median * 1000)),
        "coverage": done.coverage, "n": done.n, "reached": done.reached, "completed": done.completed,
        "sameTarget": done.same_target, "why": done.why or None,
    }  # fmt: skip


def elapsed(each: LiveBuild, at_ms: int) -> float | None:
    """Give how long the run has lasted, or did last, in seconds."""
    return _between(each.started_ms, each.updated_ms if each.is_over or each.held else at_ms)


def state_elapsed(each: LiveBuild, at_ms: int) -> float | None:
    """Give how long the present attempt has lasted, in seconds; None when none is under way."""
    under_way = each.doing == "running" and each.state_status == "in_progress"
    return _between(each.state_started_ms, at_ms) if under_way else None


def _between(begin_ms: int | None, end_ms: int | None) -> float | None:
    return None if begin_ms is None or end_ms is None else max(0.0, (end_ms - begin_ms) / 1000)


def _time(ts_ms: int | None) -> str | None:
    return None if ts_ms is None else rfc3339(ts_ms)
