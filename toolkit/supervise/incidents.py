"""Many builds failing alike are one outage: tells from the history whether a signature's retries have to wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phases.limits import BREAKER_WINDOW_SECONDS, breaker
from toolkit.errors import ToolkitError

if TYPE_CHECKING:
    from toolkit.core.policy import Budget
    from toolkit.core.progress import Attempt, Progress
    from toolkit.core.situation import Breaker
    from toolkit.store import Store

BUILDS_LOOKED_AT = 200


def breaker_for(store: Store, progress: Progress, failed: Attempt, budget: Budget, *, now_ms: int) -> Breaker:
    """Tell how the breaker of a failure's signature stands for this build.

    It closes when any build came through the same state after its own such failure. Of the builds that are being run
    and wait, the one that failed first is the probe.
    """
    since = now_ms - BREAKER_WINDOW_SECONDS * 1000
    alike: dict[str, int] = {progress.build: failed.ended_ms or now_ms}
    running = {progress.build}
    try:
        rows = [
            row
            for row in store.builds(limit=BUILDS_LOOKED_AT)
            if row.updated_ms >= since and row.build != progress.build
        ]
        for row in rows:
            other = store.progress(row.build)
            times = [
                each.ended_ms or 0
                for each in other.attempts
                if each.signature == failed.signature and each.status == "failed" and (each.ended_ms or 0) >= since
            ]
            if not times:
                continue
            through = other.completions.get(failed.state)
            if through is not None and (through.ended_ms or 0) > max(times):
                return "closed"
            alike[row.build] = min(times)
            if other.run_open:
                running.add(row.build)
    except ToolkitError:
        return "closed"
    first = min(running, key=lambda build: (alike[build], build))
    return breaker(len(alike), budget, probing=first != progress.build)
