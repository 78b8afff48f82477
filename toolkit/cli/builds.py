"""`toolkit status`, `builds`, `history` and `logs`: what became of builds."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolkit.cli import completing
from toolkit.cli.opening import (
    BuildArgument,
    JsonOption,
    ProjectOption,
    StoreOption,
    history_of,
    open_project,
    print_json,
    print_table,
    row_of,
)
from toolkit.core.words import HOLES
from toolkit.errors import NotFound, NothingRecorded, UsageError

if TYPE_CHECKING:
    from toolkit.core.progress import Progress
    from toolkit.store import BuildRow


def register(cli: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (status, builds, history, logs):
        cli.command()(command)


def status(
    build: BuildArgument = None,
    as_json: JsonOption = False,
    provenance: Annotated[
        bool, typer.Option("--provenance", help="How it came to be: what was run, retried, reused, skipped, and where.")
    ] = False,
    project: ProjectOption = None,
    store: StoreOption = None,
) -> None:
    """Show where a build stands: its state, its status and what it took to get there.

    Examples:

      toolkit status

      toolkit status b-0007 --json

      toolkit status --provenance --json > image.intoto.json
    """
    from toolkit.core.interchange import build_record
    from toolkit.core.notices import next_steps, way_in
    from toolkit.supervise.resuming import Recorded, last_recorded

    here = open_project(project)
    with history_of(here, store) as kept:
        progress = kept.progress(row_of(kept, build).build)
        if provenance:
            from toolkit.cli.origins import tell_provenance

            tell_provenance(progress, kept.events(progress.build), as_json=as_json)
            return
        ran = last_recorded(kept.events(progress.build)) if progress.held else Recorded()
    if as_json:
        print_json({**build_record(progress), "hold": _hold_shape(progress)})
        return
    _print_status(progress)
    if progress.held and progress.hold is not None:
        state = here.state(progress.hold.state, progress.names.get(progress.hold.state))
        host = next((each.host for each in reversed(progress.attempts) if each.host), "")
        print()
        for line in (*way_in(progress, state, host=host, directory=ran.directory), *next_steps(progress)):
            print(f"  {line}")


def builds(
    as_json: JsonOption = False,
    held: Annotated[bool, typer.Option("--held", help="Only builds that wait for a person.")] = False,
    pipeline: Annotated[
        str | None, typer.Option(help="Only builds of this pipeline.", autocompletion=completing.pipelines)
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="Only builds for this target.", autocompletion=completing.targets)
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the newest so many.")] = None,
    project: ProjectOption = None,
    store: StoreOption = None,
) -> None:
    """List the builds, oldest first.

    Examples:

      toolkit builds --limit 20

      toolkit builds --held
    """
    try:
        with history_of(open_project(project), store) as kept:
            rows = kept.builds(pipeline=pipeline, target=target, held=True if held else None, limit=limit)
            holds = {row.build: _hold_shape(kept.progress(row.build)) for row in rows if row.held}
            failed = kept.with_failures()
    except NothingRecorded:
        rows, holds, failed = [], {}, frozenset()
    if as_json:
        print_json({"builds": [{**_row_shape(row, failed), "hold": holds.get(row.build)} for row in rows]})
        return
    if not rows:
        print("no builds wait for a person" if held else "no builds")
        return
    if held:
        _print_held(rows, holds)
        return
    titles = ["build", "pipeline", "target", "state", "status", "runs", "started", "updated"]
    shapes = [_row_shape(row, failed) for row in rows]
    print_table(
        titles,
        [
            [each["build"], each["pipeline"], each["target"], each["currentState"], _status_word(each), each["runs"],
             _short(each["started"]), _short(each["updated"])]
            for each in shapes
        ],
        right=frozenset({3, 5}),
    )  # fmt: skip


def history(
    build: BuildArgument = None,
    as_json: JsonOption = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Print interchange events, one JSON object a line.")] = False,
    project: ProjectOption = None,
    store: StoreOption = None,
) -> None:
    """Show everything that happened to a build's states, attempt by attempt.

    Examples:

      toolkit history b-0007

      toolkit history b-0007 --jsonl > events.jsonl
    """
    from toolkit.core.interchange import interchange

    with history_of(open_project(project), store) as kept:
        row = row_of(kept, build)
        lines = list(interchange(kept.events(row.build)))
    if jsonl:
        for line in lines:
            sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    elif as_json:
        print_json({"build": row.build, "events": lines})
    else:
        print_table(
            ["time", "run", "state", "name", "attempt", "status", "took", "what"],
            [
                [_short(line["ts"]), line["run"], line["state"], line.get("name"), line.get("attempt"), line["status"],
                 _took(line.get("duration")), _what(line)]
                for line in lines
            ],
            right=frozenset({1, 2, 4, 6}),
        )  # fmt: skip


def logs(
    build: BuildArgument = None,
    state: Annotated[int | None, typer.Option(min=0, help="Only this state.", autocompletion=completing.states)] = None,
    attempt: Annotated[int | None, typer.Option(min=1, help="Only this attempt at it; else the last one.")] = None,
    as_json: JsonOption = False,
    project: ProjectOption = None,
    store: StoreOption = None,
) -> None:
    """Print what a build printed: all of it, or one attempt at one state.

    Secrets that were recognised are blacked out.

    Examples:

      toolkit logs b-0007

      toolkit logs b-0007 --state 5 --attempt 2
    """
    from toolkit.supervise.logs import find_logs, log_directory, read_log

    if attempt is not None and state is None:
        raise UsageError("--attempt needs --state", hint="Attempts are counted for each state: add --state CODE.")
    here = open_project(project)
    with history_of(here, store) as kept:
        row = row_of(kept, build)
        if attempt is None and state is not None:
            attempt = max((each.attempt for each in kept.progress(row.build).attempts_at(state)), default=None)
    found = find_logs(log_directory(here.directory, row.build), state=state, attempt=attempt)
    if not found:
        which = f" of state {state}, attempt {attempt}" if state is not None else ""
        raise NotFound(
            f"there is no log of build {row.build}{which}",
            hint="Logs hold what was printed here under `toolkit run`, except into /dev/null; see `toolkit history`.",
        )
    if as_json:
        _print_logs(row.build, found)
        return
    for path in found:
        for piece in read_log(path):
            sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def _print_logs(build: str, paths: list[str]) -> None:
    """Print logs as one JSON document, a piece at a time: they may be larger than memory."""
    import codecs
    import json
    from itertools import chain

    from toolkit.supervise.logs import attempt_of, read_log

    out = sys.stdout
    out.write(f'{{"build": {json.dumps(build, ensure_ascii=False)}, "logs": [')
    for place, path in enumerate(paths):
        run, state, attempt = attempt_of(path)
        out.write("," if place else "")
        out.write(f'\n  {{"run": {run}, "state": {state}, "attempt": {attempt}, "output": "')
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for piece in chain(read_log(path), [b""]):
            out.write(json.dumps(decoder.decode(piece, final=not piece), ensure_ascii=False)[1:-1])
        out.write('"}')
    out.write("\n]}\n")


def _hold_shape(progress: Progress) -> dict[str, Any] | None:
    """What a held build waits for, and since when."""
    from toolkit.core.moments import rfc3339

    hold = progress.hold
    if hold is None or not progress.held:
        return None
    return {
        "state": hold.state, "name": progress.names.get(hold.state), "reason": hold.reason, "by": hold.by,
        "since": rfc3339(hold.ts_ms),
    }  # fmt: skip


def _print_held(rows: list[BuildRow], holds: dict[str, dict[str, Any] | None]) -> None:
    told = [(row, holds.get(row.build) or {}) for row in rows]
    print_table(
        ["build", "target", "state", "since", "waits for"],
        [
            [row.build, row.target, f"{hold.get('state', '')} {hold.get('name') or ''}".strip(),
             _short(hold.get("since")), hold.get("reason", "") + (f" (by {hold['by']})" if hold.get("by") else "")]
            for row, hold in told
        ],
    )  # fmt: skip
    print("\n`toolkit status BUILD` says how to get in and what can be done")


def _print_status(progress: Progress) -> None:
    from toolkit.core.interchange import build_record

    record = build_record(progress)
    print(f"{record['build']}  {record['pipeline'] or ''}{' for ' + record['target'] if record['target'] else ''}")
    code = progress.current
    name = progress.names.get(code, "") if code is not None else ""
    print(f"  state    {'-' if code is None else code} {name}".rstrip())
    print(f"  status   {_status_word(record)}")
    print(f"  runs     {record['runs']}, phase {record['phase'] or '-'}")
    if progress.hold is not None and progress.held:
        by = f", by {progress.hold.by}" if progress.hold.by else ""
        print(f"  held     since {_short((_hold_shape(progress) or {}).get('since'))}{by}: {progress.hold.reason}")
    if progress.degraded:
        print(f"  record   degraded: {HOLES}")
    print()
    print_table(
        ["state", "name", "run", "attempt", "status", "took", "what"],
        [
            [each.state, each.name, each.run, each.attempt, each.status, _took(each.duration),
             (each.error or "") if each.status == "failed" else ""]
            for each in progress.attempts
        ],
        right=frozenset({0, 2, 3, 5}),
    )  # fmt: skip


def _row_shape(row: BuildRow, failed: frozenset[str]) -> dict[str, Any]:
    from toolkit.core.moments import rfc3339

    return {
        "build": row.build, "pipeline": row.pipeline, "target": row.target, "currentState": row.current,
        "status": row.status, "held": row.held, "runs": row.runs, "abandoned": row.abandoned, "degraded": row.degraded,
        "afterRetry": row.status == "completed" and row.build in failed,
        "started": rfc3339(row.started_ms),
        "updated": rfc3339(row.updated_ms),
    }  # fmt: skip


def _status_word(shape: dict[str, Any]) -> str:
    marks = [word for word in ("held", "abandoned", "degraded") if shape.get(word)]
    status = f"{shape['status']} after retry" if shape.get("afterRetry") else shape["status"]
    return ", ".join([status, *marks])


def _short(ts: str | None) -> str:
    return "" if ts is None else f"{ts[:10]} {ts[11:19]}"


def _took(seconds: float | None) -> str:
    from toolkit.core.moments import duration_text

    return "" if seconds is None else duration_text(seconds)


def _what(line: dict[str, Any]) -> str:
    parts = [line.get("error"), line.get("signature") and f"[{line['signature']}]"]
    if line.get("decision"):
        parts.append(f"-> {line['decision']['action']}")
    return " ".join(part for part in parts if part)
