"""Predicted recovery on recorded CI history, learnt from the past only: Brier score and AUC beside simple averages.

`./dev bench prequential` takes the folder of the history from `TOOLKIT_BENCH_DATA`: interchange events in which builds
that failed were executed again.
"""

from __future__ import annotations

import io
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from scipy.stats import rankdata

from analysis.attempts import tidy, understood
from analysis.episodes import episodes
from analysis.outlook import features, fit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

DATA = os.environ.get("TOOLKIT_BENCH_DATA")
DRAWS = 500
FEWEST = 20


def histories() -> list[Path]:
    """Give the files of recorded events, none where no folder is named."""
    return sorted(path for path in Path(DATA).rglob("*.jsonl*") if path.suffix in {".jsonl", ".zst"}) if DATA else []


def recorded(found: Path) -> pl.DataFrame:
    """Give the attempts of a recorded history."""
    raw = found.read_bytes()
    if found.suffix == ".zst":
        import zstandard

        raw = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(raw)).read()
    events = pl.read_ndjson(io.BytesIO(raw), infer_schema_length=None)
    events = events.with_columns(pl.col("ts").str.to_datetime(time_unit="ms", time_zone="UTC"))
    key = ["pipeline", "build", "run", "state"]
    turn = pl.int_range(pl.len()).over(key).alias("turn")
    starts = events.filter(pl.col("status") == "started").select(*key, pl.col("ts").alias("started"), turn)
    ends = events.filter(pl.col("status") != "started").with_columns(turn).rename({"ts": "ended"})
    paired = ends.join(starts, on=[*key, "turn"], how="left").sort("pipeline", "build", "state", "run", "turn")
    return paired.with_columns((pl.int_range(pl.len()).over("pipeline", "build", "state") + 1).alias("attempt")).drop(
        "turn"
    )


def brier(chances: Array, recovered: Array) -> float:
    return float(((chances - recovered) ** 2).mean())


def auc(chances: Array, recovered: Array) -> float:
    ranks, hits = rankdata(chances), float(recovered.sum())
    return float((ranks[recovered == 1].sum() - hits * (hits + 1) / 2) / (hits * (recovered.size - hits)))


def bounds(score: float, draws: list[float]) -> str:
    low, high = np.quantile(draws, (0.05, 0.95))
    return f"{score:.3f} ({low:.3f} to {high:.3f})"


def main() -> None:
    """Predict the outcomes of each history."""
    found = histories()
    if not found:
        print("name a folder of recorded events (*.jsonl, *.jsonl.zst) with TOOLKIT_BENCH_DATA")
    for path in found:
        print(path.name)
        predict(recorded(path))


def predict(attempts: pl.DataFrame) -> None:
    """Predict each outcome from those known before the failure, and score the predictions."""
    known = understood(tidy(attempts))
    told = episodes(attempts)
    table = features(told, known)
    seen = told["recovered"].is_not_null().to_numpy()
    told, table = told.filter(pl.col("recovered").is_not_null()), table[seen]
    recovered = told["recovered"].cast(pl.Float64).to_numpy()
    if recovered.size < FEWEST:
        print(f"{recovered.size} failures that were tried again: too few to predict")
        return
    happened = told["over"].dt.epoch("ms").to_numpy() / 1000
    resolved = happened + told["gap"].to_numpy() + told["next_duration"].fill_null(0.0).to_numpy()
    place = np.array([f"{pipeline} {state}" for pipeline, state in told.select("pipeline", "state").iter_rows()])
    begun = time.perf_counter()
    predicted: dict[str, list[float]] = {"constant": [], "per state": [], "outlook": []}
    for row in range(recovered.size):
        past = resolved < happened[row]
        here = past & (place == place[row])
        constant = (recovered[past].sum() + 1) / (past.sum() + 2)
        predicted["constant"].append(constant)
        predicted["per state"].append((recovered[here].sum() + 2 * constant) / (here.sum() + 2))
        predicted["outlook"].append(float(fit(table[past], recovered[past]).chances(table[row : row + 1])[0]))
    took = time.perf_counter() - begun
    rng = np.random.default_rng(3)
    incidents = told["incident"].to_numpy()
    kinds = np.unique(incidents)
    print(
        f"{recovered.size} failures that were tried again, {recovered.mean():.1%} recovered;"
        f" 90 % by bootstrap over {kinds.size} incidents"
    )
    for name, listed in predicted.items():
        chances = np.array(listed)
        scores: tuple[list[float], list[float]] = ([], [])
        for _ in range(DRAWS):
            drawn = np.concatenate([np.flatnonzero(incidents == each) for each in rng.choice(kinds, kinds.size)])
            scores[0].append(brier(chances[drawn], recovered[drawn]))
            scores[1].append(auc(chances[drawn], recovered[drawn]))
        print(
            f"{name:10} Brier {bounds(brier(chances, recovered), scores[0])}"
            f"  AUC {bounds(auc(chances, recovered), scores[1])}"
        )
    print(f"{1000 * took / recovered.size:.1f} ms per prediction, refitted each time")


if __name__ == "__main__":
    main()
