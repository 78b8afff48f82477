"""Histories in short words, as the table of attempts that analysis reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from analysis.tables import ATTEMPTS

if TYPE_CHECKING:
    from collections.abc import Iterable

NOON = 1_772_366_400_000
"""2026-03-01T12:00:00Z."""


class Telling:
    """One build that is being told, attempt by attempt; times in seconds."""

    def __init__(self, build: str = "b-1", *, at: float = 0.0, pipeline: str = "image") -> None:
        self.build = build
        self.pipeline = pipeline
        self.now = at
        self.run = 1
        self.rows: list[dict[str, Any]] = []

    def completes(self, state: int, lasts: float = 600.0, **more: Any) -> Telling:
        return self._attempt(state, "completed", lasts, more)

    def fails(
        self,
        state: int,
        signature: str | None = "net.timeout",
        lasts: float = 60.0,
        failure_class: str | None = "network",
        **more: Any,
    ) -> Telling:
        told = {"signature": signature, "class": failure_class, "error": signature, **more}
        return self._attempt(state, "failed", lasts, told)

    def interrupted(self, state: int, lasts: float = 60.0, **more: Any) -> Telling:
        return self._attempt(state, "interrupted", lasts, more)

    def starts_over(self, after: float = 300.0) -> Telling:
        self.run += 1
        self.now += after
        return self

    def waits(self, seconds: float) -> Telling:
        self.now += seconds
        return self

    def reuses(self, state: int) -> Telling:
        return self._attempt(state, "reused", 0.0, {})

    def skips(self, state: int) -> Telling:
        return self._attempt(state, "skipped", 0.0, {})

    def _attempt(self, state: int, status: str, lasts: float, more: dict[str, Any]) -> Telling:
        number = 1 + sum(row["state"] == state and row["attempt"] is not None for row in self.rows)
        begun = NOON + round(self.now * 1000)
        self.now += lasts
        self.rows.append(
            {
                "build": self.build,
                "pipeline": self.pipeline,
                "run": self.run,
                "state": state,
                "name": f"state {state}",
                "attempt": None if status in {"reused", "skipped"} else number,
                "status": status,
                "started": begun,
                "ended": NOON + round(self.now * 1000),
                "duration": lasts,
                **more,
            }
        )
        return self


def attempts(*tellings: Telling | Iterable[Telling]) -> pl.DataFrame:
    """Give what was told as a table of attempts."""
    builds = [each for told in tellings for each in ([told] if isinstance(told, Telling) else told)]
    rows = [row for build in builds for row in build.rows]
    columns = {name: [row.get(name) for row in rows] for name in ATTEMPTS}
    moments = [name for name, dtype in ATTEMPTS.items() if isinstance(dtype, pl.Datetime)]
    schema = {name: pl.Int64() if name in moments else dtype for name, dtype in ATTEMPTS.items()}
    return pl.DataFrame(columns, schema=schema).with_columns(pl.col(name).cast(ATTEMPTS[name]) for name in moments)
