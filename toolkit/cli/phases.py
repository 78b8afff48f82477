"""`toolkit phase`: which phase is in force, what another one would bring, and the change to it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolkit.cli import completing
from toolkit.cli.opening import (
    JsonOption,
    ProjectOption,
    StoreOption,
    history_of,
    open_project,
    print_json,
    print_table,
)
from toolkit.cli.previewing import PhaseArgument, acts, canonical_phase, preview, replayed_under
from toolkit.cli.summaries import Summaries
from toolkit.cli.taints import taints_of, told, trust
from toolkit.cli.trials import arms_of, print_arms
from toolkit.core.words import how_many
from toolkit.errors import NothingRecorded, Refused, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analysis.ready import Readiness
    from analysis.recommendation import Recommendation
    from toolkit.core import events as ev
    from toolkit.project import Project

NOTHING_ACTS = (
    "No state has a strategy and there is no rule yet, so each failure still starts over. `toolkit recommend --apply` "
    'writes rules; or write strategy = "expensive" under [[states]].'
)

phase = typer.Typer(
    cls=Summaries, help="Show, judge and change the phase.", no_args_is_help=True, rich_markup_mode=None
)


def register(cli: typer.Typer) -> None:
    """Add the commands to the command line."""
    phase.command()(preview)
    cli.add_typer(phase, name="phase")


@phase.command()
def show(as_json: JsonOption = False, project: ProjectOption = None, store: StoreOption = None) -> None:
    """Show which phase is in force, for which states, since when and by whose word.

    Example:

      toolkit phase show --json
    """
    here = open_project(project)
    changes = _changes(here, store)
    last = changes[-1] if changes else None
    arms = arms_of(here, store)
    taints = taints_of(here, store)
    shape: dict[str, Any] = {
        "phase": here.phase,
        "states": {str(codes): name for codes, name in here.overrides.items()},
        "share": here.share,
        "rest": here.rest_phase if here.share < 1 else None,
        "since": None if last is None else _moment(last.ts_ms),
        "by": None if last is None else last.by,
        "why": None if last is None else last.why,
        "arms": None if arms is None else arms.model_dump(mode="json"),
        "tainted": {rule: {"build": each.of, "by": each.by_build, "why": each.reason} for rule, each in taints.items()},
    }
    if as_json:
        print_json(shape)
        return
    print(f"phase {shape['phase']}")
    for codes, name in shape["states"].items():
        print(f"  states {codes}: {name}")
    if here.share < 1:
        print(f"  {here.share:.0%} of the builds follow it, the others {here.rest_phase}")
    if last is not None:
        taken_back = f" (back from {last.before})" if last.rolled_back else ""
        print(f"  since {shape['since']}, set by {last.by}{taken_back}{': ' + last.why if last.why else ''}")
    for rule, taint in taints.items():
        print(f"  {told(rule, taint)}")
    if arms is not None:
        print_arms(arms)


phase.command()(trust)


@phase.command("set")
def set_(
    name: PhaseArgument,
    states: Annotated[str | None, typer.Option(metavar="CODES", help="Only for these states: 5,10-65.")] = None,
    share: Annotated[str | None, typer.Option(metavar="20%", help="Only for so many of the builds.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Even if `phase ready` says no; this is recorded.")] = False,
    why: Annotated[str | None, typer.Option("--why", "-m", metavar="TEXT", help="The reason, for the history.")] = None,
    as_json: JsonOption = False,
    project: ProjectOption = None,
    store: StoreOption = None,
) -> None:
    """Change the phase in toolkit.toml (comments are kept) and record who did it and why.

    Moving up asks `toolkit phase ready` first. A build that is running changes at its next state.

    Examples:

      toolkit phase set selective-retry

      toolkit phase set selective-retry --states 5,20

      toolkit phase set full-resume --share 20%
    """
    from phases import PHASES
    from toolkit.configure.edit import set_phase
    from toolkit.core.codes import parse_codes
    from toolkit.project import FILE

    wanted = canonical_phase(name)
    here = open_project(project)
    try:
        codes = None if states is None else parse_codes(states)
    except ValueError as error:
        raise UsageError(str(error), hint="Write --states 5,10-65.") from None
    part = _share(share)
    if PHASES.index(wanted) > PHASES.index(here.phase) and not force:
        try:
            readiness = _readiness(here, store, wanted)
            missing = "" if readiness.ready else readiness.why
        except NothingRecorded as error:
            missing = str(error)
        if missing:
            raise Refused(
                f"{wanted} is not ready: {missing}",
                hint="See `toolkit phase ready`, or add --force; that is recorded.",
            )
    set_phase(here.file or os.path.join(here.directory, FILE), wanted, codes, part)
    _record(here, store, wanted, states, part, forced=force, why=why)
    if as_json:
        show(as_json=True, project=here.directory, store=store)
    else:
        followed = f", {part:.0%} of the builds follow it" if part is not None and part < 1 else ""
        whose = f" for states {states}" if states else ", for all states" if here.overrides else ""
        print(f"phase {here.phase} -> {wanted}{whose}{followed}")
    if wanted == "selective-retry" and not acts(here):
        print(f"hint: {NOTHING_ACTS}", file=sys.stderr)


@phase.command()
def history(as_json: JsonOption = False, project: ProjectOption = None, store: StoreOption = None) -> None:
    """List the changes of phase: when, by whom, why.

    Example:

      toolkit phase history
    """
    changes = _changes(open_project(project), store)
    shapes = [
        {
            "ts": _moment(each.ts_ms), "phase": each.phase, "before": each.before, "states": each.states,
            "share": each.share, "forced": each.forced, "rolled_back": each.rolled_back, "by": each.by, "why": each.why,
            "evidence": dict(each.evidence) or None,
        }
        for each in changes
    ]  # fmt: skip
    if as_json:
        print_json({"changes": shapes})
    elif not shapes:
        print("the phase was never changed")
    else:
        titles = ["ts", "before", "phase", "states", "share", "forced", "by", "why"]
        print_table(titles, [[_said(each[title]) for title in titles] for each in shapes])


@phase.command()
def ready(
    name: PhaseArgument, as_json: JsonOption = False, project: ProjectOption = None, store: StoreOption = None
) -> int:
    """Judge from the recorded builds whether it is time to move to a phase; exit code 6 when it is not.

    Example:

      toolkit phase ready selective-retry
    """
    here = open_project(project)
    readiness = _readiness(here, store, canonical_phase(name))
    if as_json:
        print_json(readiness.model_dump(mode="json"))
    else:
        opened = sum(not each.ok for each in readiness.checks)
        counted = f"{opened} of {how_many(len(readiness.checks), 'condition')} {'is' if opened == 1 else 'are'} open"
        told = f"is ready: {readiness.why}" if readiness.ready else f"is not ready yet: {counted}"
        print(f"{here.pipeline.name}: {readiness.phase} {told}")
        rows = [
            [each.name, "ok" if each.ok else "open", each.have if each.ok else f"{each.have}; it takes {each.need}"]
            for each in readiness.checks
        ]
        if rows:
            print()
            print_table(["check", "", "what there is"], rows)
    return 0 if readiness.ready else 6


@phase.command()
def explain(
    state: Annotated[
        int,
        typer.Option("--state", min=0, metavar="CODE", help="The state that fails.", autocompletion=completing.states),
    ],
    failure: Annotated[
        str, typer.Option(metavar="SIGNATURE", help="The failure's signature or class, such as net.timeout.")
    ],
    as_json: JsonOption = False,
    project: ProjectOption = None,
    store: StoreOption = None,
) -> None:
    """Say which rule would answer a first failure of a state in each phase, and why the others would not.

    Example:

      toolkit phase explain --state 5 --failure net.timeout
    """
    del store  # every command takes it, so that a wrapper may always give it; rules alone answer here
    from toolkit.cli.explaining import explained, print_explained

    here = open_project(project)
    shape = explained(here, here.state(state), failure)
    if as_json:
        print_json(shape)
    else:
        print_explained(shape)


@phase.command()
def rollback(
    why: Annotated[str | None, typer.Option("--why", "-m", metavar="TEXT", help="The reason, for the history.")] = None,
    as_json: JsonOption = False,
    project: ProjectOption = None,
    store: StoreOption = None,
) -> None:
    """Return to the phase before the last change.

    Example:

      toolkit phase rollback -m "too many futile retries"
    """
    from toolkit.configure.edit import end_trial, set_phase

    here = open_project(project)
    changes = _changes(here, store)
    if not changes or changes[-1].before is None or here.file is None:
        raise Refused("there is no change of phase to take back", hint="See `toolkit phase history`.")
    if changes[-1].rolled_back:
        raise Refused(
            "the last change was taken back already", hint="Move up with `toolkit phase set`, which asks `phase ready`."
        )
    before = changes[-1].before
    if here.share < 1:
        end_trial(here.file)
    else:
        set_phase(here.file, canonical_phase(before), None, None)
    _record(here, store, before, None, None, forced=True, rolled_back=True, why=why)
    if as_json:
        show(as_json=True, project=here.directory, store=store)
    else:
        print(f"phase {here.phase} -> {before}")


def apply_recommendation(project: Project, store: str | None, advice: Recommendation) -> list[str]:
    """Write recommended rules into toolkit.toml and record that it was done; gives their ids."""
    from toolkit.configure.edit import apply_rules
    from toolkit.core.events import PROJECT, PolicyApplied
    from toolkit.project import FILE

    written = apply_rules(project.file or os.path.join(project.directory, FILE), advice.shape())
    if written:
        with history_of(project, store, create=True) as kept:
            kept.append_project(PolicyApplied(build=PROJECT, ts_ms=_now(), by=_me(), rules=tuple(written)))
    return written


def _readiness(project: Project, store: str | None, wanted: str) -> Readiness:
    from analysis.ready import ready as judge
    from analysis.recommend import recommend
    from analysis.study import MOST_BUILDS
    from toolkit.cli.data import prices_of, tables_of

    with tables_of(project, store) as tables:
        attempts = tables.recent(MOST_BUILDS, project.pipeline.name)
        builds = tables.frame("select pipeline, status, degraded from builds")
    ours = project.pipeline.name if project.pipeline.name in attempts["pipeline"] else None
    advice = recommend(attempts, pipeline=ours, prices=prices_of(project))
    replayed = replayed_under(project, store, wanted, pipeline=ours) if attempts.height else None
    policy = project.policy.but(every_state=wanted == "full-resume")
    covered = {
        each.code: policy.strategy_of(project.state(each.code)) is not None
        or any(rule.states is None or each.code in rule.states for rule in policy.rules)
        for each in advice.states
    }
    return judge(wanted, builds, advice, preview=replayed, states=project.states, covered=covered)  # type: ignore[arg-type]


def _record(
    project: Project,
    store: str | None,
    name: str,
    states: str | None,
    share: float | None,
    *,
    forced: bool,
    rolled_back: bool = False,
    why: str | None,
) -> None:
    from toolkit.core.events import PROJECT, PhaseChanged

    change = PhaseChanged(
        build=PROJECT, ts_ms=_now(), phase=name, before=project.phase, states=states, share=share, forced=forced,
        rolled_back=rolled_back, by=_me(), why=why,
    )  # fmt: skip
    with history_of(project, store, create=True) as kept:
        kept.append_project(change)


def _changes(project: Project, store: str | None) -> Sequence[ev.PhaseChanged]:
    from toolkit.core.events import PhaseChanged

    try:
        with history_of(project, store) as kept:
            return [each for each in kept.project_events() if isinstance(each, PhaseChanged)]
    except NothingRecorded:
        return []


def _said(value: object) -> object:
    return ("yes" if value else "") if isinstance(value, bool) else value


def _share(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 < share <= 1:
        raise UsageError(f"'{text}' is not a share of the builds", hint="Write --share 20%.")
    return share


def _moment(ts_ms: int) -> str:
    from toolkit.core.moments import rfc3339

    return rfc3339(ts_ms)


def _now() -> int:
    from toolkit.supervise.ledger import now_ms

    return now_ms()


def _me() -> str:
    from toolkit.cli.people import me

    return me()
