"""The same history under another phase: the recorded builds, decided anew by the functions that decide live ones."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from analysis.attempts import tidy, understood
from analysis.costs import costs
from analysis.episodes import episodes
from analysis.preview import Compared, Preview
from analysis.recommend import Learnt, fails_most, grouped, learn
from analysis.splice import Decide, Draw, Outcome, Step, Walk
from analysis.statistics import interval
from analysis.waits import Prices
from toolkit.core.pipeline import StateConfig
from toolkit.core.situation import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from toolkit.core.policy import Policy

_SIMULATIONS: Final = 12_000
_FEWEST, _MOST = 16, 120
_LUCK: Final = 64
_HOUR: Final = 3600.0
_KEY: Final = ("build", "state", "run", "attempt")


def replay(  # noqa: PLR0913 - what a replay may depend on
    attempts: pl.DataFrame,
    decide: Decide,
    policy: Policy,
    *,
    phase: str,
    pipeline: str | None = None,
    states: Mapping[int, StateConfig] | None = None,
    prices: Prices | None = None,
    seed: int = 11,
) -> Preview:
    """Give what the recorded builds of a pipeline would have taken, had `decide` decided under `policy`.

    Where the decision is what was done, the record is followed exactly. Elsewhere outcomes come from the posterior,
    given how the record went on, with the same luck in every comparison. `states` are the configured ones; states
    without an entry get a bare one. Intervals come from draws of the posterior and from resampling incidents with
    replacement; a replay under the decisions that were made has intervals of no width.
    """
    known = understood(tidy(attempts))
    pipeline = pipeline if pipeline is not None else fails_most(known)
    ours_only = pl.col("pipeline") == pipeline
    ours = known.filter(ours_only)
    told = episodes(known)
    failures = told.filter(ours_only)
    paid = costs(ours, failures)
    named = grouped(known, told)
    learnt = learn(*named, pipeline, paid) if failures.height else []
    configured = {
        code: (states or {}).get(code) or StateConfig(code=code, name=of.name) for code, of in paid.states.items()
    }
    failing = steps_by_build(ours, failures)
    calm = _calm(ours, set(failing))
    turns = int(np.clip(_SIMULATIONS // max(len(failing), 1), _FEWEST, _MOST))
    groups = {row[:-1]: row[-1] for row in named[1].filter(ours_only).select(*_KEY, "signature").iter_rows()}
    response = (prices or Prices()).response_hours * _HOUR
    before = [recorded(steps) for steps in failing.values()]
    after: list[list[Outcome]] = []
    for turn in range(turns):
        draws = _drawn(learnt, failures, groups, turn, turns)
        after.append(
            [
                Walk(steps, decide, policy, configured, draws, paid, _luck(seed, turn, place), response).live()
                for place, steps in enumerate(failing.values())
            ]
        )
    clusters = _clusters(failing, failures)
    return _preview(phase, before, after, calm, clusters, np.random.default_rng(seed))


def recorded(steps: Sequence[Step]) -> Outcome:
    """Give what became of a build as it was recorded."""
    outcome = Outcome()
    for place, step in enumerate(steps):
        before = steps[place - 1] if place else None
        outcome.clock += max(step.over - (before.over if before else step.began), 0.0)
        outcome.machine += step.duration
        if before is not None and before.run != step.run:
            outcome.start_overs += step.state <= steps[0].state
        elif before is not None and before.state == step.state and before.status == "failed":
            outcome.retries += 1
            outcome.futile += step.status == "failed"
    outcome.observed = outcome.clock
    outcome.green = steps[-1].status == "completed"
    return outcome


def steps_by_build(ours: pl.DataFrame, failures: pl.DataFrame) -> dict[str, list[Step]]:
    """Give the steps of each build that ever failed, in the order they happened."""
    executed = ours.filter(
        pl.col("status").is_in(("completed", "failed", "interrupted")) & pl.col("over").is_not_null()
    )
    executed = executed.filter((pl.col("status") == "failed").any().over("build"))
    fate = failures.select(*_KEY, "next", "recovered", "gap", "waited")
    rows = executed.join(fate, on=list(_KEY), how="left").sort("build", "run", "began", "over", "state")
    by_build: dict[str, list[Step]] = {}
    for row in rows.iter_rows(named=True):
        by_build.setdefault(row["build"], []).append(_step(row))
    return by_build


def _step(row: Mapping[str, Any]) -> Step:
    return Step(
        run=row["run"], state=row["state"], status=row["status"], began=row["began"].timestamp(),
        over=row["over"].timestamp(), duration=row["duration"], next=row["next"], recovered=row["recovered"],
        gap=row["gap"] or 0.0, waited=row["waited"] or 0.0, decided=_action(row.get("decision")),
        diagnosis=Diagnosis(
            failure_class=row["class"] or "unknown", signature=row["signature"] or "unknown",
            retry_after=row.get("retry_after"),
        ),
    )  # fmt: skip


def _action(decision: str | None) -> str | None:
    return json.loads(decision).get("action") if decision else None


def _calm(ours: pl.DataFrame, failing: set[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give hours of wall clock and of machine of each build that never failed: there is nothing to decide there."""
    calm = ours.filter(~pl.col("build").is_in(list(failing)) & (pl.col("status") == "completed"))
    per = (
        calm.group_by("build")
        .agg(
            (pl.col("over").max() - pl.col("began").min()).dt.total_milliseconds() / 3.6e6,
            pl.col("duration").sum() / _HOUR,
        )
        .sort("build")
    )
    return per["over"].to_numpy(), per["duration"].to_numpy()


