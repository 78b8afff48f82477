"""A build as a trace: spans for the build, its runs, attempts, waits and holds, from the times that were recorded.

Ids follow from what a span is about, so a build that is sent twice is the same trace. Names and attributes are those of
OpenTelemetry's conventions for CI/CD; what they have no word for begins with `build_state.`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from toolkit.core import events as ev
from toolkit.core.progress import fold
from toolkit.core.values import NOTHING, Value
from toolkit.core.visible import safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from toolkit.core.progress import Attempt, Progress

RESULTS: Final = {"completed": "success", "failed": "failure", "interrupted": "cancellation"}
LONGEST: Final = 1000
WAITS: Final = frozenset({"retry", "wait"})


class Span(Value):
    """One stretch of time. Times in milliseconds since 1970 (UTC)."""

    trace_id: int
    span_id: int
    parent_id: int | None = None
    name: str
    begin_ms: int
    end_ms: int
    is_run: bool = False
    """A pass of a pipeline, not a task within one."""
    failed: str | None = None
    """What went wrong, where something did."""
    attributes: Mapping[str, Any] = NOTHING
    notes: tuple[tuple[int, str, str], ...] = ()
    """What was noticed: when, its name, and the text."""


def spans(facts: Iterable[ev.Event]) -> list[Span]:
    """Give the spans of a build, the build's own first; none while a run of it is open or it has not begun."""
    kept = list(facts)
    if not kept or kept[0].build == ev.PROJECT:
        return []
    progress = fold(kept)
    begun = progress.started_ms
    if progress.run_open or begun is None or progress.run == 0:
        return []
    end = max(_ends(progress), default=begun)
    trace = _number(16, progress.pipeline, progress.build, begun)
    root = _number(8, trace, "build")
    common = {
        "cicd.pipeline.name": safe(progress.pipeline or ""), "cicd.pipeline.run.id": progress.build,
        **({"build_state.target": safe(progress.target)} if progress.target else {}),
    }  # fmt: skip
    build = Span(
        trace_id=trace, span_id=root, name=safe(f"BUILD {progress.pipeline or progress.build}"), begin_ms=begun,
        end_ms=max(end, begun), is_run=True, failed=_why(progress),
        attributes={
            **common, "cicd.pipeline.action.name": "BUILD", "build_state.runs": progress.run,
            "build_state.status": progress.status, "build_state.held": progress.held,
            **({"build_state.degraded": True} if progress.degraded else {}),
            **({"cicd.pipeline.result": RESULTS[progress.status]} if progress.status in RESULTS else {}),
            **{f"build_state.label.{safe(key)}": safe(value) for key, value in progress.labels.items()},
        },
    )  # fmt: skip
    told = [build]
    parents: dict[int, int] = {}
    for span, number in _runs(kept, progress, build, common):
        told.append(span)
        parents[number] = span.span_id
    for attempt in progress.attempts:
        told += _attempt(attempt, progress, build, parents.get(attempt.run, root), common)
    return told + _holds(kept, build, common)


def _runs(
    kept: Sequence[ev.Event], progress: Progress, build: Span, common: Mapping[str, Any]
) -> list[tuple[Span, int]]:
    ended = {each.run: each for each in kept if isinstance(each, ev.RunEnded)}
    told = []
    for begun in kept:
        if not isinstance(begun, ev.RunStarted):
            continue
        end = ended.get(begun.run)
        last = max((each.ended_ms or 0 for each in progress.attempts if each.run == begun.run), default=begun.ts_ms)
        outcome = end.outcome if end is not None else "interrupted" if begun.run < progress.run else progress.status
        result = {"cicd.pipeline.result": RESULTS[outcome]} if outcome in RESULTS else {}
        span = Span(
            trace_id=build.trace_id, span_id=_number(8, build.trace_id, "run", begun.run), parent_id=build.span_id,
            name=f"run {begun.run}", begin_ms=begun.ts_ms, end_ms=max(begun.ts_ms, end.ts_ms if end else last),
            failed=None if outcome != "failed" else f"exit code {end.exit_code}" if end else "failed",
            attributes={
                **common, **result, "build_state.run": begun.run, "build_state.reason": begun.reason,
                **_given("build_state.phase", begun.phase), **_given("build_state.arm", begun.arm),
                **_given("cicd.worker.name", begun.host),
                **_given("process.exit.code", None if end is None else end.exit_code),
            },
        )  # fmt: skip
        told.append((span, begun.run))
    return told


