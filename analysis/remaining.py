"""When a running build will be done: what earlier runs needed from where it stands, as a range with its n.

Whole runs are compared, not sums over states, for a slow host is slow at every state. The range is made of order
statistics, which promise their coverage whatever the distribution is: the next of n + 1 like values lies between the
k-th smallest and the k-th largest with chance (n + 1 - 2k) / (n + 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from toolkit.core.codes import StateCode
from toolkit.core.values import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.core.progress import Attempt, Progress

FEWEST: Final = 5
"""Runs; of fewer not even a range is given."""
COVERAGE: Final = 0.9
"""What a range holds, where there are runs enough."""


class Passage(Value):
    """How one run that is over went through its states, in seconds."""

    build: str
    pipeline: str | None = None
    target: str | None = None
    completed: bool
    whole: float
    """From the beginning of the run to its end."""
    entered: Mapping[StateCode, float]
    """From the begin of the last attempt at a state to the end of the run."""
    stayed: Mapping[StateCode, float]
    """How long that attempt took."""


class Span(Value):
    """How many seconds are left: the median of `n` earlier runs, and where `coverage` of the next ones lie."""

    median: float
    low: float
    high: float
    coverage: float
    n: int


class Remaining(Value):
    """What earlier runs say about this one; `span` is None where they cannot, and `why` says so."""

    span: Span | None = None
    why: str = ""
    reached: int = 0
    """Earlier runs that came to this state and ended by themselves."""
    completed: int = 0
    """Of those, the ones that were completed."""
    same_target: bool = False
    """Only runs for the same target were compared."""


def passages(progress: Progress) -> tuple[Passage, ...]:
    """Give the runs of a build that ended by themselves; those that were cut short say nothing of what time is left."""
    by_run: dict[int, list[Attempt]] = {}
    for each in progress.attempts:
        by_run.setdefault(each.run, []).append(each)
    told = []
    for run, attempts in by_run.items():
        last = run == progress.run
        if (last and progress.run_open) or any(each.status in {"in_progress", "interrupted"} for each in attempts):
            continue
        ends = [each.ended_ms for each in attempts if each.ended_ms is not None]
        begins = [each.started_ms for each in attempts if each.started_ms is not None]
        completed = last and progress.status == "completed"
        if not ends or not begins or not (completed or any(each.status == "failed" for each in attempts)):
            continue
        begin, end = min(begins), max(ends)
        if last and progress.run_started_ms is not None:
            begin = min(begin, progress.run_started_ms)
        latest = {each.state: each for each in attempts if each.started_ms is not None}
        told.append(
            Passage(
                build=progress.build, pipeline=progress.pipeline, target=progress.target, completed=completed,
                whole=(end - begin) / 1000,
                entered={state: (end - (each.started_ms or 0)) / 1000 for state, each in latest.items()},
                stayed={
                    state: ((each.ended_ms or end) - (each.started_ms or 0)) / 1000 for state, each in latest.items()
                },
            )
        )  # fmt: skip
    return tuple(told)


def remaining(earlier: Sequence[Passage], progress: Progress, now_ms: int, *, wait: float = 0.0) -> Remaining:
    """Say when a run that is open will be done, as far as runs of the same pipeline tell.

    While it waits to try its state again, `wait` is how long still.
    """
    same = [each for each in earlier if each.build != progress.build and each.pipeline == progress.pipeline]
    mine = [each for each in same if each.target == progress.target]
    enough = sum(1 for each in mine if each.completed) >= _enough_for(COVERAGE)
    told = _remaining(mine if enough else same, progress, now_ms, wait)
    return told.but(same_target=enough and len(mine) < len(same))


def _remaining(earlier: Sequence[Passage], progress: Progress, now_ms: int, wait: float) -> Remaining:
    current = next((each for each in reversed(progress.attempts) if each.run == progress.run), None)
    if current is None:
        reached = list(earlier)
        since = progress.run_started_ms or now_ms
        needed = [(each.whole, each.whole) for each in reached if each.completed]
    else:
        state = current.state
        reached = [each for each in earlier if state in each.entered]
        since = current.started_ms or now_ms
        inside = current.status == "in_progress"
        needed = [
            (each.entered[state], each.stayed[state] if inside else each.entered[state])
            for each in reached
            if each.completed
        ]
    again = current is not None and current.status == "failed"
    elapsed = -wait if again else max(0.0, (now_ms - since) / 1000)
    # Runs that had left the state by now are not like this one.
    left = sorted(total - elapsed for total, stay in needed if stay > elapsed)
    counted = Remaining(reached=len(reached), completed=len(needed))
    if len(needed) < FEWEST:
        return counted.but(why=f"not enough history: {len(needed)} of {FEWEST} completed runs to compare with")
    if len(left) < FEWEST:
        over = len(needed) - len(left)
        return counted.but(why=f"it has taken longer already than {over} of {len(needed)} completed runs did")
    return counted.but(span=_span(left))


def _span(ordered: Sequence[float]) -> Span:
    """Choose the narrowest pair of order statistics that promises `COVERAGE`, else the outermost pair."""
    n = len(ordered)
    place = max(1, int((n + 1) * (1 - COVERAGE) / 2 + 1e-9))
    middle = n // 2
    median = ordered[middle] if n % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    return Span(
        median=median, low=ordered[place - 1], high=ordered[n - place], coverage=(n + 1 - 2 * place) / (n + 1), n=n
    )


def _enough_for(coverage: float) -> int:
    """Count the values whose smallest and largest promise a coverage."""
    return round(2 / (1 - coverage)) - 1
