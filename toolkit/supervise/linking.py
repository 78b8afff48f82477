"""Which build a run belongs to, and the truth about runs whose supervisor died."""

from __future__ import annotations

import os
from collections.abc import Mapping
from time import monotonic, sleep
from typing import TYPE_CHECKING

from phases.rollout import Arm, arm_of
from toolkit.core import events as ev
from toolkit.core.phase import PhaseName
from toolkit.core.progress import fold
from toolkit.core.values import NOTHING, Value
from toolkit.core.verifying import LABEL
from toolkit.errors import BuildLeased, Refused
from toolkit.supervise.holder import HERE, fate, is_dead, spoken, this_process
from toolkit.supervise.last_words import clear_away, last_words
from toolkit.supervise.lease import holder_is_gone, seconds_left
from toolkit.supervise.ledger import now_ms
from toolkit.supervise.selecting import WHOLE, Selection

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolkit.core.progress import Progress
    from toolkit.project import Project
    from toolkit.store import BuildRow, Store, Writer

FINISHING_SECONDS = 60.0
SILENT_SECONDS = 1.0
LOOK_SECONDS = 0.02
OPEN_ENDS = frozenset({"failed", "interrupted"})


class Trial(Value):
    """Only a share of the builds, from 0 to 1, follows the project's phase; the others follow `rest`."""

    share: float
    rest: PhaseName


class Wanted(Value):
    """What the command line asks of a run. `link_window` in seconds."""

    pipeline: str
    target: str | None = None
    build: str | None = None
    labels: Mapping[str, str] = NOTHING
    phase: PhaseName = "track-only"
    """What the project follows."""
    override: PhaseName | None = None
    """What this run follows instead, by its caller's word; then it is in no arm of a trial."""
    trial: Trial | None = None
    """A phase is being tried on a share of the builds."""
    link_window: float = 86400.0
    command: tuple[str, ...] = ()
    limits: bool = False
    """Obey `timeout` and `stall` where states are only tracked, too."""
    lease: float | None = None
    """Seconds for which the run counts as supervised without a sign of life; None where runs may stand side by side."""
    only_to_verify: bool = False
    """Nothing is built but for the sake of the build that its label names."""
    reason: ev.RunReason | None = None
    """Why the run of an existing build begins, where that is not what its phase always does."""
    asked: Selection = WHOLE
    """The part of the pipeline that is to run."""


def begin_run(store: Store, wanted: Wanted, project: Project, say: Callable[[str], None] | None = None) -> Writer:
    """Begin a run of a new build or of the one that it continues, durably; BuildLeased when somebody else runs it.

    `say` is told when that takes a while. A build that nobody named is not fought for: a new one is begun.
    """
    known = build_to_continue(store, wanted)
    if known is not None:
        try:
            return _continue(store, wanted, known, project, say)
        except BuildLeased:
            if wanted.build is not None:
                raise
    new = None if wanted.build in {None, "new"} else wanted.build
    return store.begin(lambda build: _first_facts(build, _unless_verified(store, wanted)), build=new)


def _unless_verified(store: Store, wanted: Wanted) -> Wanted:
    if LABEL not in wanted.labels:
        return wanted
    from toolkit.supervise.verification import unless_verified

    return unless_verified(store, wanted)


def _continue(
    store: Store, wanted: Wanted, known: BuildRow, project: Project, say: Callable[[str], None] | None
) -> Writer:
    settle(store, known, project, patient=wanted.build is not None, say=say)
    lease, progress = store.lease(known.build), store.progress(known.build)
    if wanted.build is not None and _is_finishing(progress):
        _let_finish(progress, say)
        lease, progress = store.lease(known.build), store.progress(known.build)
    if progress.held and _followed(known.build, wanted)[0] != "track-only":
        reason = "" if progress.hold is None else f": {progress.hold.reason}"
        raise Refused(
            f"build {known.build} is held{reason}",
            hint=f"Let it go on with `toolkit release {known.build}`, or begin another with `--build new`.",
        )
    if progress.run_open or _is_finishing(progress):
        raise being_run(store, progress)
    if _followed(known.build, wanted)[0] == "full-resume":
        clear_away(progress, project, say)

    def first(seen: Progress) -> list[ev.Event]:
        return [_run_started(known.build, wanted, run=seen.run + 1)]

    return store.writer(known.build, replacing=lease.token, first=first)


def _is_finishing(progress: Progress) -> bool:
    """Tell whether a run has ended whose supervisor still writes down why, or tells people: that is its own to do."""
    holder = progress.holder or ""
    return not progress.run_open and holder != this_process() and fate(holder) == "alive"


def _let_finish(progress: Progress, say: Callable[[str], None] | None) -> None:
    """Wait for such a supervisor, as long as what it does may take."""
    began = monotonic()
    told = say is None
    while _is_finishing(progress) and (waited := monotonic() - began) < FINISHING_SECONDS:
        if not told and waited > SILENT_SECONDS and say is not None:
            told = True
            say(f"waiting for {spoken(progress.holder)}, which still tells what became of build {progress.build}")
        sleep(LOOK_SECONDS)


