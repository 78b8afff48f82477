"""What a run whose supervisor died says after all: how its steps ended unwatched, and that its record has holes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit.core import events as ev
from toolkit.supervise import traces
from toolkit.supervise.ledger import now_ms

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolkit.core.progress import Attempt, Progress
    from toolkit.project import Project


def last_words(progress: Progress, project: Project) -> list[ev.Event]:
    """Give the facts that a dead supervisor could not record any more: ends that the steps' own shells have left.

    What it cannot know, whether `verify` passes, is asked when the state is to be reused.
    """
    trace = traces.find(project.directory, progress)
    if trace is None:
        return []
    trace.wait_for_words()
    facts: list[ev.Event] = []
    if not trace.is_sound:
        facts.append(ev.RecordDegraded(build=progress.build, ts_ms=now_ms(), reason="the supervisor died in trouble"))
    for each in progress.open_attempts():
        code = trace.exit_code(each.state, each.attempt)
        stopped = trace.helped and bool(project.state(each.state, each.name).run)
        if code is not None and not (code and stopped):  # its own states stopped for lack of us: no failure of its own
            facts.append(_ended(progress, project, each, code, trace.ended_ms(each.state, each.attempt)))
    return facts


def clear_away(progress: Progress, project: Project, say: Callable[[str], None] | None) -> None:
    """End what the last run still runs, now that the build goes on without it; Refused when that fails."""
    from toolkit.supervise.leftovers import end_leftovers

    trace = traces.find(project.directory, progress)
    ended = end_leftovers(progress, None if trace is None else trace.session)
    if ended and say is not None:
        say(f"ended what the last run of build {progress.build} still ran: {ended} process{'es' * (ended > 1)}")
    if trace is not None:
        trace.remove()


def _ended(progress: Progress, project: Project, attempt: Attempt, code: int, ended_ms: int | None) -> ev.Event:
    now = now_ms()
    told: dict[str, Any] = {
        "build": progress.build, "run": attempt.run, "state": attempt.state, "name": attempt.name,
        "attempt": attempt.attempt, "ts_ms": max(attempt.started_ms or 0, min(now, ended_ms or now)),
    }  # fmt: skip
    config = project.state(attempt.state, attempt.name)
    if code:
        return ev.AttemptFailed(**told, error=f"exit code {code}", exit_code=code)
    if not config.outputs:
        return ev.AttemptCompleted(**told)
    from toolkit.supervise.fingerprint import missing_outputs, outputs_of

    if missing := missing_outputs(config, project):
        error = f"state {attempt.state} ended well, but its outputs are missing: {', '.join(missing)}"
        return ev.AttemptFailed(**told, error=error, exit_code=0)
    return ev.AttemptCompleted(**told, outputs=outputs_of(config, project))
