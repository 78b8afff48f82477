"""Facts as rows: one wide shape for what a store recorded and for interchange events that never were in a store."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

import polars as pl

from analysis.tables import MOMENT
from toolkit.core.events import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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

Row = tuple[int, str, int, int, str, str]
"""A fact as a store keeps it: `(id, build, seq, ts_ms, kind, body)`."""

_STORED: Final = {
    "id": pl.Int64(), "build": pl.String(), "seq": pl.Int64(),
    "ts_ms": pl.Int64(), "kind": pl.String(), "body": pl.String(),
}  # fmt: skip


def batches(rows: Iterable[Row], size: int = 100_000) -> Iterator[pl.DataFrame]:
    """Gather stored facts into frames, `size` rows each; facts about the project are left out."""
    of_builds = (row for row in rows if row[1] != PROJECT)
    while batch := list(itertools.islice(of_builds, size)):
        yield pl.DataFrame(batch, schema=_STORED, orient="row")
