"""Where a script that only prints markers is entered, so that what completed and still holds does not run again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.core import events as ev
from toolkit.core.action import Reuse
from toolkit.supervise.planning import Experience, learn, states_of

if TYPE_CHECKING:
    from toolkit.project import Project
    from toolkit.store import Store
    from toolkit.supervise.deciding import Decider
    from toolkit.supervise.ledger import Ledger


def entry(project: Project, store: Store, ledger: Ledger, decider: Decider, at: int | None = None) -> str | None:
    """Give the command that enters the script at the state to go on at; empty for all of it, None when nothing is left.

    The states before it are recorded as reused. A state that is retried is named by `at`: what came before it has just
    completed.
    """
    command = project.pipeline.resume_command
    if at is not None:
        for code in sorted(each for each in ledger.progress.completions if each < at):
            reason = f"it completed, and the script was entered at state {at} to try that again"
            ledger.record(ledger.fact(ev.StateReused, state=code, reason=reason))
        return command.format(state=at)
    states = states_of(project, ledger.progress, Experience())
    for state in states:
        if not isinstance(decider.before(state.code, state.name), Reuse):
            return command.format(state=state.code) if state is not states[0] else ""
    if not states:
        return ""
    last = states[-1].code
    usual = learn(store, project.pipeline.name).names
    later = [code for code in sorted(usual) if code > last]
    if not later and last in {*usual, *(each.code for each in project.states)}:
        return None
    return command.format(state=later[0] if later else last)  # else who knows what comes after it
