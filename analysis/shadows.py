"""The shadow decisions, scored by what happened next: what other phases would have done, and with what success."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import polars as pl

from analysis.episodes import episodes
from analysis.recommendation import Interval, Said
from analysis.statistics import rate

if TYPE_CHECKING:
    from collections.abc import Iterator

_HOUR: Final = 3600.0


class ShadowScore(Said):
    """How one phase's shadow decisions fared."""

    phase: str
    failures: int
    """Failures about which the phase gave a shadow decision."""
    judged: int
    """Those whose next attempt is known."""
    retried_and_passed: int
    retried_in_vain: int
    missed: int
    """It would not have retried, and the next attempt passed."""
    spared: int
    """It would not have retried, and the next attempt failed too."""
    right_retries: Interval | None
    """Share of its retries that would have passed; the next attempt stands for the retry, which flatters a little."""
    hours_saved: float
    """Ways back and delays saved by retries that would have passed, less the time of those in vain."""


def score_shadows(attempts: pl.DataFrame) -> list[ShadowScore]:
    """Score the decisions in the `shadow` column (JSON, phase -> {action, ...}) of failed attempts, phase by phase."""
    if "shadow" not in attempts.columns or not attempts["shadow"].is_not_null().any():
        return []
    keys = ["pipeline", "build", "state", "run", "attempt"]
    outcomes = episodes(attempts)
    shadows = attempts.filter((pl.col("status") == "failed") & pl.col("shadow").is_not_null())
    shadows = shadows.select(pl.col("pipeline").fill_null(""), *keys[1:], "shadow").with_columns(
        pl.col("state", "run", "attempt").cast(pl.Int32)
    )
    told = outcomes.join(shadows, on=keys, how="inner", maintain_order="left")
    decided = pl.DataFrame(list(_decisions(told)), schema=_DECIDED, orient="row")
    return [_score(str(phase), rows) for (phase,), rows in decided.sort("phase").group_by("phase", maintain_order=True)]


_DECIDED: Final = {
    "phase": pl.String,
    "retries": pl.Boolean,
    "passed": pl.Boolean,
    "own": pl.Float64,
    "back": pl.Float64,
}


def _decisions(told: pl.DataFrame) -> Iterator[tuple[str, bool, bool | None, float, float]]:
    for row in told.iter_rows(named=True):
        passed = row["recovered"] if row["censored"] is None else None
        back = (row["waited"] or 0.0) + (row["lead"] or 0.0)
        for phase, decision in json.loads(row["shadow"]).items():
            yield phase, decision.get("action") == "retry", passed, row["own"], back


def _score(phase: str, rows: pl.DataFrame) -> ShadowScore:
    judged = rows.filter(pl.col("passed").is_not_null())
    retried, left = judged.filter(pl.col("retries")), judged.filter(~pl.col("retries"))
    good, vain = retried.filter(pl.col("passed")), retried.filter(~pl.col("passed"))
    return ShadowScore(
        phase=phase,
        failures=rows.height,
        judged=judged.height,
        retried_and_passed=good.height,
        retried_in_vain=vain.height,
        missed=int(left["passed"].sum()),
        spared=left.height - int(left["passed"].sum()),
        right_retries=rate(good.height, retried.height) if retried.height else None,
        hours_saved=(float(good["back"].sum()) - float(vain["own"].sum())) / _HOUR,
    )
