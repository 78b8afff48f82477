"""`toolkit phase preview`: the recorded builds, replayed under another phase or another policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolkit.cli import completing
from toolkit.cli.opening import JsonOption, ProjectOption, StoreOption, open_project, print_json, print_table
from toolkit.core.words import how_many
from toolkit.errors import UsageError

if TYPE_CHECKING:
    from analysis.preview import Preview
    from toolkit.core.phase import PhaseName
    from toolkit.project import Project

DAY = 24
"""From so many hours on they are told as hours, to a tenth."""

PhaseArgument = Annotated[
    str,
    typer.Argument(
        metavar="PHASE",
        help="track-only, selective-retry or full-resume; or 1, 2, 3.",
        autocompletion=completing.phases,
    ),
]


def preview(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[PHASE]",
            help="As in `phase set`; with --policy alone it is selective-retry.",
            autocompletion=completing.phases,
        ),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Take rules, strategies, budget and states from this file."),
    ] = None,
    as_json: JsonOption = False,
    pipeline: Annotated[
        str | None,
        typer.Option(help="Of this pipeline; else the one that fails most.", autocompletion=completing.pipelines),
    ] = None,
    project: ProjectOption = None,
    store: StoreOption = None,
) -> None:
    """Replay the latest 2000 builds under another phase or policy, with the very decisions it would make.

    The file is written like toolkit.toml: a copy of yours, with the change that you think of.

    Examples:

      toolkit phase preview full-resume

      toolkit phase preview --policy tried.toml
    """
    if name is None and policy is None:
        raise UsageError("nothing says what to replay", hint="Name a phase, or a policy with --policy FILE.")
    here = open_project(project)
    if policy is not None:
        from toolkit.project import with_policy

        here = with_policy(here, policy)
    wanted = canonical_phase(name or "selective-retry")
    shape = replayed_under(here, store, wanted, pipeline=pipeline).shape()
    if as_json:
        print_json(shape)
    else:
        _print(shape, here)


def replayed_under(project: Project, store: str | None, wanted: str, *, pipeline: str | None) -> Preview:
    """Replay a pipeline's builds (None: of the one with the most) under a phase and the project's policy."""
    from analysis.replay import replay
    from analysis.study import MOST_BUILDS
    from phases import phase as phase_named
    from toolkit.cli.data import must_be_known, prices_of, tables_of
    from toolkit.cli.progress import telling

    with telling() as work, tables_of(project, store, work) as tables:
        must_be_known(tables, pipeline)
        work.stage(f"replaying under {wanted}")
        attempts = tables.recent(MOST_BUILDS, pipeline)
        states = {each.code: each for each in project.states}
        return replay(
            attempts, phase_named(wanted), project.policy, phase=wanted, pipeline=pipeline, states=states,
            prices=prices_of(project),
        )  # fmt: skip


def canonical_phase(text: str) -> PhaseName:
    """Give a phase's own name for any of its names; UsageError for a word that is none."""
    from phases import canonical

    try:
        return canonical(text)
    except ValueError as error:
        raise UsageError(str(error), hint="Name one of the three phases, or 1, 2 or 3.") from None


def _print(shape: dict[str, Any], project: Project) -> None:
    of = f" of {shape['pipeline']}" if shape["pipeline"] else ""
    print(f"{how_many(shape['builds'], 'recorded build')}{of}, had they followed {shape['phase']}:\n")
    rows = []
    for key, title, say in (
        ("hours_to_green", "time to green", _hours),
        ("machine_hours", "machine time", _hours),
        ("start_overs", "start-overs", "{:.1f}".format),
    ):
        replayed = shape[key]["replayed"]
        between = f"{say(replayed['mean'])} ({say(replayed['low'])} to {say(replayed['high'])})"
        rows.append([title, say(shape[key]["recorded"]), between])
    print_table(["", "recorded", "replayed (90 %)"], rows, right=frozenset({1}))
    told = (
        f"{how_many(round(shape['retries']), 'retry', 'retries')}, {shape['futile_retries']:.0f} of them futile; "
        f"{how_many(round(shape['held']), 'build')} held"
    )
    print(f"\n{told}. {shape['observed_share']:.0%} of the time was observed, the rest is estimated.")
    if shape["phase"] == "selective-retry" and not shape["retries"] and not shape["held"]:
        if acts(project):
            print("No strategy and no rule answers these failures otherwise than by starting over, as was done.")
        else:
            print("No strategy or rule would have acted; `toolkit recommend` says which are worth having.")


def acts(project: Project) -> bool:
    """Tell whether a project has a rule, or a state with a strategy; without them selective-retry only starts over."""
    policy = project.policy
    return bool(policy.rules) or any(policy.strategy_of(each) is not None for each in project.states)


def _hours(hours: float) -> str:
    """Write hours so that builds of seconds have figures, too."""
    from toolkit.core.moments import duration_text

    return f"{hours:,.1f}h" if hours >= DAY else duration_text(3600 * hours)