def being_run(store: Store, progress: Progress) -> BuildLeased:
    """Say who runs a build, and for how long that is certain where it cannot be seen."""
    told = f"build {progress.build} is being run by {spoken(progress.holder)}"
    host = (progress.holder or "").split("/")[0]
    if host == HERE or progress.lease is None:
        return BuildLeased(told)
    left = seconds_left(store, progress)
    return BuildLeased(
        f"{told}; its lease holds for another {left:.0f} s unless it is renewed",
        hint=f"Wait for it, or stop it there. If {host} is gone for good: `toolkit unlock {progress.build}`.",
    )


def settle(
    store: Store,
    row: BuildRow,
    project: Project,
    *,
    patient: bool = False,
    say: Callable[[str], None] | None = None,
) -> bool:
    """Record `interrupted` for a run whose supervisor died or lost its lease; tells whether it did.

    With patience, a lease that seems to have run out is watched first; `say` is told so.
    """
    if row.status != "in_progress" or row.holder is None:
        return False
    lease = store.lease(row.build)
    progress = store.progress(row.build)
    if not progress.run_open or progress.holder is None:
        return False
    if not holder_is_gone(store, progress, patient=patient, say=say):
        return False
    reason = "the supervisor ended without a word"
    if not is_dead(progress.holder):
        reason = f"{spoken(progress.holder)} let its lease run out"
    try:
        take_away(store, progress, lease.token, reason, *last_words(progress, project))
    except BuildLeased:
        return False  # somebody else found out at the same moment
    return True


def take_away(store: Store, progress: Progress, token: int, reason: str, *facts: ev.Event) -> None:
    """Close an open run in the place of its supervisor, whose token this was; BuildLeased when it still writes."""
    store.writer(
        progress.build, replacing=token, first=lambda seen: [*facts, *_interruption(fold(facts, seen), reason)]
    )


def _interruption(progress: Progress, reason: str) -> list[ev.Event]:
    facts: list[ev.Event] = [
        ev.AttemptInterrupted(
            build=progress.build,
            ts_ms=now_ms(),
            run=each.run,
            state=each.state,
            name=each.name,
            attempt=each.attempt,
            duration=None,
            reason=reason,
        )
        for each in progress.open_attempts()
    ]
    ended = ev.RunEnded(build=progress.build, ts_ms=now_ms(), run=progress.run, outcome="interrupted", reason=reason)
    return [*facts, ended]


def settle_all(store: Store, project: Project) -> int:
    """Record the truth about all runs whose supervisor is gone; gives how many there were."""
    return sum(settle(store, row, project) for row in store.builds(status="in_progress"))


def build_to_continue(store: Store, wanted: Wanted) -> BuildRow | None:
    """Give the build that a run belongs to; None when it begins one. Refused when the one named is over."""
    if wanted.build == "new":
        return None
    if wanted.build is not None:
        row = store.row(wanted.build)
        if row is not None and (row.status == "completed" or row.abandoned):
            ended = "abandoned" if row.abandoned else "completed"
            raise Refused(
                f"build {row.build} is {ended}", hint="Begin another with `--build new`, or leave `--build` away."
            )
        return row
    row = store.latest(wanted.pipeline, wanted.target)
    if row is None or row.abandoned:
        return None
    dead = row.status == "in_progress" and row.holder is not None and is_dead(row.holder)
    if row.status not in OPEN_ENDS and not dead:
        return None
    recent = now_ms() - (row.updated_ms or 0) <= wanted.link_window * 1000
    return row if recent else None


def _first_facts(build: str, wanted: Wanted) -> tuple[ev.Event, ...]:
    begun = ev.BuildBegun(
        build=build, ts_ms=now_ms(), pipeline=wanted.pipeline, target=wanted.target, labels=wanted.labels
    )
    return begun, _run_started(build, wanted, run=1)


def _run_started(build: str, wanted: Wanted, run: int) -> ev.RunStarted:
    phase, arm = _followed(build, wanted)
    usual: ev.RunReason = "resume" if phase == "full-resume" else "start-over"
    reason: ev.RunReason = "first" if run == 1 else wanted.reason or usual
    return ev.RunStarted(
        build=build, ts_ms=now_ms(), run=run, reason=reason, command=wanted.command, host=HERE, phase=phase,
        holder=this_process(), lease=None if arm == "old" and phase == "track-only" else wanted.lease, arm=arm,
        directory=_here(), labels=NOTHING if run == 1 else wanted.labels,
    )  # fmt: skip


def _followed(build: str, wanted: Wanted) -> tuple[PhaseName, Arm | None]:
    """Give the phase that a build follows, and the arm it is in while a phase is tried on a share of the builds."""
    if wanted.override is not None or wanted.trial is None:
        return wanted.override or wanted.phase, None
    arm = arm_of(build, wanted.trial.share)
    return (wanted.phase if arm == "new" else wanted.trial.rest), arm


def _here() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None
