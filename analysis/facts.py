"""Facts as rows: one wide shape for what a store recorded and for interchange events that never were in a store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from analysis.tables import MOMENT
from toolkit.core import events as ev

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

FACTS: Final[dict[str, pl.DataType]] = {
    "id": pl.Int64(),  # orders the facts of a build
    "build": pl.String(),
    "kind": pl.String(),  # of a core event; or started, completed, … for an interchange event, which may lack numbers
    "ts": MOMENT,
    "run": pl.Int32(),
    "state": pl.Int32(),
    "attempt": pl.Int32(),
    "seq": pl.Int32(),
    "name": pl.String(),
    "pipeline": pl.String(),
    "target": pl.String(),
    "labels": pl.String(),
    "host": pl.String(),
    "phase": pl.String(),
    "arm": pl.String(),
    "held": pl.Boolean(),  # a supervisor holds the run; imported runs are never held
    "reason": pl.String(),
    "who": pl.String(),
    "outcome": pl.String(),
    "error": pl.String(),
    "exit_code": pl.Int32(),
    "signal": pl.Int32(),
    "class": pl.String(),
    "signature": pl.String(),
    "rule": pl.String(),
    "template": pl.String(),
    "retry_after": pl.Float64(),
    "duration": pl.Float64(),
    "inputs": pl.String(),
    "evidence": pl.String(),
    "decision": pl.String(),
    "shadow": pl.String(),
}

_DIRECT: Final = {
    "run", "state", "attempt", "name", "pipeline", "target", "host", "phase", "arm", "reason", "outcome", "error",
    "exit_code", "signal", "signature", "rule", "template", "retry_after", "duration", "inputs",
}  # fmt: skip
_RENAMED: Final = {"failure_class": "class", "by": "who", "note": "reason", "why": "reason"}
_AS_JSON: Final = {"labels", "evidence", "shadow"}
_DECISION: Final = ("action", "reason", "rule", "wait", "phase")
_SIGNED_32: Final = range(-(2**31), 2**31)


def row_of(number: int, event: ev.Event) -> dict[str, Any]:
    """Give one recorded event as a row of `FACTS`; `number` is its place in the store's order."""
    row: dict[str, Any] = {"id": number, "build": event.build, "kind": event.kind, "ts": event.ts_ms}
    for field, value in event.__dict__.items():
        if value is None:
            continue
        if field in _DIRECT:
            row[field] = value
        elif field in _RENAMED:
            row[_RENAMED[field]] = value
        elif field in _AS_JSON and value:
            row[field] = compact(dict(value) if field != "evidence" else value)
        elif field == "holder":
            row["held"] = True
    if isinstance(event, ev.Decided):
        told = {name: getattr(event, name) for name in _DECISION}
        row["decision"] = compact({name: value for name, value in told.items() if value is not None})
    code = row.get("exit_code")
    if code is not None and code not in _SIGNED_32:
        row["exit_code"] = None
    return row


def compact(value: Mapping[str, Any] | Iterable[Any]) -> str:
    """Write JSON without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def batches(scan: Iterable[tuple[int, ev.Event]], size: int = 100_000) -> Iterator[pl.DataFrame]:
    """Gather recorded events into frames of `FACTS`, `size` rows each; facts about the project are left out."""
    rows: list[dict[str, Any]] = []
    for number, event in scan:
        if event.build == ev.PROJECT:
            continue
        rows.append(row_of(number, event))
        if len(rows) >= size:
            yield _frame(rows)
            rows = []
    if rows:
        yield _frame(rows)


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    columns = {name: [row.get(name) for row in rows] for name in FACTS}
    wide = {name: pl.Int64() if dtype == MOMENT else dtype for name, dtype in FACTS.items()}
    return pl.DataFrame(columns, schema=wide, strict=False).with_columns(pl.col("ts").cast(MOMENT))
