"""A project in a folder of its own, and short words for what its builds did there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.histories import T0, Step, completes, history
from toolkit.core import events as ev
from toolkit.core.pipeline import PipelineConfig, StateConfig
from toolkit.core.progress import Progress, fold
from toolkit.project import Project
from toolkit.supervise.fingerprint import inputs_of, outputs_of
from toolkit.supervise.holder import HERE

if TYPE_CHECKING:
    from pathlib import Path


def project_in(folder: Path, *states: StateConfig, **pipeline: Any) -> Project:
    """Give a project whose states are these."""
    return Project(
        directory=str(folder), pipeline=PipelineConfig(name="golden-image", **pipeline), states=tuple(states)
    )


def completed(project: Project, *steps: Step) -> Progress:
    """Give the progress of a build on this host whose words are `steps`, every fingerprint taken now.

    Without words, all states of the project complete.
    """
    words = steps or tuple(completes(state.code, state.name) for state in project.states)
    return fold(map(_with_fingerprints(project), history(*words, host=HERE, start_ms=T0)))


def _with_fingerprints(project: Project) -> Any:
    def told(event: ev.Event) -> ev.Event:
        if isinstance(event, ev.AttemptStarted):
            return event.but(inputs=inputs_of(project.state(event.state), project))
        if isinstance(event, ev.AttemptCompleted):
            return event.but(outputs=outputs_of(project.state(event.state), project))
        return event

    return told
