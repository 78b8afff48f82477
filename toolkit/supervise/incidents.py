"""Many builds failing alike are one outage: tells from the history whether a signature's retries have to wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phases.limits import BREAKER_WINDOW_SECONDS, breaker
from toolkit.errors import ToolkitError
from toolkit.supervise.holder import is_dead

if TYPE_CHECKING:
    from toolkit.core.policy import Budget
    from toolkit.core.progress import Attempt, Progress
    from toolkit.core.situation import Breaker
    from toolkit.store import Store

BUILDS_LOOKED_AT = 200


def breaker_for(store: Store, progress: Progress, failed: Attempt, budget: Budget, *, now_ms: int) -> Breaker:
    """Tell how the breaker of a failure's signature stands for this build.

    As soon as one build comes through the state where it had failed so, all failures before that are forgotten. Of the
    builds that are being run and fail alike, the one that failed first is the probe.
    """
    since = now_ms - BREAKER_WINDOW_SECONDS * 1000
    failures = {progress.build: _times(progress, failed, since) or [failed.ended_ms or now_ms]}
    running = {progress.build}
    try:
        for row in store.builds(limit=BUILDS_LOOKED_AT):
            if row.updated_ms < since or row.build == progress.build:
                continue
            other = store.progress(row.build)
            times = _times(other, failed, since)
            if not times:
                continue
            failures[row.build] = times
            through = other.completions.get(failed.state)
            if through is not None and (through.ended_ms or 0) > max(times):
                since = max(since, through.ended_ms or 0)
            elif other.run_open and not is_dead(other.holder or ""):
                running.add(row.build)
    except ToolkitError:
        return "closed"
    alike = {build: min(recent) for build, times in failures.items() if (recent := [at for at in times if at >= since])}
    if progress.build not in alike:
        return "closed"
    first = min(running & alike.keys(), key=lambda build: (alike[build], build))
    return breaker(len(alike), budget, probing=first != progress.build)


def _times(progress: Progress, failed: Attempt, since_ms: int) -> list[int]:
    """When attempts of a build failed like another one did."""
    return [
        each.ended_ms
        for each in progress.attempts
        if each.signature == failed.signature and each.status == "failed" and (each.ended_ms or 0) >= since_ms
        if each.ended_ms is not None
    ]
