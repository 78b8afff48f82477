"""What the history teaches, beside what it says: recommendations, previews, scored shadows, changes, for a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from analysis.attempts import tidy, understood
from analysis.drift import Change, drift
from analysis.episodes import episodes
from analysis.preview import Preview
from analysis.recommend import recommend
from analysis.recommendation import Recommendation, Said
from analysis.remembering import remembered
from analysis.replay import replay
from analysis.shadows import score_shadows
from phases import PHASES, phase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from analysis.waits import Prices
    from toolkit.core.pipeline import StateConfig
    from toolkit.core.policy import Policy

MOST_BUILDS: Final = 2000
"""A report learns from so many of the latest builds of a pipeline: older ones say less, and nobody waits for them."""
MOST_PIPELINES: Final = 4
"""So many pipelines get advice in one report, those with most failures; `--pipeline` gives any other."""


class Lessons(Said):
    """What is learnt from the latest builds, and takes its time."""

    recommendations: tuple[Recommendation, ...]
    previews: tuple[Preview, ...]
    changes: tuple[Change, ...]


def study(  # noqa: PLR0913 - what may be learnt from, and who wants to know how far it is
    recent: pl.DataFrame,
    policy: Policy,
    states: Mapping[int, StateConfig],
    *,
    pipeline: str | None,
    prices: Prices,
    stage: Callable[[str], object] = lambda _: None,
    cache: Path | None = None,
) -> dict[str, Any]:
    """Give the arguments of `findings.find` that others find out, of the pipelines that fail most, or of one.

    `recent` are the attempts of the latest `MOST_BUILDS` builds of each pipeline (`History.recent`). Replays are of the
    first of the pipelines. `stage` is told what is being done; `cache` is a folder for what was learnt. An empty
    history teaches nothing, and neither does one without a failure.
    """
    chosen = [pipeline] if pipeline is not None else _failing(recent)
    failed = recent.filter((pl.col("status") == "failed") & pl.col("pipeline").fill_null("").is_in(chosen))
    if not failed.height:
        return {}
    lessons = remembered(
        cache, recent, (policy, dict(states), pipeline, prices), Lessons,
        lambda: _learnt(recent, chosen, policy, states, prices=prices, stage=stage),
    )  # fmt: skip
    builds = recent.select("pipeline", "build").n_unique()
    return {**dict(lessons), "shadows": score_shadows(recent), "studied": builds}


def _learnt(  # noqa: PLR0913 - as above
    recent: pl.DataFrame, chosen: list[str], policy: Policy, states: Mapping[int, StateConfig],
    *, prices: Prices, stage: Callable[[str], object],
) -> Lessons:  # fmt: skip
    stage("learning from failures")
    advice = [recommend(recent, pipeline=each, prices=prices) for each in chosen]
    previews = []
    for name in PHASES[1:]:
        stage(f"replaying under {name}")
        told = replay(recent, phase(name), policy, phase=name, pipeline=chosen[0], states=states, prices=prices)
        previews.append(told.model_copy(update={"pipeline": chosen[0]}))
    changes = tuple(_changes(recent, chosen))
    return Lessons(recommendations=tuple(advice), previews=tuple(previews), changes=changes)


def _failing(recent: pl.DataFrame) -> list[str]:
    counted = recent.filter(pl.col("status") == "failed").group_by(pl.col("pipeline").fill_null("")).len()
    return counted.sort("len", "pipeline", descending=[True, False])["pipeline"].head(MOST_PIPELINES).to_list()


def _changes(recent: pl.DataFrame, chosen: list[str]) -> Iterator[Change]:
    """Tell what has changed of late, with the pipeline's name where there are several."""
    known = understood(tidy(recent))
    told = episodes(known)
    for name in chosen:
        ours = pl.col("pipeline") == name
        for change in drift(known.filter(ours), told.filter(ours)):
            yield change if len(chosen) == 1 else change.model_copy(update={"why": f"{name}: {change.why}"})
