"""`toolkit report` and `recommend`: what the recorded history says."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from toolkit.cli import completing
from toolkit.cli.data import must_be_known, prices_of, tables_of, watch_over
from toolkit.cli.opening import JsonOption, ProjectOption, StoreOption, open_project, print_json
from toolkit.cli.progress import telling
from toolkit.cli.trials import arms_of
from toolkit.cli.writing import write_whole
from toolkit.core.words import how_many
from toolkit.errors import UsageError


def register(cli: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (report, recommend):
        cli.command()(command)


def report(
    as_json: JsonOption = False,
    markdown: Annotated[str | None, typer.Option(metavar="FILE", help="Write Markdown there; - is stdout.")] = None,
    html: Annotated[str | None, typer.Option(metavar="FILE", help="Write one self-contained page there.")] = None,
    since: Annotated[str | None, typer.Option(metavar="30d", help="Only what began since so long ago.")] = None,
    pipeline: Annotated[
        str | None, typer.Option(help="Only this pipeline.", autocompletion=completing.pipelines)
    ] = None,
    target: Annotated[str | None, typer.Option(help="Only this target.", autocompletion=completing.targets)] = None,
    compare: Annotated[str | None, typer.Option(metavar="30d..60d", help="Compare with an earlier time.")] = None,
    csv: Annotated[str | None, typer.Option(metavar="DIR", help="Write every table as CSV there.")] = None,
    parquet: Annotated[str | None, typer.Option(metavar="DIR", help="Write every table as Parquet there.")] = None,
    project: ProjectOption = None,
    store: StoreOption = None,
) -> None:
    """Say what failures cost, where, and what they were.

    Examples:

      toolkit report --since 30d --compare 30d..60d

      toolkit report --html report.html --pipeline golden-image

      toolkit report --markdown - >> "$GITHUB_STEP_SUMMARY"

      toolkit report --csv tables/

      toolkit report --json
    """
    from datetime import UTC, datetime
    from pathlib import Path

    from analysis.findings import find
    from analysis.study import MOST_BUILDS, study

    if [markdown, html, "-" if as_json else None].count("-") > 1:
        hint = "Write all but one of them to a file, such as --markdown report.md."
        raise UsageError("stdout takes one document, and more are asked for", hint=hint)
    here = open_project(project)
    cache = Path(here.state_directory) / "cache"
    with telling() as work, tables_of(here, store, work) as tables:
        must_be_known(tables, pipeline, target)
        states = {each.code: each for each in here.states}
        work.stage("looking at rules, hosts and outages")
        recent = tables.recent(MOST_BUILDS, pipeline)
        watched = watch_over(recent, here)
        learnt = study(
            recent,
            here.policy,
            states,
            pipeline=pipeline,
            prices=prices_of(here),
            stage=work.stage,
            cache=cache / "learnt",
        )
        work.stage("adding up")
        findings = find(
            tables, now=datetime.now(UTC), since=since, pipeline=pipeline, target=target, compare=compare,
            arms=arms_of(here, store), watched=watched, **learnt,
        )  # fmt: skip
    for folder, form in ((csv, "csv"), (parquet, "parquet")):
        if folder is not None:
            from analysis.report.tables import write

            write(findings, Path(folder), form)  # type: ignore[arg-type]
    if markdown is not None:
        from analysis.report.markdown import render

        write_whole(markdown, render(findings))
    if html is not None:
        from analysis.report.html import render as page

        write_whole(html, page(findings, cache))
    if as_json:
        print_json(findings.model_dump(mode="json"))
    if as_json or any(each is not None for each in (markdown, html, csv, parquet)):
        return
    from analysis.report.terminal import show

    show(findings, sys.stdout)


def recommend(
    as_json: JsonOption = False,
    explain: Annotated[
        int | None, typer.Option(metavar="STATE", help="Everything about one state.", autocompletion=completing.states)
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Write the rules into toolkit.toml.")] = False,
    pipeline: Annotated[
        str | None,
        typer.Option(
            help="For this pipeline; else the one with the most failures.", autocompletion=completing.pipelines
        ),
    ] = None,
    project: ProjectOption = None,
    store: StoreOption = None,
) -> None:
    """Recommend which states deserve a retry, by how much, and how sure that is.

    It learns from the latest 2000 builds of each pipeline.

    Examples:

      toolkit recommend

      toolkit recommend --explain 5

      toolkit recommend --apply
    """
    from analysis.distrust import distrusted
    from analysis.recommend import recommend as advise
    from analysis.study import MOST_BUILDS
    from toolkit.cli.taints import taints_of

    here = open_project(project)
    with telling() as work, tables_of(here, store, work) as tables:
        must_be_known(tables, pipeline)
        work.stage("learning from failures")
        attempts = tables.recent(MOST_BUILDS, pipeline)
        advice = distrusted(
            advise(attempts, pipeline=pipeline, prices=prices_of(here)), taints_of(here, store).values()
        )
    if apply:
        from toolkit.cli.phases import apply_recommendation

        written = apply_recommendation(here, store, advice)
        if as_json:
            print_json({**advice.shape(), "applied": written})
        elif written:
            of = "" if advice.pipeline == here.pipeline.name else f", learnt from {advice.pipeline}"
            print(f"{how_many(len(written), 'rule')} written into toolkit.toml{of}: {', '.join(written)}")
            print("see what they would have brought: `toolkit phase preview selective-retry`")
        else:
            print("there is nothing to write: not enough evidence for any rule yet")
    elif as_json:
        print_json(advice.shape())
    else:
        from analysis.outlook import prospects
        from toolkit.cli.advice import show

        show(advice, explain, prospects(attempts, advice.pipeline) if explain is not None else ())
