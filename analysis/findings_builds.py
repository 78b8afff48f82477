"""The builds behind the numbers: the costliest by name, and the worst of them drawn to scale."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from analysis import database
from analysis.findings_model import BuildLine, Lane, Step, Timeline
from toolkit.core.moments import rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

MOST_LANES: Final = 12
_LONGEST: Final = 200


def build_lines(con: duckdb.DuckDBPyConnection, most: int) -> tuple[BuildLine, ...]:
    """Give the builds that lost most time, then those that failed most, then the latest."""
    lines = database.frame(con, database.script("build_lines"), {"most": most})
    return tuple(_line(row) for row in lines.iter_rows(named=True))


def _line(row: Mapping[str, Any]) -> BuildLine:
    lists = {name: tuple(row[name] or ()) for name in ("hosts", "classes", "signatures", "failed_states")}
    return BuildLine(**{**row, "began": _told(row["began"]), **lists})


def _told(ms: int | None) -> str | None:
    return None if ms is None else rfc3339(ms)


def worst(con: duckdb.DuckDBPyConnection) -> Timeline | None:
    """Draw the build that lost most time; None when none lost any."""
    found = database.frame(con, "select build from chosen where lost > 0 order by lost desc, build limit 1")
    return timeline(con, found["build"][0]) if found.height else None


def timeline(con: duckdb.DuckDBPyConnection, build: str) -> Timeline:
    """Draw one of the chosen builds."""
    about = {"build": build}
    whole = database.frame(con, "select *, epoch_ms(started) as began from chosen where build = $build", about).row(
        0, named=True
    )
    steps = database.frame(
        con,
        "select *, epoch_ms(started) as begins, epoch_ms(ended) as ends from done where build = $build "
        "order by coalesce(ended_ord, started_ord)",
        about,
    )
    messages = {
        (row["state"], row["attempt"]): f"{row['class']}: {row['title'] or ''}"[:_LONGEST]
        for row in database.frame(con, "select * from wrong where build = $build", about).iter_rows(named=True)
    }
    decided = {
        (row["state"], row["attempt"]): _decided(row["decision"])
        for row in steps.filter(pl.col("status") == "failed").iter_rows(named=True)
    }
    runs = database.frame(
        con,
        "select *, epoch_ms(started) as begins, epoch_ms(ended) as ends from runs where build = $build order by run",
        about,
    )
    zero = next((run["begins"] for run in runs.rows(named=True) if run["begins"]), None)
    lanes = [
        _lane(run, steps.filter(pl.col("run") == run["run"]).rows(named=True), messages, decided, zero)
        for run in runs.rows(named=True)
    ]
    lanes = _with_waits(lanes, runs.rows(named=True), _holds(con, build))
    lost = steps.filter(pl.col("repeated") & (pl.col("status") != "failed"))
    hours = float(steps["seconds"].sum()) / 3600
    return Timeline(
        build=build,
        pipeline=whole["pipeline"],
        status=whole["status"],
        began=_told(whole["began"]),
        hours=(whole["ended"] - whole["started"]).total_seconds() / 3600,
        lanes=tuple(lanes[:MOST_LANES]),
        lanes_left_out=max(0, len(lanes) - MOST_LANES),
        resumed=_resumed(lanes[:MOST_LANES]),
        without=_end_to_end(
            [step for lane in lanes for step in lane.steps if not step.repeated or step.what == "failed"]
        ),
        hours_run=hours,
        hours_failed=float(steps.filter(pl.col("status") == "failed")["seconds"].sum()) / 3600,
        hours_repeated=float(lost["seconds"].sum()) / 3600,
        hours_waited=sum(lane.waited_before for lane in lanes),
    )


def _lane(
    run: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    messages: Mapping[tuple[int, int], str],
    decided: Mapping[tuple[int, int], str | None],
    first: int | None,
) -> Lane:
    zero = run["begins"] or (rows[0]["begins"] if rows else 0) or 0
    steps = [_step(row, zero, messages, decided) for row in rows]
    return Lane(
        run=run["run"],
        began=_told(run["begins"]),
        outcome=run["outcome"],
        reason=run["reason"],
        hours=max([0.0, *(step.ends for step in steps)]),
        after=max(0.0, (zero - (first or zero)) / 3_600_000),
        waited_before=0.0,
        held_before=0.0,
        steps=tuple(steps),
    )


def _decided(decision: str | None) -> str | None:
    told = json.loads(decision) if decision else {}
    return f"{told['action']}: {told['reason']}"[:_LONGEST] if told.get("action") and told.get("reason") else None


def _step(
    row: Mapping[str, Any],
    zero: int,
    messages: Mapping[tuple[int, int], str],
    decided: Mapping[tuple[int, int], str | None],
) -> Step:
    begins = ((row["begins"] or row["ends"] or zero) - zero) / 3_600_000
    return Step(
        state=row["state"],
        name=row["name"],
        attempt=row["attempt"],
        what=row["status"],
        begins=begins,
        ends=begins + row["seconds"] / 3600,
        told=messages.get((row["state"], row["attempt"])) if row["status"] == "failed" else None,
        then=decided.get((row["state"], row["attempt"])) if row["status"] == "failed" else None,
        repeated=row["repeated"] or False,
    )


def _with_waits(lanes: list[Lane], runs: Sequence[Mapping[str, Any]], holds: Sequence[tuple[int, int]]) -> list[Lane]:
    told = lanes[:1]
    for lane, run, before in zip(lanes[1:], runs[1:], runs[:-1], strict=True):
        begin, end = before["ends"] or before["begins"], run["begins"]
        held = sum(max(0, min(end, until) - max(begin, since)) for since, until in holds)
        waits = {"waited_before": max(0, end - begin) / 3_600_000, "held_before": held / 3_600_000}
        told.append(lane.model_copy(update=waits))
    return told


def _holds(con: duckdb.DuckDBPyConnection, build: str) -> list[tuple[int, int]]:
    """Give from when until when (milliseconds) a build waited for a person."""
    facts = database.frame(
        con,
        "select kind, epoch_ms(ts) as ms from facts where build = $build "
        "and kind in ('build_held', 'build_released', 'build_abandoned', 'run_started') order by id",
        {"build": build},
    )
    spans, since = [], None
    for kind, ms in facts.iter_rows():
        if kind == "build_held":
            since = ms if since is None else since
        elif since is not None:
            spans.append((since, ms))
            since = None
    return spans


def _resumed(lanes: Sequence[Lane]) -> tuple[Lane, ...]:
    """Let each run go on where the one before failed: what it repeated is reused, everything else happens as it did."""
    told: list[Lane] = []
    after = 0.0
    for lane in lanes:
        clock, before, steps = 0.0, 0.0, []
        for step in lane.steps:
            clock += max(0.0, step.begins - before)
            reuse = step.repeated and step.what == "completed"
            ends = clock if reuse else clock + step.ends - step.begins
            spared = {"what": "reused", "attempt": None, "repeated": False} if reuse else {}
            steps.append(step.model_copy(update={"begins": clock, "ends": ends, **spared}))
            clock, before = ends, step.ends
        after += lane.waited_before
        told.append(lane.model_copy(update={"hours": clock, "after": after, "steps": tuple(steps)}))
        after += clock
    return tuple(told)


def _end_to_end(steps: Sequence[Step]) -> Lane:
    clock, laid = 0.0, []
    for step in steps:
        ends = clock + step.ends - step.begins
        laid.append(step.model_copy(update={"begins": clock, "ends": ends}))
        clock = ends
    nothing = {"began": None, "outcome": None, "reason": None, "after": 0.0, "waited_before": 0.0, "held_before": 0.0}
    return Lane.model_validate({"run": 0, "hours": clock, "steps": tuple(laid), **nothing})