def _attempt(each: Attempt, progress: Progress, build: Span, parent: int, common: Mapping[str, Any]) -> list[Span]:
    if each.started_ms is None or each.ended_ms is None:
        return []
    name = safe(f"{each.state} {each.name or progress.names.get(each.state) or ''}".strip())
    which = f"{progress.build}/{each.run}/{each.state}/{each.attempt}"
    result = "timeout" if each.failure_class == "timeout" else RESULTS.get(each.status)
    known = {
        **common, "cicd.pipeline.task.name": name, "cicd.pipeline.task.run.id": which,
        "build_state.run": each.run, "build_state.code": each.state, "build_state.attempt": each.attempt,
        **_given("build_state.phase", each.phase),
    }  # fmt: skip
    span = Span(
        trace_id=build.trace_id, span_id=_number(8, build.trace_id, which), parent_id=parent, name=name,
        begin_ms=each.started_ms, end_ms=max(each.started_ms, each.ended_ms),
        failed=safe(each.error or "failed")[:LONGEST] if each.status == "failed" else None,
        attributes={
            **known, **_given("cicd.pipeline.task.run.result", result), **_given("cicd.worker.name", each.host),
            **_given("error.type", each.failure_class), **_given("build_state.signature", each.signature),
            **_given("process.exit.code", each.exit_code),
        },
        notes=tuple((each.ended_ms, "evidence", safe(said)[:LONGEST]) for _, said in each.evidence[:5]),
    )  # fmt: skip
    decided = each.decision
    if decided is None or decided.action not in WAITS or not decided.wait:
        return [span]
    following = min(
        (other.started_ms for other in progress.attempts
         if other.started_ms is not None and other.state == each.state and other.attempt > each.attempt),
        default=build.end_ms,
    )  # fmt: skip
    until = min(decided.ts_ms + round(decided.wait * 1000), max(following, decided.ts_ms))
    wait = Span(
        trace_id=build.trace_id, span_id=_number(8, build.trace_id, which, "wait"), parent_id=parent,
        name=f"wait before {decided.action}", begin_ms=decided.ts_ms, end_ms=until,
        attributes={**known, "build_state.reason": safe(decided.reason), **_given("build_state.rule", decided.rule)},
    )  # fmt: skip
    return [span, wait]


def _holds(kept: Sequence[ev.Event], build: Span, common: Mapping[str, Any]) -> list[Span]:
    """Give the holds that are over; who holds what is held already only says it again."""
    told: list[Span] = []
    held: ev.BuildHeld | None = None
    for each in kept:
        if isinstance(each, ev.BuildHeld):
            held = held or each
        elif held is not None and isinstance(each, (ev.BuildReleased, ev.BuildAbandoned, ev.RunStarted)):
            told.append(
                Span(
                    trace_id=build.trace_id, span_id=_number(8, build.trace_id, "hold", len(told)),
                    parent_id=build.span_id, name="held for a person", begin_ms=held.ts_ms,
                    end_ms=max(held.ts_ms, each.ts_ms),
                    attributes={**common, "build_state.code": held.state, "build_state.reason": safe(held.reason)},
                )
            )  # fmt: skip
            held = None
    return told


def _ends(progress: Progress) -> Iterable[int]:
    yield from (each.ended_ms for each in progress.attempts if each.ended_ms is not None)
    if progress.updated_ms is not None:
        yield progress.updated_ms


def _why(progress: Progress) -> str | None:
    if progress.status != "failed":
        return None
    failed = [each for each in progress.attempts if each.status == "failed"]
    return safe(f"state {failed[-1].state}: {failed[-1].error or 'failed'}")[:LONGEST] if failed else "failed"


def _given(name: str, value: Any) -> dict[str, Any]:  # noqa: ANN401 - what attributes can be
    return {} if value is None else {name: value}


def _number(size: int, *about: object) -> int:
    """Give a number of so many bytes that stands for what is said; never 0."""
    digest = hashlib.sha256("\0".join(map(str, about)).encode("utf-8", "backslashreplace")).digest()
    return int.from_bytes(digest[:size], "big") or 1
