"""`toolkit import`, `export` and `sql`: the history in and out, and looked at freely."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
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
from toolkit.cli.progress import NOBODY_WATCHES, Work, telling
from toolkit.cli.writing import make_folder, write_whole
from toolkit.core.words import how_many
from toolkit.errors import NotFound, StoreDamaged, UsageError

if TYPE_CHECKING:
    import polars as pl

    from analysis.history import History
    from analysis.waits import Prices
    from analysis.watch import Watched
    from toolkit.core.events import Event
    from toolkit.project import Project

MOST_NAMED = 20
"""Pipelines or targets in a hint."""


def register(cli: typer.Typer) -> None:
    """Add the commands to the command line."""
    cli.command("import")(import_)
    for command in (export, sql):
        cli.command()(command)


def import_(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Events, build records or raw logs; - is stdin.")
    ],
    build: Annotated[
        str | None, typer.Option(metavar="ID", help="For a raw log: the build; else the file's name.")
    ] = None,
    target: Annotated[str | None, typer.Option(metavar="TEXT", help="For a raw log: the target.")] = None,
    exit_code: Annotated[int | None, typer.Option(help="For a raw log: how the build ended.")] = None,
    as_json: JsonOption = False,
    project: ProjectOption = None,
    store: StoreOption = None,
) -> None:
    """Take history from elsewhere: interchange events, build records, or raw logs with state markers.

    What a file is shows in its content. All of it is taken or nothing; what is already known is not taken twice. The
    failures of a raw log are classified by what stands in it.

    Examples:

      toolkit import events.jsonl

      toolkit import old-build.log --build nightly-41 --exit-code 1
    """
    from toolkit.cli.taking import Taking

    here = open_project(project)
    taking = Taking(here, build=build, target=target, exit_code=exit_code)
    with telling() as work, history_of(here, store, create=True) as kept:
        count = kept.import_builds(taking.histories(files, work))
    counts = {key: getattr(count, key) for key in ("builds", "events", "already")}
    if as_json:
        print_json(counts)
    else:
        new = f"{how_many(counts['builds'], 'build')} and {how_many(counts['events'], 'event')} are new"
        print(f"{new}, {how_many(counts['already'], 'event')} {'was' if counts['already'] == 1 else 'were'} known")
    for hint in taking.hints():
        print(f"hint: {hint}", file=sys.stderr)


def export(
    output: Annotated[str | None, typer.Option("--output", "-o", metavar="FILE", help="Else stdout.")] = None,
    parquet: Annotated[str | None, typer.Option(metavar="DIR", help="Write the tables as Parquet files there.")] = None,
    build: Annotated[
        str | None, typer.Option(metavar="ID", help="Only this build.", autocompletion=completing.builds)
    ] = None,
    otlp: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Send traces to this OpenTelemetry collector; `env`: to the one in OTEL_…."),
    ] = None,
    prometheus: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write metrics for a text-file collector; - is stdout.")
    ] = None,
    project: ProjectOption = None,
    store: StoreOption = None,
) -> None:
    """Write the history as interchange events, one JSON object a line, or as Parquet tables, traces or metrics.

    A damaged store gives what can still be read of its events. A build that is sent as a trace twice is one trace, and
    one that runs is not sent. Metrics are those of the whole history.

    Examples:

      toolkit export > events.jsonl

      toolkit export --parquet tables/

      toolkit export --otlp http://localhost:4318 --build b-0007

      toolkit export --prometheus /var/lib/node_exporter/builds.prom
    """
    here = open_project(project)
    if otlp is not None or prometheus is not None:
        from toolkit.cli.outward import send_traces, write_metrics

        if prometheus is not None:
            with tables_of(here, store) as tables:
                write_metrics(tables, prometheus)
        if otlp is not None:
            send_traces(here, store, build, otlp)
        return
    if parquet is not None:
        with tables_of(here, store) as tables:
            make_folder(parquet)
            for name in ("events", "attempts", "runs", "builds"):
                getattr(tables, name)().sink_parquet(os.path.join(parquet, f"{name}.parquet"))
        return
    lines = (json.dumps(line, ensure_ascii=False) for line in _exported(here, store, build))
    write_whole("-" if output is None else output, (f"{line}\n" for line in lines))


def sql(
    query: Annotated[str, typer.Argument(help="A DuckDB query over events, attempts, runs and builds.")],
    as_json: JsonOption = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    project: ProjectOption = None,
    store: StoreOption = None,
) -> None:
    """Ask the history yourself, in SQL.

    Examples:

      toolkit sql "select state, count(*) from attempts where status = 'failed' group by 1 order by 2 desc"

      toolkit sql "from builds limit 10" --json
    """
    import duckdb

    with tables_of(open_project(project), store) as tables:
        try:
            frame = tables.query(query)
        except (duckdb.Error, UsageError) as error:
            raise UsageError(f"the query cannot be answered: {str(error).splitlines()[0]}", hint=_sql_hint()) from None
    if as_json:
        print_json({"rows": frame.to_dicts()})
    elif csv:
        sys.stdout.write(frame.write_csv())
    else:
        print_table(frame.columns, [list(row) for row in frame.iter_rows()])


def prices_of(project: Project) -> Prices:
    """Give what time costs, as the project says, in the units of the analysis."""
    from dataclasses import replace

    from analysis.waits import Prices

    paid = project.prices
    told = Prices(hour_to_green=paid.hour_to_green, machine_hour=paid.machine_hour, attention=paid.attention)
    return told if paid.response is None else replace(told, response_hours=paid.response / 3600, response_told=True)


def tables_of(project: Project, store: str | None, work: Work = NOBODY_WATCHES) -> History:
    """Open the history's tables, brought up to date."""
    from pathlib import Path

    from analysis.history import History
    from toolkit.project import store_url

    with history_of(project, store):
        pass
    work.stage("bringing the tables up to date")
    cache = Path(project.state_directory) / "cache" / "history"
    return History.open(store_url(project, store), cache, progress=lambda facts: work.reached(facts, "facts"))


