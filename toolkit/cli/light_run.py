"""`toolkit run`: an existing build, wrapped, or the pipeline's own commands, state by state."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from toolkit.cli.parts import asked_of, foresee
from toolkit.core.values import NOTHING
from toolkit.errors import BuildLeased, NotFound, StoreUnavailable, ToolkitError, UsageError
from toolkit.supervise.selecting import WHOLE

if TYPE_CHECKING:
    from toolkit.core.phase import PhaseName
    from toolkit.project import Project
    from toolkit.store import Store
    from toolkit.supervise.deciding import Phases
    from toolkit.supervise.linking import Wanted
    from toolkit.supervise.process import Ended
    from toolkit.supervise.runner import Runner


def run_light(options: Mapping[str, Any], command: Sequence[str]) -> int:
    """Run a build and end as it does."""
    from toolkit.supervise.process import CannotSupervise, become, die_like

    if options.get("build") != "new" and command and _is_inside_a_build():
        become(command)  # the states inside belong to the build around us
    from toolkit.supervise.bounded import BEFORE_SECONDS, within

    try:
        project = _project(options)
    except FileNotFoundError as error:  # we stand in a folder that was removed, and have no other to look from
        if not command:
            raise NotFound(f"there is no project here: {error.strerror}", hint="Name it with --project.") from None
        _go_on_unrecorded(command, f"there is no project here ({error.strerror})")
    wanted = _wanted(project, options, command)
    try:
        patience = BEFORE_SECONDS if wanted.build is None else None  # who names a build waits for its lease
        runner = within(patience, lambda: _begun(project, wanted, options))
    except (StoreUnavailable, BuildLeased, OSError) as error:
        strict = isinstance(error, BuildLeased) or wanted.asked != WHOLE
        if not command or (project.acts if strict else project.resumes)(wanted.override):
            raise
        _go_on_unrecorded(command, str(error))
    try:
        runner, ended = _runs(runner, options)
    except CannotSupervise as error:
        if project.acts(wanted.override) or not command:
            raise
        _go_on_unrecorded(command, str(error))
    with contextlib.suppress(Exception):  # the build has its end, and the next run looks again
        if not runner.ledger.degraded:
            if wanted.trial is not None:
                _look_after_trial(project, runner)
            runner.store.close()
        from toolkit.cli.publishing import publish

        publish(project, runner.store.url, runner.ledger.build, runner.ledger.unrecorded)
    die_like(ended)


def _is_inside_a_build() -> bool:
    from toolkit.supervise.asking import listens

    return listens(os.environ.get("TOOLKIT_WIRE", ""))


def _begun(project: Project, wanted: Wanted, options: Mapping[str, Any]) -> Runner:
    from toolkit.supervise.runner import Runner

    store = options.get("opened") or _store(project, options)
    if wanted.asked != WHOLE and options.get("reason") != "resume":
        _check(store, project, wanted)
    if options.get("verify_clean") or project.pipeline.verify_clean > 0:
        from toolkit.supervise.verification import verifying

        share = 1.0 if options.get("verify_clean") else project.pipeline.verify_clean
        wanted = verifying(store, wanted, share, asked=bool(options.get("verify_clean")))
    return Runner(project, store, _with_trial(project, store, wanted), _phases)


def _go_on_unrecorded(command: Sequence[str], why: str) -> NoReturn:
    """Let the build take our place; its states just run, and scripts find the helper where they count on it."""
    from toolkit.supervise import shell_helper
    from toolkit.supervise.process import become
    from toolkit.supervise.runner import warn

    warn(f"recording is in trouble, the build goes on unrecorded: {why}")
    become(command, {"TOOLKIT_SHELL": shell_helper()})


def _let_go(ended: Ended) -> None:
    """The build is over and has its end, whatever is sent to us while we still write things down."""
    import signal

    from toolkit.supervise.process import die_like
    from toolkit.supervise.signals import STOPPING

    for number in STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: die_like(ended))


def _runs(runner: Runner, options: Mapping[str, Any]) -> tuple[Runner, Ended]:
    """Run the build, and again as often as it is to go on by itself; gives the last run, and how it ended."""
    from toolkit.supervise.runner import Runner, warn
    from toolkit.supervise.sequel import Sequel
    from toolkit.supervise.signals import pause

    extra = {
        f"TOOLKIT_{name.upper()}": os.path.abspath(options[name]) if name == "project" else options[name]
        for name in ("project", "store")
        if options.get(name)
    }
    project, wanted = runner.project, runner.wanted
    restarts = project.pipeline.restarts
    at: int | None = None
    while True:
        ended = runner.go(extra, at)
        _let_go(ended)
        sequel = Sequel(runner, ended)
        try:
            sequel.understand()
            following = sequel.next_run()
            if following is None or (following.reason == "start-over" and restarts == 0):
                sequel.farewell()
                return runner, ended
        except Exception as error:  # noqa: BLE001 - the build has its end; what we fail to add to it is a hole
            runner.ledger.trouble(str(error))
            return runner, ended
        at = following.state
        restarts -= following.reason == "start-over"
        pause(following.wait)
        wanted = wanted.but(build=runner.ledger.build, reason=following.reason, labels=NOTHING)  # it has its labels
        try:
            runner = Runner(project, runner.store, wanted, _phases)
        except (ToolkitError, OSError) as error:
            warn(f"the build cannot go on by itself: {error}")
            with contextlib.suppress(Exception):  # as above
                sequel.farewell()
            return runner, ended


def _project(options: Mapping[str, Any]) -> Project:
    from toolkit.project import find_project, load_project

    where = options.get("project") or os.environ.get("TOOLKIT_PROJECT")
    if where is not None and not os.path.isdir(where):
        raise NotFound(f"there is no project folder {where}", hint="Name a folder that exists with --project.")
    return load_project(where or find_project(os.getcwd()))


def _store(project: Project, options: Mapping[str, Any]) -> Store:
    from toolkit.project import store_url
    from toolkit.store import open_store

    return open_store(store_url(project, options.get("store") or os.environ.get("TOOLKIT_STORE")))


def _wanted(project: Project, options: Mapping[str, Any], command: Sequence[str]) -> Wanted:
    from toolkit.supervise.lease import lease_seconds
    from toolkit.supervise.linking import Trial, Wanted

    if not command and not any(state.run for state in project.states) and not options.get("verify_clean"):
        raise UsageError(
            "there is nothing to run: no command was given, and no state in toolkit.toml has a `run` entry",
            hint="Write `toolkit run -- ./build.sh`, or give the states `run = …`.",
        )
    labels = dict(_label(each) for each in options.get("label") or ())
    asked = asked_of(options, ())
    override = _phase(options.get("phase")) or (None if asked.first is None else "full-resume")
    trial = Trial(share=project.share, rest=project.rest_phase) if project.share < 1 else None
    return Wanted(
        pipeline=project.pipeline.name, target=options.get("target"), build=options.get("build"), labels=labels,
        phase=project.phase, override=override, trial=trial,
        link_window=project.pipeline.link_window, command=tuple(command), reason=options.get("reason"),
        limits=bool(options.get("limits")), lease=lease_seconds() if project.acts(override) else None, asked=asked,
    )  # fmt: skip


def _check(store: Store, project: Project, wanted: Wanted) -> None:
    """Refuse a part of a pipeline before anything runs, when it could only stop half-way."""
    from toolkit.supervise.linking import build_to_continue, settle

    row = build_to_continue(store, wanted)
    if row is not None:
        settle(store, row, project)
    phase = wanted.override or wanted.phase
    foresee(store, project, phase, wanted.asked, None if row is None else store.progress(row.build))


def _with_trial(project: Project, store: Store, wanted: Wanted) -> Wanted:
    """Where a trial was taken back, every build follows what the others always did."""
    if wanted.trial is None:
        return wanted
    from toolkit.supervise.trial import over

    return wanted.but(trial=wanted.trial.but(share=0.0)) if over(project, store) else wanted


def _look_after_trial(project: Project, runner: Runner) -> None:
    """Take a trial back that does harm; trouble with that must not reach the build, and the next one looks again."""
    from toolkit.supervise.trial import guard

    with contextlib.suppress(ToolkitError):
        told = guard(project, runner.store)
        if told is not None:
            runner.herald.rolled_back(told.why)
            runner.herald.wait()


def _phases() -> Phases:
    """Load the deciding side."""
    from phases import phase
    from phases.shadow import shadow
    from toolkit.supervise.deciding import Phases

    return Phases(decide=phase, shadow=shadow)


def _label(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise UsageError(f"'{text}' is not a label", hint="Write --label KEY=VALUE.")
    return key, value


def _phase(text: str | None) -> PhaseName | None:
    if text is None:
        return None
    from phases import canonical

    try:
        return canonical(text)
    except ValueError as error:
        raise UsageError(str(error), hint="Name one of the three phases, or 1, 2 or 3.") from None
