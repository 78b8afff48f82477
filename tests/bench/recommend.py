"""How much of the best possible saving the recommendation captures in worlds of known truth, and where it harms."""

from __future__ import annotations

import sys
import time
import warnings
from typing import TYPE_CHECKING

import polars as pl

from analysis.recommend import recommend
from analysis.waits import Prices
from tests.worlds import Mode, Plan, World, best_plan, hours_to_green, live, saving, truly_recovers, worlds
from toolkit.core.failure import Classifier

if TYPE_CHECKING:
    from analysis.recommendation import Interval, Recommendation, RuleAdvice

SIZES = (50, 200, 1000)
SEEDS = (7, 8, 9)
NOTHING = 0.01
"""A best saving below this share of what failures cost is none."""
HARM = 0.01
"""A loss beyond this share of what failures cost is harm."""
ROUNDING = 0.01
_CLASSIFIER = Classifier()
DESIGN = {"network": 3, "rate_limited": 3, "unavailable": 3, "contention": 3, "infrastructure": 3}


def meaning(mode: Mode) -> tuple[str, str]:
    """Class and signature of a mode's failures, as a live build would see them."""
    if mode.failure_class and mode.signature:
        return mode.failure_class, mode.signature
    found = _CLASSIFIER.classify(mode.message.format(n=123456, w="qwertyui").encode())
    return found.failure_class, found.signature


def rule_for(advice: Recommendation, mode: Mode) -> RuleAdvice | None:
    """Give the first rule that speaks for a mode's failures."""
    failure_class, signature = meaning(mode)
    state = next((each for each in advice.states if each.code == mode.state), None)
    for rule in state.rules if state else ():
        if failure_class in rule.on and (not rule.signatures or signature in rule.signatures):
            return rule
    return None


def plan_of(rule: RuleAdvice | None) -> Plan:
    """Give what a rule does."""
    if rule is None or rule.action in {"start-over", "collect"}:
        return Plan()
    if rule.action == "hold":
        return Plan(then="hold")
    waits = tuple(min(rule.wait * rule.factor**turn, rule.max_wait) for turn in range(rule.max_attempts - 1))
    return Plan(waits, rule.then)


def three_times(_: Mode) -> Plan:
    return Plan((30.0, 60.0))


def by_design(mode: Mode) -> Plan:
    """The design document's fixed strategies: by place in the pipeline, whatever the history says."""
    failure_class, _ = meaning(mode)
    if mode.state >= 70:
        return Plan(then="hold")
    return Plan((30.0, 60.0) if mode.state == 5 else (5.0, 10.0)) if failure_class in DESIGN else Plan()


def measure(world: World, weights: list[float], size: int, seed: int) -> tuple[float, list[bool], list[bool], float]:
    """Give hours saved per build, whether the intervals held (next attempt, retry in place), and seconds taken."""
    history = live(world, size, seed)
    begun = time.perf_counter()
    advice = recommend(history, prices=Prices(response_hours=2.0))
    took = time.perf_counter() - begun
    rules = {mode: rule_for(advice, mode) for mode in world.modes}
    gained = saving(world, weights, lambda mode: plan_of(rules[mode]))
    held: list[bool] = []
    retried: list[bool] = []
    crowded = {mode.state for mode in world.modes if sum(other.state == mode.state for other in world.modes) > 1}
    for mode, rule in rules.items():
        if rule is None or mode.kind == "stuck" or mode.state in crowded:
            continue
        held.append(_holds(rule.p_recover, truly_recovers(world, mode, None)))
        if rule.p_retry is not None:
            retried.append(_holds(rule.p_retry, truly_recovers(world, mode, rule.wait)))
    return gained, held, retried, took


def _holds(told: Interval, truth: float) -> bool:
    return told.low - ROUNDING <= truth <= told.high + ROUNDING


def main() -> None:
    """Print a line per world and the totals; arguments name worlds."""
    warnings.simplefilter("ignore")
    chosen = [world for world in worlds() if not sys.argv[1:] or world.name in sys.argv[1:]]
    totals: dict[str, list[float]] = {}
    harmed: dict[str, list[str]] = {}
    covered = {size: [0, 0, 0, 0] for size in SIZES}
    seconds: list[float] = []
    columns = [*(f"{size} builds" for size in SIZES), "3 times", "design"]
    print(f"{'hours saved, share of the best':32} {'best':>6} " + " ".join(f"{name:>11}" for name in columns))
    for world in chosen:
        weights, best, baseline = at_stake(world)
        gains: dict[str, list[float]] = {name: [] for name in columns}
        for size, name in zip(SIZES, columns, strict=False):
            for seed in SEEDS:
                gained, held, retried, took = measure(world, weights, size, seed)
                gains[name].append(gained)
                covered[size][0] += sum(held)
                covered[size][1] += len(held)
                covered[size][2] += sum(retried)
                covered[size][3] += len(retried)
                seconds.append(took)
        gains["3 times"] = [saving(world, weights, three_times)]
        gains["design"] = [saving(world, weights, by_design)]
        shares = {name: max(-1.0, mean(told) / max(best, NOTHING * baseline)) for name, told in gains.items()}
        if best < NOTHING * baseline:
            shares = {
                name: 1.0 if mean(told) > -HARM * baseline else share
                for (name, told), share in zip(gains.items(), shares.values(), strict=True)
            }
        for name, share in shares.items():
            totals.setdefault(name, []).append(share)
            if mean(gains[name]) < -HARM * baseline:
                harmed.setdefault(name, []).append(world.name)
        print(f"{world.name:32} {100 * best:6.1f} " + " ".join(f"{shares[name]:11.2f}" for name in columns))
    print()
    for name in columns:
        bad = harmed.get(name, [])
        print(
            f"{name:12} {mean(totals[name]):6.1%} of the best,"
            f" harm in {len(bad)} of {len(chosen)} worlds {' '.join(bad)}"
        )
    for size, (hits, asked, retries, tried) in covered.items():
        print(
            f"after {size} builds, 90 % intervals held the truth:"
            f" next attempt {hits} of {asked}, retry in place {retries} of {tried}"
        )
    print(f"{mean(seconds):.2f} s per recommendation")


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def at_stake(world: World) -> tuple[list[float], float, float]:
    """Give for each mode how often per build it begins to fail, and hours per build: the best saving, and what failures cost today."""
    history = live(world, 1000, 99)
    weights = []
    before = pl.col("status").shift().over("build", "state", order_by="attempt")
    begun = history.filter((pl.col("status") == "failed") & (before.fill_null("") != "failed"))
    for mode in world.modes:
        failed = begun.filter(pl.col("state") == mode.state).height
        weights.append(failed / 1000 / sum(other.state == mode.state for other in world.modes))
    best = baseline = 0.0
    for mode, weight in zip(world.modes, weights, strict=True):
        today = float(hours_to_green(world, mode, Plan()).mean())
        best += weight * (today - best_plan(world, mode)[1])
        baseline += weight * today
    return weights, best, baseline


if __name__ == "__main__":
    main()
