"""Evidence becomes a policy, and the sentence that justifies it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from analysis.attempts import tidy, understood
from analysis.chains import GROUP, bases, begins, chained, likeness
from analysis.costs import Costs, costs
from analysis.drift import drift, faded, split
from analysis.episodes import ORDER, episodes
from analysis.incidents import with_incidents
from analysis.limits import checkpoint, timeout
from analysis.pooling import REST, Group, kinship, lending, likely
from analysis.recommendation import (
    Action,
    Evidence,
    Interval,
    Recommendation,
    RuleAdvice,
    Saving,
    StateAdvice,
    Unclassified,
)
from analysis.recovery import Cloud, chance, repeats_while_stuck
from analysis.statistics import interval, more_needed, rate_draws, recovery
from analysis.waits import Answer, Prices, Stakes, best_answer
from analysis.words import rule_sentence, state_sentence
from toolkit.core.classes import GROUP_OF
from toolkit.core.moments import rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

_OWN_GROUP: Final = 3
"""A signature seen so often at a state is judged by itself; rarer ones of its class are judged together."""
_MOST_GROUPS: Final = 20
_LEAST_TRIED: Final = 2
"""Nothing is recommended on fewer outcomes than this; one is enough for what is known to pass by itself."""
_KINDRED: Final = 6.0
"""What the other failures of a class at a state tell of one that was never seen there, in incidents."""
_NONE: Final = dict.fromkeys(
    ("failures", "beginnings", "tried", "recovered", "in_place", "own", "own_spread", "lost", "lost_machine", "again"),
    0,
)
_LEAST_OF_PERSISTENT: Final = 1 / 3
"""What is of a persistent class is retried only when its own record leaves no doubt that it recovers so often."""
_NEGLIGIBLE: Final = 1 / 60
"""A gain, in hours per failure, that nobody would change a configuration for."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """Everything that was learnt about one group of failures."""

    group: Group
    failures: int
    beginnings: int
    """Failures that did not merely repeat the one before: so often is there something to decide."""
    occasions: float
    """How many independent ones `beginnings` are worth: (sum of an incident's)² / sum of squares (Kish, 1965)."""
    tried: int
    """Failures after which there was another attempt."""
    recovered: int
    in_place: int
    lost: float
    """Seconds between these failures and the next attempts, and in failing again: what could have been saved."""
    lost_machine: float
    """The part of them in which the machine worked."""
    incidents: float
    cloud: Cloud
    stakes: Stakes
    recovers: Interval
    """The chance that the next attempt recovers, made as the recorded ones were."""
    lent: float
    """What kin lent, in incidents."""


def recommend(
    attempts: pl.DataFrame, *, pipeline: str | None = None, prices: Prices | None = None, now: datetime | None = None
) -> Recommendation:
    """Recommend what to do about the failures of a pipeline (the one with the most failures when None).

    `attempts` are those of `analysis.history`, of any number of pipelines: others lend evidence where they fail alike.
    Attempts after `now` are not looked at. An empty history gives an empty recommendation.
    """
    known = understood(tidy(attempts))
    if now is not None:
        known = known.filter(pl.col("began").is_null() | (pl.col("began") <= now))
    if pipeline is None:
        pipeline = fails_most(known)
    ours = known.filter(pl.col("pipeline") == pipeline)
    told = episodes(known)
    failures = told.filter(pl.col("pipeline") == pipeline)
    paid = costs(ours, failures)
    rules = learn(*grouped(known, told), pipeline, paid)
    builds = ours["build"].n_unique()
    unknown = int((failures["class"] == "unknown").sum())
    return Recommendation(
        pipeline=pipeline,
        builds=builds,
        since=_moment(ours["began"].min()),
        until=_moment(ours["over"].max()),
        states=tuple(
            _state_advice(
                code, paid, [each for each in rules if each.group.state == code], ours, failures, prices or Prices()
            )
            for code in paid.states
        ),
        unclassified=Unclassified(failures=unknown, share=unknown / failures.height if failures.height else 0.0),
        notes=tuple(change.why for change in drift(ours, failures)),
    )


def learn(known: pl.DataFrame, told: pl.DataFrame, pipeline: str, paid: Costs) -> list[Learnt]:
    """Give what was learnt about each group of failures of a pipeline, most failures first.

    `known` are tidy, understood attempts, `told` their episodes, both `grouped`; `paid` is what the states cost.
    """
    named = told.with_columns(begins())
    often = {(row[0], row[1], row[2]): row[3] for row in bases(known).iter_rows()}
    facts = named.filter(pl.col("pipeline") == pipeline).group_by(GROUP).agg(
        pl.len().alias("failures"),
        pl.col("begins").sum().alias("beginnings"),
        pl.col("recovered").is_not_null().sum().alias("tried"),
        pl.col("recovered").sum().fill_null(0),
        (pl.col("next").is_in(("in_place", "resume"))).sum().alias("in_place"),
        pl.col("own").sum().alias("own"),
        pl.col("own").std().fill_null(0.0).alias("own_spread"),
        (pl.col("waited") + pl.col("lead")).sum().alias("lost"),
        pl.col("lead").sum().alias("lost_machine"),
        pl.col("own").filter(~pl.col("begins")).sum().alias("again"),
    )  # fmt: skip
    of = {_group(row): row for row in facts.iter_rows(named=True)}
    sizes = named.filter(pl.col("begins") & (pl.col("pipeline") == pipeline)).group_by(*GROUP, "incident").len("size")
    worth = pl.col("size").sum().cast(pl.Float64) ** 2 / (pl.col("size").cast(pl.Float64) ** 2).sum()
    occasions = {
        _group(row): row["worth"] for row in sizes.group_by(GROUP).agg(worth.alias("worth")).iter_rows(named=True)
    }
    base = {group: often.get((group.pipeline, group.state, group.signature or REST), 0.0) for group in of}
    since = split(known)
    old = (since, faded(told, since)) if since is not None else None
    chains = chained(told, known, likeness(told), old if old and old[1] else None)
    kin = dict(kinship(chains, base, pipeline))
    amount = lending(kin)
    chances = recovery(told)
    learnt = []
    for group, each in kin.items():
        unseen = group not in of
        if unseen and GROUP_OF.get(group.failure_class) == "persistent":
            continue  # what stays until somebody repairs it is tried again for its own record alone
        row = _NONE if unseen else of[group]
        cloud = likely(group, each, max(amount, _KINDRED) if unseen else amount)
        stakes = paid.stakes(
            group.state, (row["own"], row["failures"], row["own_spread"]), repeats_while_stuck(cloud, each.own)
        )
        own = (group.pipeline, group.state, group.failure_class, group.signature or REST)
        learnt.append(
            Learnt(
                group,
                row["failures"],
                row["beginnings"],
                occasions.get(group, 0.0),
                row["tried"],
                row["recovered"],
                row["in_place"],
                row["lost"] + row["again"],
                row["lost_machine"] + row["again"],
                each.own.informative,
                cloud,
                stakes,
                interval(chance(cloud, stakes.back, in_place=False)) if unseen else chances[own],
                sum(lent.informative for lent in each.lent(max(amount, _KINDRED) if unseen else amount)),
            )
        )
    return sorted(learnt, key=lambda each: (-each.failures, each.group.state, str(each.group.signature)))


def grouped(known: pl.DataFrame, told: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Give attempts and episodes with the signatures that are too rare to be judged alone replaced by `REST`.

    What is told apart no more may be one incident: these are found anew.
    """
    often = pl.len().over(GROUP)
    place = often.rank("dense", descending=True).over("pipeline", "state", "class")
    own = (often >= _OWN_GROUP) & (place <= _MOST_GROUPS)
    named = told.with_columns(pl.when(own).then("signature").otherwise(pl.lit(REST)).alias("signature"))
    if REST not in named["signature"]:
        return known, told
    kept = named.select(GROUP).unique().with_columns(pl.lit(value=True).alias("kept"))
    marked = known.join(kept, on=list(GROUP), how="left", maintain_order="left")
    rare = (pl.col("status") == "failed") & pl.col("kept").is_null()
    known = marked.with_columns(pl.when(rare).then(pl.lit(REST)).otherwise("signature").alias("signature")).drop("kept")
    return known, with_incidents(named.drop("incident", "incident_size"), known).sort(ORDER)


def _group(row: Mapping[str, object]) -> Group:
    signature = str(row["signature"])
    state = row["state"]
    assert isinstance(state, int)  # noqa: S101 - the column's type
    return Group(str(row["pipeline"]), state, str(row["class"]), None if signature == REST else signature)


def fails_most(known: pl.DataFrame) -> str:
    """Name the pipeline with the most failures, of equal ones the one with more builds; empty when there is none."""
    failed = (pl.col("status") == "failed").sum().alias("failed")
    sizes = known.group_by("pipeline").agg(failed, pl.col("build").n_unique())
    ordered = sizes.sort("failed", "build", "pipeline", descending=[True, True, False])
    return str(ordered["pipeline"][0]) if ordered.height else ""


def _moment(value: object) -> str | None:
    return None if value is None else rfc3339(round(value.timestamp() * 1000))  # type: ignore[attr-defined]


def _state_advice(  # noqa: PLR0913, PLR0917 - what is known of a state
    code: int, paid: Costs, learnt: list[Learnt], ours: pl.DataFrame, failures: pl.DataFrame, prices: Prices
) -> StateAdvice:
    of = paid.states[code]
    builds = ours["build"].n_unique()
    pairs = [rule_advice(each, builds, prices) for each in learnt if each.failures]
    retried = {rule.on for rule, *_ in pairs} - {rule.on for rule, *_ in pairs if rule.action != "retry"}
    unseen = (rule_advice(each, builds, prices) for each in learnt if not each.failures)
    pairs += [pair for pair in unseen if pair[0].on in retried and pair[0].action == "retry"]
    rules = sorted((pair[0] for pair in pairs), key=lambda rule: (not rule.signatures, -rule.failures, rule.on))
    here = failures.filter(pl.col("state") == code)
    evidence = Evidence(
        attempts=of.attempts, failures=of.failures, recovered=int(here["recovered"].sum() or 0),
        in_place=int(here["next"].is_in(("in_place", "resume")).sum()),
        censored=int(here["censored"].is_not_null().sum()),
        incidents=here["incident"].n_unique(),
    )  # fmt: skip
    weightiest = max(rules, key=lambda rule: rule.failures, default=None)
    zero = np.zeros(1)
    return StateAdvice(
        code=code, name=of.name,
        action=weightiest.action if weightiest else "collect",
        confidence=weightiest.confidence if weightiest else 0.0,
        why=state_sentence(of, evidence, weightiest),
        evidence=evidence,
        rules=tuple(rules),
        saves=Saving(
            hours_per_100_builds=interval(sum((pair[1] for pair in pairs), zero)),
            machine_hours_per_100_builds=interval(sum((pair[2] for pair in pairs), zero)),
        ),
        timeout=timeout(ours, code),
        checkpoint=checkpoint(of, paid.delay, builds),
    )  # fmt: skip


def rule_advice(learnt: Learnt, builds: int, prices: Prices) -> tuple[RuleAdvice, np.ndarray, np.ndarray]:
    """Give the rule for one group, and draws of the hours and machine hours that it saves for 100 builds."""
    persistent = GROUP_OF.get(learnt.group.leaning) == "persistent"
    best, sure = best_answer(
        learnt.cloud, learnt.stakes, prices, incidents=learnt.incidents + learnt.lent,
        least=_LEAST_OF_PERSISTENT if persistent else 0.0,
    )  # fmt: skip
    action, answer = _decided(learnt, best, sure)
    acts = action in {"retry", "hold"}
    often = 100 * learnt.beginnings / builds * _spread(learnt, builds)
    hours = _bounded(answer.hours * often, 100 * learnt.lost / 3600 / builds) if acts else np.zeros(1)
    machine = _bounded(answer.machine_hours * often, 100 * learnt.lost_machine / 3600 / builds) if acts else np.zeros(1)
    saved = float(hours.mean()) / often.mean() * 3600 if learnt.beginnings else float(answer.hours.mean()) * 3600
    schedule = answer.schedule if action == "retry" else None
    chances = learnt.recovers
    retried = interval(chance(learnt.cloud, schedule.waits[0], in_place=True)) if schedule else None
    confidence = _confidence(action, answer)
    waits = schedule.waits if schedule else ()
    rule = RuleAdvice(
        on=(learnt.group.failure_class,),
        signatures=(learnt.group.signature,) if learnt.group.signature else (),
        action=action,
        max_attempts=1 + len(waits),
        wait=waits[0] if waits else 0.0,
        factor=schedule.factor if schedule else 1.0,
        max_wait=max(waits, default=0.0),
        max_elapsed=round(2 * sum(waits) + 3 * len(waits) * max(learnt.stakes.fails, learnt.stakes.completes))
        if waits
        else None,
        jitter=False,
        then="hold" if action == "hold" or (action == "retry" and answer.then == "hold") else "start-over",
        p_recover=chances,
        p_retry=retried,
        failures=learnt.failures,
        incidents=round(learnt.incidents, 1),
        confidence=confidence,
        why=rule_sentence(
            learnt, action, answer, retried or chances, more_needed(answer.gain, learnt.incidents), saved
        ),
        saves=Saving(hours_per_100_builds=interval(hours), machine_hours_per_100_builds=interval(machine)),
    )
    return rule, hours, machine


def _bounded(hours: np.ndarray, lost: float) -> np.ndarray:
    """Scale what is saved so that it is not more, on average, than what was lost in the record."""
    mean = float(hours.mean())
    return hours * (lost / mean) if mean > lost else hours


def _decided(learnt: Learnt, best: Answer, sure: Answer) -> tuple[Action, Answer]:
    least = 1 if GROUP_OF.get(learnt.group.leaning) == "transient" else _LEAST_TRIED
    enough = max(learnt.tried, learnt.incidents + learnt.lent) >= least
    hopeless = sure.action == "retry" and learnt.tried and not learnt.recovered
    if enough and not hopeless and sure.low > 0 and sure.mean > _NEGLIGIBLE:
        return sure.action, sure
    likely = best.mean > _NEGLIGIBLE and float(np.median(best.gain)) > 0
    return ("collect" if likely else "start-over"), best


def _confidence(action: str, answer: Answer) -> float:
    """Give how sure the action is: the chance that it gains, or for a start-over that nothing else gains much."""
    if action == "start-over":
        return round(float((answer.gain <= _NEGLIGIBLE).mean()), 3)
    return round(float((answer.gain > 0).mean()), 3)


def _spread(learnt: Learnt, builds: int) -> np.ndarray:
    """Draws, around 1, of how far the failure's frequency may lie from the one seen: incidents come by chance."""
    share = learnt.occasions / learnt.beginnings if learnt.beginnings else 1.0
    draws = rate_draws(learnt.occasions, max(builds * share, learnt.occasions), 768, seed=7)
    return np.asarray(draws / draws.mean())
