"""Which build a person means by `resume`, whether it may go on, and by which command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.core import events as ev
from toolkit.core.values import Value
from toolkit.errors import NotFound, Refused
from toolkit.supervise.linking import OPEN_ENDS, being_run, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from toolkit.core.progress import Progress
    from toolkit.project import Project
    from toolkit.store import BuildRow, Store


class Recorded(Value):
    """How a build was last run; an empty command is that of the pipeline's own states."""

    command: tuple[str, ...] = ()
    directory: str | None = None


def unfinished(store: Store, pipeline: str) -> BuildRow | None:
    """Give the unfinished build of a pipeline that was touched last; only the last build of each target counts."""
    last = [row for row in {row.target: row for row in store.builds(pipeline=pipeline)}.values() if not row.abandoned]
    waiting = [row for row in last if row.status in OPEN_ENDS or row.holder is not None]
    return max(waiting, key=lambda row: row.updated_ms, default=None)


def to_resume(
    store: Store, project: Project, build: str | None = None, *, say: Callable[[str], None] | None = None
) -> Progress:
    """Give the build to go on with: the one named, or the last unfinished one.

    NotFound when there is none; BuildLeased or Refused when it cannot go on; `say` is told when that takes a while.
    """
    row = unfinished(store, project.pipeline.name) if build is None else store.row(build)
    if row is None and build is not None:
        raise NotFound(f"there is no build {build}")
    if row is None:
        raise NotFound(
            f"no build of {project.pipeline.name} waits to be resumed",
            hint="Begin one with `toolkit run`; an older one is resumed by its name: `toolkit resume BUILD`.",
        )
    settle(store, row, project, patient=True, say=say)
    progress = store.progress(row.build)
    if progress.run_open:
        raise being_run(store, progress)
    if progress.abandoned or progress.status == "completed":
        ended = "abandoned" if progress.abandoned else "completed"
        raise Refused(f"build {row.build} is {ended}", hint="Begin another with `toolkit run --build new`.")
    return progress


def may_go_on(progress: Progress, project: Project) -> None:
    """Raise Refused when a build has to wait for a person, or may never go on where it stopped."""
    from toolkit.supervise.planning import allowed

    if progress.held:
        reason = "" if progress.hold is None else f": {progress.hold.reason}"
        raise Refused(
            f"build {progress.build} is held{reason}",
            hint=f"Let it go on with `toolkit release {progress.build}`, then resume it.",
        )
    if allowed(project, progress) == "never":
        raise Refused(
            f"build {progress.build} always runs from its first state on: `resume` is never for it",
            hint=f"Start it over with `toolkit run --build {progress.build} -- COMMAND`.",
        )


def last_recorded(events: Sequence[ev.Event]) -> Recorded:
    """Give the command of the latest run, and the folder that it ran in."""
    for event in reversed(events):
        if isinstance(event, ev.RunStarted):
            return Recorded(command=event.command, directory=event.directory)
    return Recorded()
