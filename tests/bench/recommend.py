"""How much of the best possible saving the recommendation captures in worlds whose truth is known, and where it harms."""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from analysis.recommend import recommend
from analysis.recommendation import Recommendation, RuleAdvice
from analysis.waits import Prices
from tests.worlds import Mode, Plan, World, best_plan, hours_to_green, live, saving, truly_recovers, worlds
from toolkit.core.failure import Classifier

SIZES = (50, 200, 1000)
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


def measure(world: World, best: float, weights: list[float], size: int, seed: int) -> tuple[float, list[bool], float]:
    """Give the saving per failure, whether each interval held the truth, and the seconds that the advice took."""
    history = live(world, size, seed)
    begun = time.perf_counter()
    advice = recommend(history, prices=Prices(response_hours=2.0))
    took = time.perf_counter() - begun
    rules = {mode: rule_for(advice, mode) for mode in world.modes}
    gained = saving(world, weights, lambda mode: plan_of(rules[mode]))
    held = []
    crowded = {mode.state for mode in world.modes if sum(other.state == mode.state for other in world.modes) > 1}
    for mode, rule in rules.items():
        if rule is None or mode.kind == "stuck" or mode.state in crowded:
            continue
        truth = truly_recovers(world, mode, rule.wait if rule.action == "retry" else None)
        if not rule.p_recover.low - 0.01 <= truth <= rule.p_recover.high + 0.01:
            print("   MISS", size, world.name, mode.kind, rule.action, rule.wait, truth, rule.p_recover, rule.incidents)
        held.append(rule.p_recover.low - 0.01 <= truth <= rule.p_recover.high + 0.01)
    return gained, held, took


def main() -> None:
    """Print a line per world and the totals."""
    warnings.simplefilter("ignore")
    only = set(sys.argv[1:])
    totals = {size: [0.0, 0] for size in SIZES}
    covered = {size: [0, 0] for size in SIZES}
    fixed = {"3 times": [0.0, 0], "design": [0.0, 0]}
    count = 0
    seconds = 0.0
    print(f"{'world':26} {'best h':>7} " + " ".join(f"{size:>6}" for size in SIZES) + "   3 times  design   (share of the best saving)")
    for world in worlds():
        if only and world.name not in only:
            continue
        history = live(world, 1000, 99)
        failed = [history.filter((history["state"] == mode.state) & (history["status"] == "failed")).height for mode in world.modes]
        same = [sum(other.state == mode.state for other in world.modes) for mode in world.modes]
        weights = [each / 1000 / of for each, of in zip(failed, same, strict=True)]
        best = 0.0
        for mode, weight in zip(world.modes, weights, strict=True):
            _, hours = best_plan(world, mode)
            best += weight * (float(hours_to_green(world, mode, Plan()).mean()) - hours)
        scale = max(best, 0.002)
        shares = []
        for size in SIZES:
            gained, held, took = measure(world, best, weights, size, seed=7)
            seconds += took
            share = gained / scale if best > 0.002 or gained < -0.002 else 1.0
            shares.append(share)
            totals[size][0] += share
            totals[size][1] += gained < -0.002
            covered[size][0] += sum(held)
            covered[size][1] += len(held)
        others = []
        for name, policy in (("3 times", three_times), ("design", by_design)):
            gained = saving(world, weights, policy)
            share = gained / scale if best > 0.002 or gained < -0.002 else 1.0
            others.append(share)
            fixed[name][0] += max(share, -1.0)
            fixed[name][1] += gained < -0.002
        count += 1
        print(f"{world.name:26} {100 * best:7.1f} " + " ".join(f"{share:6.2f}" for share in shares) + "   " + " ".join(f"{each:7.2f}" for each in others))
    print()
    for size in SIZES:
        hits, asked = covered[size]
        print(f"after {size:5} builds: {totals[size][0] / count:.1%} of the best, harm in {totals[size][1]} of {count} worlds, 90 % intervals held {hits} of {asked}")
    for name, (share, harmed) in fixed.items():
        print(f"{name}: {share / count:.1%} of the best, harm in {harmed} of {count}")
    print(f"{seconds / count / len(SIZES):.2f} s per recommendation")


if __name__ == "__main__":
    main()