def must_be_known(tables: History, pipeline: str | None, target: str | None = None) -> None:
    """Refuse to say anything about a pipeline or target that no build is of; NotFound names those there are."""
    for column, asked in (("pipeline", pipeline), ("target", target)):
        known = [] if asked is None else _names(tables, column)
        if asked is not None and asked not in known:
            named = ", ".join(known[:MOST_NAMED]) + (", …" if len(known) > MOST_NAMED else "")
            there = f"There are {named}." if known[1:] else f"There is {named}." if known else "No build has one."
            raise NotFound(f"no recorded build is of the {column} {asked}", hint=there)


def _names(tables: History, column: str) -> list[str]:
    known = f"select distinct {column} from builds where {column} is not null order by {column}"  # noqa: S608 - our own names
    return [str(each) for each in tables.frame(known)[column].to_list()]


def watch_over(recent: pl.DataFrame, project: Project) -> Watched:
    """Look at the rules, hosts and outages of the latest builds of a history: their attempts."""
    from pathlib import Path

    from analysis.watch import watch
    from toolkit.supervise.captured import Captured

    own = [each.rule() for each in project.rules]
    cache = Path(project.state_directory) / "cache"
    return watch(recent, own, Captured(project.directory), cache)


def _exported(project: Project, store: str | None, build: str | None) -> Iterator[dict[str, Any]]:
    from toolkit.core.interchange import interchange

    try:
        with history_of(project, store) as kept:
            builds = [build] if build is not None else [row.build for row in kept.builds()]
            if build is not None and kept.row(build) is None:
                raise NotFound(f"there is no build {build}")
            for each in builds:
                yield from interchange(kept.events(each))
    except StoreDamaged as error:
        print(f"warning: {error}; this is what can still be read", file=sys.stderr)
        yield from _salvaged(project, store, build)


def _salvaged(project: Project, store: str | None, build: str | None) -> Iterator[dict[str, Any]]:
    from toolkit.core.interchange import interchange
    from toolkit.store import salvage

    by_build: dict[str, list[Event]] = {}
    for _, event in salvage(_url(project, store)):
        by_build.setdefault(event.build, []).append(event)
    for name, facts in by_build.items():
        if build in {None, name}:
            yield from interchange(facts)


def _url(project: Project, store: str | None) -> str:
    from toolkit.project import store_url

    return store_url(project, store)


def _sql_hint() -> str:
    return 'The tables are events, attempts, runs and builds; `toolkit sql "describe attempts"` lists columns.'