def _drawn(
    learnt: Sequence[Learnt], failures: pl.DataFrame, groups: Mapping[tuple[Any, ...], str], turn: int, turns: int
) -> dict[tuple[int, str, str], Draw]:
    """Give for each kind of failure one draw from the posterior of its group."""
    of = {(each.group.state, each.group.failure_class, each.group.signature): each for each in learnt}
    draws: dict[tuple[int, str, str], Draw] = {}
    for row in failures.select(*_KEY, "class", "signature").iter_rows(named=True):
        kind = (row["state"], row["class"], row["signature"])
        if kind in draws:
            continue
        grouped = groups[tuple(row[name] for name in _KEY)]
        each = of.get(kind) if grouped == row["signature"] else of.get((*kind[:2], None))
        cloud = (each or of[(*kind[:2], None)]).cloud
        place = turn * len(cloud) // turns
        random, outage, stuck, dirty = (float(way) for way in cloud.share[:, place])
        lasting = float(cloud.length[place]), float(cloud.repair[place])
        draws[kind] = Draw((random, outage, stuck, dirty), float(cloud.chance[place]), *lasting, cloud.base)
    return draws


@lru_cache(maxsize=1 << 15)
def _luck(seed: int, turn: int, place: int) -> NDArray[np.float64]:
    """Common random numbers: a build has the same luck under every policy."""
    return np.random.default_rng((seed, turn, place)).random(_LUCK)


def _clusters(failing: Mapping[str, Sequence[Step]], failures: pl.DataFrame) -> NDArray[np.intp]:
    first = failures.sort("over").unique("build", keep="first", maintain_order=True)
    incident = dict(first.select("build", "incident").iter_rows())
    _, numbers = np.unique(np.array([incident[build] for build in failing], dtype=np.int64), return_inverse=True)
    return numbers


def _preview(  # noqa: PLR0913, PLR0917 - both sides of a comparison
    phase: str, before: list[Outcome], after: list[list[Outcome]],
    calm: tuple[NDArray[np.float64], NDArray[np.float64]],
    clusters: NDArray[np.intp], rng: np.random.Generator,
) -> Preview:  # fmt: skip
    green = np.array([each.green for each in before], dtype=bool)
    builds = len(before) + calm[0].size
    greens = max(int(green.sum()) + calm[0].size, 1)
    weights = _resampled(clusters, len(after), rng)

    def compared(of: str, scale: float, *, only_green: bool = False, calm_sum: float = 0.0) -> Compared:
        was = np.array([float(getattr(each, of)) for each in before]) * scale
        each_turn = np.array([[float(getattr(each, of)) for each in turn] for turn in after]) * scale
        if only_green:
            was, each_turn, weigh = was[green], each_turn[:, green], weights[:, green]
        else:
            weigh = weights
        base = float(was.sum()) + calm_sum
        change = (each_turn - was).sum(axis=1) if each_turn.size else np.zeros(1)
        spread = ((each_turn - was) * weigh).sum(axis=1) if each_turn.size else np.zeros(1)
        told = interval(np.maximum(base + (spread - spread.mean()) + change.mean(), 0.0))
        return Compared(recorded=base, replayed=told)

    hours = compared("clock", 1 / _HOUR, only_green=True, calm_sum=float(calm[0].sum())).divided(greens)
    clock = sum(each.clock for turn in after for each in turn) / max(len(after), 1) + float(calm[0].sum()) * _HOUR
    seen = sum(each.observed for turn in after for each in turn) / max(len(after), 1) + float(calm[0].sum()) * _HOUR
    retries, futile, held = (compared(name, 1.0) for name in ("retries", "futile", "held"))
    return Preview(
        phase=phase,
        builds=builds,
        hours_to_green=hours,
        machine_hours=compared("machine", 1 / _HOUR, calm_sum=float(calm[1].sum())),
        start_overs=compared("start_overs", 1.0),
        retries=round(retries.replayed.mean, 1),
        futile_retries=round(futile.replayed.mean, 1),
        held=round(held.replayed.mean, 1),
        recorded_retries=round(retries.recorded),
        observed_share=seen / clock if clock > 0 else 1.0,
    )


def _resampled(clusters: NDArray[np.intp], turns: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Give how often each build is taken when incidents are drawn with replacement: shape (turns, builds)."""
    count = int(clusters.max()) + 1 if clusters.size else 0
    if not count:
        return np.ones((turns, 0))
    taken = rng.multinomial(count, np.full(count, 1 / count), size=turns)
    return np.asarray(taken[:, clusters], dtype=np.float64)
