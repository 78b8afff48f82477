"""Checkpoints in a running build: kept when a state has completed, gone back to before the build goes on behind it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from toolkit.core import events as ev
from toolkit.supervise.clock import monotonic

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolkit.core.pipeline import StateConfig
    from toolkit.core.progress import Attempt, Progress
    from toolkit.project import Project
    from toolkit.store import Store
    from toolkit.supervise.ledger import Ledger

    Wanted = Callable[[], bool] | None


def keep(ledger: Ledger, project: Project, attempt: Attempt, wanted: Wanted = None) -> None:
    """Keep what a completed attempt left behind, where its state says how; trouble costs a warning, never the build."""
    state = project.state(attempt.state, attempt.name)
    if not state.checkpoint:
        return
    from toolkit.supervise.checkpoints import save

    began = monotonic()
    wrong = save(state, project, ledger.build, attempt.attempt, wanted=wanted)
    which = {"state": attempt.state, "name": attempt.name, "attempt": attempt.attempt}
    ledger.record(ledger.fact(ev.CheckpointSaved, **which, duration=_since(began), error=wrong or None))
    if wrong:
        ledger.say(f"there is no checkpoint of state {state.label}, the build goes on: {wrong}")


def go_back(ledger: Ledger, project: Project, state: StateConfig, wanted: Wanted = None) -> str:
    """Restore the checkpoint of a reused state, if it has one; says why the build may not go on from there.

    What came back has to be what the state once made: its outputs as they were recorded, and what `verify` wants. After
    a failure the state counts as not completed, so the next run begins with it.
    """
    if not state.restore:
        return ""
    from toolkit.supervise.validity import restore_point

    done = restore_point(ledger.progress, state, project)
    if done is None:
        return ""
    began = monotonic()
    wrong = _restored(ledger.progress, project, state, done, wanted)
    which = {"state": state.code, "name": state.name, "attempt": done.attempt}
    ledger.record(ledger.fact(ev.CheckpointRestored, **which, duration=_since(began), error=wrong or None))
    if not wrong:
        return ""
    ledger.say(f"the checkpoint of state {state.label} did not come back: {wrong}. The next run begins with that state")
    return f"the checkpoint of state {state.label} did not come back: {wrong}"


def clean_up(store: Store, project: Project) -> tuple[str, ...]:
    """Remove checkpoints that nobody will go back to; says what went wrong."""
    if not os.path.isdir(os.path.join(project.state_directory, "checkpoints")):
        return ()
    from toolkit.supervise.checkpoints import expire

    return expire(project, {row.build: "abandoned" if row.abandoned else row.status for row in store.builds()})


def _restored(progress: Progress, project: Project, state: StateConfig, done: Attempt, wanted: Wanted) -> str:
    from toolkit.core.fingerprints import changes
    from toolkit.supervise.checkpoints import restore
    from toolkit.supervise.fingerprint import take_outputs
    from toolkit.supervise.hooks import run_hook

    wrong = restore(state, project, progress.build, done.attempt, wanted=wanted)
    outputs = None if wrong else take_outputs(state, project)
    if outputs is not None and (told := changes(done.outputs, outputs)):
        return f"outputs: {', '.join(told)}"
    if wrong or not state.verify:
        return wrong
    about = {"TOOLKIT_BUILD": progress.build, "TOOLKIT_STATE": str(state.code), "TOOLKIT_ATTEMPT": str(done.attempt)}
    return run_hook(state.verify, project, extra=about, wanted=wanted)


def _since(began: float) -> float:
    return round(monotonic() - began, 3)
