"""How much of the best possible saving the recommendation captures in worlds of known truth, and where it harms.

`./dev bench recommend` goes through worlds drawn at random, some of each trap, then through a fixed set. Names of traps
or worlds choose among them; `TOOLKIT_BENCH_WORLDS=20` draws so many of each trap, from `TOOLKIT_BENCH_FROM` on.

The best is what somebody does who knows from the first build on how each failure behaves and what everything costs. Who
only has the record cannot answer what has not happened yet, so the best for what was seen to fail and to be tried again
stands beside it. Both are told how soon a person looks at a held build, as a project tells `[prices] response`.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from analysis.recommend import recommend
from analysis.waits import Prices
from tests.varied_worlds import TRAPS, varied
from tests.worlds import Mode, Plan, World, best_plan, hours_to_green, live, saving, truly_recovers, worlds
from toolkit.core.failure import Classifier

if TYPE_CHECKING:
    from analysis.recommendation import Interval, Recommendation, RuleAdvice

SIZES = (50, 200, 1000)
COLUMNS = (*(f"{size} builds" for size in SIZES), "3 times", "design")
FIRST = int(os.environ.get("TOOLKIT_BENCH_FROM", "0"))
EACH = int(os.environ.get("TOOLKIT_BENCH_WORLDS", "4"))
"""Worlds drawn of each trap."""
SEEDS = (7, 8, 9)
NOTHING = 0.01
"""A best saving below this share of what failures cost is none."""
HARM = 0.01
"""A loss beyond this share of what failures cost is harm."""
ROUNDING = 0.01
AT_ONCE = 32.5
"""Seconds until somebody retries in place, on average."""
COUNTED = 3000
"""Builds in which it is counted how often failures happen: the truth that savings are compared with."""
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


@dataclass
class Tally:
    """How often 90 % intervals held the truth: of the next attempt, of a retry in place, of the hours saved."""

    asked: dict[str, int] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)

    def note(self, what: str, told: Interval, truth: float, rounding: float) -> None:
        self.asked[what] = self.asked.get(what, 0) + 1
        self.held[what] = self.held.get(what, 0) + (told.low - rounding <= truth <= told.high + rounding)


def measure(world: World, weights: list[float], size: int, seed: int, tally: Tally) -> tuple[float, float, set[Mode]]:
    """Give hours saved per build, the seconds that the recommendation took, and the modes that the record shows."""
    history = live(world, size, seed)
    begun = time.perf_counter()
    advice = recommend(history, prices=Prices(response_hours=world.response, response_told=True))
    took = time.perf_counter() - begun
    rules = {mode: rule_for(advice, mode) for mode in world.modes}
    gained = saving(world, weights, lambda mode: plan_of(rules[mode]))
    crowded = {mode.state for mode in world.modes if sum(other.state == mode.state for other in world.modes) > 1}
    for mode, rule in rules.items():
        if rule is None or mode.kind == "stuck" or mode.state in crowded:
            continue
        tally.note("next attempt", rule.p_recover, next_recovers(world, mode), ROUNDING)
        if rule.p_retry is not None:
            tally.note("retry in place", rule.p_retry, truly_recovers(world, mode, rule.wait), ROUNDING)
    rule = next(iter(rules.values()))
    if len(world.modes) == 1 and rule is not None and rule.action in {"retry", "hold"}:
        tally.note("hours saved", rule.saves.hours_per_100_builds, 100 * gained, ROUNDING)
    return gained, took, {mode for mode, each in rules.items() if each is not None and each.failures}


def next_recovers(world: World, mode: Mode) -> float:
    """Give the true chance that the next attempt passes, made as people make them: some at once and in place."""
    at_once, later = (truly_recovers(world, mode, wait) for wait in (AT_ONCE, None))
    return world.in_place * at_once + (1 - world.in_place) * later


@dataclass
class Result:
    """What answers to the failures of one world gain, as shares of the best, and whether any does harm."""

    world: World
    best: float
    baseline: float
    gains: dict[str, float]
    shown: dict[str, float]
    """The best for the failures that the record shows."""

    def share(self, name: str) -> float:
        gain = self.gains[name]
        if self.best < NOTHING * self.baseline:
            return 1.0 if gain > -HARM * self.baseline else -1.0
        return max(-1.0, gain / self.best)

    def harms(self, name: str) -> bool:
        return self.gains[name] < -HARM * self.baseline


def judge(world: World, seeds: tuple[int, ...], tallies: dict[int, Tally], seconds: list[float]) -> Result:
    """Compare what is recommended after so many builds with the best, and with what others do."""
    weights, bests, baseline = at_stake(world)
    gains, shown = {}, {}
    for size in SIZES:
        measured = [measure(world, weights, size, seed, tallies[size]) for seed in seeds]
        gains[f"{size} builds"] = mean([each[0] for each in measured])
        shown[f"{size} builds"] = mean([sum(bests[mode] for mode in each[2]) for each in measured])
        seconds.extend(each[1] for each in measured)
    gains["3 times"] = saving(world, weights, three_times)
    gains["design"] = saving(world, weights, by_design)
    return Result(world, sum(bests.values()), baseline, gains, shown)


def main() -> None:
    """Print a line per world and the totals; arguments name traps or worlds."""
    warnings.simplefilter("ignore")
    wanted = set(sys.argv[1:])
    drawn = {
        trap: [varied(trap, seed) for seed in range(FIRST, FIRST + EACH)]
        for trap in TRAPS
        if not wanted or trap in wanted
    }
    fixed = [world for world in worlds() if not wanted or world.name in wanted]
    for title, groups in (("drawn at random", drawn), ("fixed", {world.name: [world] for world in fixed})):
        if not groups:
            continue
        tallies, seconds = {size: Tally() for size in SIZES}, list[float]()
        results = []
        print(f"{title + ', share of the best':32} {'best':>7} " + " ".join(f"{name:>11}" for name in COLUMNS))
        for name, members in groups.items():
            told = [judge(world, SEEDS[: 3 if title == "fixed" else 1], tallies, seconds) for world in members]
            results.extend(told)
            line = " ".join(f"{mean([each.share(column) for each in told]):11.2f}" for column in COLUMNS)
            print(f"{name:32} {100 * mean([each.best for each in told]):7.1f} {line}", flush=True)
        print()
        for column in COLUMNS:
            bad = [each.world.name for each in results if each.harms(column)]
            shares = mean([each.share(column) for each in results])
            hours, most = sum(each.gains[column] for each in results), sum(each.best for each in results)
            shown = sum(each.shown.get(column, each.best) for each in results)
            print(
                f"{column:12} {shares:6.1%} of the best on average, {hours / most:6.1%} of all hours,"
                f" {hours / shown:6.1%} of those for what was seen; harm in {len(bad)} of {len(results)}",
                *bad[:9],
            )
        for size, tally in tallies.items():
            held = ", ".join(f"{what} {tally.held[what]} of {asked}" for what, asked in tally.asked.items())
            print(f"after {size} builds, 90 % intervals held the truth: {held}")
        print(f"{mean(seconds):.2f} s per recommendation\n")


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def at_stake(world: World) -> tuple[list[float], dict[Mode, float], float]:
    """Give how often each mode begins to fail per build; in hours per build, each one's best saving and the cost."""
    history = live(world, COUNTED, 99)
    weights = []
    before = pl.col("status").shift().over("build", "state", order_by="attempt")
    begun = history.filter((pl.col("status") == "failed") & (before.fill_null("") != "failed"))
    for mode in world.modes:
        failed = begun.filter(pl.col("state") == mode.state).height
        weights.append(failed / COUNTED / sum(other.state == mode.state for other in world.modes))
    bests, baseline = {}, 0.0
    for mode, weight in zip(world.modes, weights, strict=True):
        today = float(hours_to_green(world, mode, Plan()).mean())
        bests[mode] = weight * (today - best_plan(world, mode)[1])
        baseline += weight * today
    return weights, bests, baseline


if __name__ == "__main__":
    main()
