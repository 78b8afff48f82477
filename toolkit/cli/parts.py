"""`--from`, `--through`, `--only` and `--force`: what they ask for, and a refusal before anything has run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit.core.codes import parse_code
from toolkit.errors import UsageError
from toolkit.supervise.selecting import WHOLE, Selection, selection

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolkit.core.codes import StateCode
    from toolkit.core.progress import Progress
    from toolkit.project import Project
    from toolkit.store import Store

PARTS = ("from", "through", "only", "force")


def asked_of(options: Mapping[str, Any], states: Sequence[StateCode]) -> Selection:
    """Understand the options; UsageError, or NotFound where `states` are known and the one asked for is not of them."""
    if all(options.get(name) is None for name in PARTS):
        return WHOLE
    codes: dict[str, StateCode | None] = {}
    for name in PARTS[:3]:
        try:
            codes[name] = None if options.get(name) is None else parse_code(str(options[name]))
        except ValueError as error:
            raise UsageError(f"--{name}: {error}", hint="List the states with `toolkit plan`.") from None
    return selection(states, codes["from"], codes["through"], codes["only"], force=bool(options.get("force")))


def foresee(store: Store, project: Project, phase: str, asked: Selection, progress: Progress | None) -> None:
    """Refuse now what could only stop later, with half of it done."""
    from phases import phase as phase_named
    from toolkit.supervise.planning import learn, plan, states_of

    experience = learn(store, project.pipeline.name)
    asked.among([each.code for each in states_of(project, progress, experience)])
    plan(progress, project, phase_named(phase), experience=experience, asked=asked)
