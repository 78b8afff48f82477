"""What the history teaches, beside what it says: recommendations, previews and scored shadows, for a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.recommend import recommend
from analysis.replay import replay
from analysis.shadows import score_shadows
from phases import PHASES, phase

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from analysis.waits import Prices
    from toolkit.core.pipeline import StateConfig
    from toolkit.core.policy import Policy


def study(
    attempts: pl.DataFrame, policy: Policy, states: Mapping[int, StateConfig], *, pipeline: str | None, prices: Prices
) -> dict[str, Any]:
    """Give the arguments of `findings.find` that others find out, of one pipeline (the largest when None).

    An empty history teaches nothing, and neither does one without a failure.
    """
    if not attempts.height or "failed" not in attempts["status"]:
        return {}
    advice = recommend(attempts, pipeline=pipeline, prices=prices)
    previews = [
        replay(attempts, phase(name), policy, phase=name, pipeline=advice.pipeline, states=states, prices=prices)
        for name in PHASES[1:]
    ]
    return {"recommendations": [advice], "previews": previews, "shadows": score_shadows(attempts)}
