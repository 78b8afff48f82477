"""Watches a phase that is tried on a share of the builds, and takes it back when it harms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phases.rollout import arm_of
from phases.trial import Outcome, compare
from toolkit.core.events import PROJECT, PhaseChanged
from toolkit.project import load_project
from toolkit.supervise.ledger import now_ms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from phases.trial import Comparison
    from toolkit.core.events import Event
    from toolkit.project import Project
    from toolkit.store import BuildRow, Store

MOST_BUILDS = 2000
"""Of a trial, the latest so many builds are compared."""
GUARD = "the trial's guard"
_HOUR_MS = 3_600_000


def over(project: Project, store: Store) -> bool:
    """Tell whether the trial that toolkit.toml describes was taken back.

    The record says so even where the file does not: a fresh checkout still holds the file as it was committed.
    """
    return _is_over(project, _changes(store.project_events()))


def judge(project: Project, store: Store) -> Comparison | None:
    """Compare the arms of the present trial; None where there is none."""
    if not 0 < project.share < 1:
        return None
    return _compared(project, store, _changes(store.project_events()))


def guard(project: Project, store: Store) -> Comparison | None:
    """Take a trial back that does harm, in the record and in toolkit.toml; gives the evidence when it did.

    Of builds that find so at the same moment one does it, and none where a person changed the phase meanwhile.
    """
    if not 0 < project.share < 1:
        return None
    changes = _changes(store.project_events())
    if _is_over(project, changes) or not _is_on(project):
        return None
    told = _compared(project, store, changes)
    if told.verdict != "worse":
        return None
    fact = PhaseChanged(
        build=PROJECT, ts_ms=now_ms(), phase=project.rest_phase, before=project.phase, rolled_back=True,
        evidence=told.shape(), by=GUARD, why=told.why,
    )  # fmt: skip
    if not store.append_project(fact, unless=lambda facts: _changes(facts) != changes):
        return None
    if project.file is not None:
        from toolkit.configure.edit import end_trial

        end_trial(project.file)
    return told


def _changes(facts: Iterable[Event]) -> list[PhaseChanged]:
    return [each for each in facts if isinstance(each, PhaseChanged)]


def _is_over(project: Project, changes: Sequence[PhaseChanged]) -> bool:
    last = changes[-1] if changes else None
    return last is not None and last.rolled_back and last.by == GUARD and last.before == project.phase


def _is_on(project: Project) -> bool:
    """Tell whether toolkit.toml still describes this trial: a build may have taken hours."""
    present = load_project(project.directory)
    return (present.phase, present.share, present.rest_phase) == (project.phase, project.share, project.rest_phase)


def _compared(project: Project, store: Store, changes: Sequence[PhaseChanged]) -> Comparison:
    return compare(_outcomes(project, store, changes[-1].ts_ms if changes else 0), project.share)


def _outcomes(project: Project, store: Store, since: int) -> list[Outcome]:
    """Give the ended builds of the trial, which began at `since`, in the order in which they ended."""
    rows = store.builds(pipeline=project.pipeline.name, limit=MOST_BUILDS)
    ended = sorted(
        (row for row in rows if row.started_ms >= since and _ended(project, row)), key=lambda row: row.updated_ms
    )
    return list(_told(project, ended))


def _told(project: Project, ended: list[BuildRow]) -> Iterator[Outcome]:
    for row in ended:
        arm = arm_of(row.build, project.share)
        if row.phase != (project.phase if arm == "new" else project.rest_phase):
            continue  # its caller chose another phase
        green = row.status == "completed"
        yield Outcome(arm=arm, hours=(row.updated_ms - row.started_ms) / _HOUR_MS if green else None)


def _ended(project: Project, row: BuildRow) -> bool:
    """Tell whether a build is green or given up; one that may still be continued is neither."""
    if row.status == "completed" or row.abandoned:
        return True
    idle_ms = now_ms() - row.updated_ms
    return row.status != "in_progress" and not row.held and idle_ms > project.pipeline.link_window * 1000
