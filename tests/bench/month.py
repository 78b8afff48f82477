"""A month of builds, seeded: hours to green and machine hours under four ways to answer failures.

`./dev bench month` lets the same builds meet the same troubles under each: starting over, as most teams do; trying any
failing state three times at once and then starting over, as CI systems offer; our defaults under selective-retry; and
under full-resume. The last two are decided by the very functions that decide real builds. Nothing of this was observed:
how often and how long things fail is assumed, and said below. `TOOLKIT_BENCH_SEEDS=10` takes more months.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from phases import phase
from phases.track_only import track_only
from tests.driving import Life, Try, drive
from toolkit.core.action import Retry, StartOver
from toolkit.core.pipeline import StateConfig
from toolkit.core.policy import Policy, strategy_by_kind
from toolkit.core.situation import Diagnosis

if TYPE_CHECKING:
    from phases import Decide
    from toolkit.core.action import Action
    from toolkit.core.situation import Situation

SEEDS: Final = range(int(os.environ.get("TOOLKIT_BENCH_SEEDS", "3")))
DAYS: Final = 30
BUILDS_A_DAY: Final = 16
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0

PIPELINE: Final = (
    (5, "kickstart", 30 * MINUTE), (10, "green image", 8 * MINUTE), (20, "ansible base", 15 * MINUTE),
    (30, "ansible packages", 20 * MINUTE), (45, "ansible services", 12 * MINUTE), (65, "ansible secure", 10 * MINUTE),
    (70, "boot tests", 8 * MINUTE), (80, "smoke tests", 6 * MINUTE), (90, "acceptance tests", 15 * MINUTE),
)  # fmt: skip
STATES: Final = tuple(
    StateConfig(code=code, name=name, strategy=strategy_by_kind(code, name)) for code, name, _ in PIPELINE
)
SECONDS: Final = {code: seconds for code, _, seconds in PIPELINE}


@dataclass(frozen=True)
class Trouble:
    """One thing that goes wrong at some states."""

    states: tuple[int, ...]
    diagnosis: Diagnosis
    share: float
    """Of attempts, for chance; of time, for outages that all builds share; of builds, for what stays until mended."""
    lasts: float | None = None
    """Mean seconds of an outage; None where it is chance or stays."""
    stays: bool = False
    """No retry and no start-over helps: somebody has to mend it."""
    dirty: float = 0.0
    """How often an attempt in the same place fails again for the mess that the first one left."""
    again: float | None = None
    """How often the next attempt fails too, where that is not just `share`."""
    fails_after: float = 0.3
    """Of the state's own time."""


def _of(failure_class: str, signature: str, retry_after: float | None = None) -> Diagnosis:
    return Diagnosis(failure_class=failure_class, signature=signature, retry_after=retry_after)


TROUBLES: Final = (
    Trouble((5, 30), _of("network", "net.timeout"), 0.04),
    Trouble((5, 20, 30), _of("unavailable", "http.503"), 0.02, lasts=20 * MINUTE, fails_after=0.1),
    Trouble((5, 30), _of("rate_limited", "http.429", 120.0), 0.02, lasts=4 * MINUTE, fails_after=0.1),
    Trouble((20, 30, 45), _of("contention", "apt.lock"), 0.03, lasts=3 * MINUTE, fails_after=0.05),
    Trouble((10, 45), _of("infrastructure", "vm.gone"), 0.01),
    Trouble((10, 30), _of("resource", "disk.full"), 0.01, dirty=0.9, fails_after=0.6),
    Trouble((30,), _of("dirty", "apt.broken"), 0.01, dirty=0.8),
    Trouble((20, 45, 65), _of("config", "ansible.undefined"), 0.03, stays=True),
    Trouble((30,), _of("dependency", "apt.no-package"), 0.02, stays=True),
    Trouble((5,), _of("auth", "http.401"), 0.01, stays=True, fails_after=0.02),
    Trouble((80, 90), _of("test", "pytest.failed"), 0.03, stays=True),
    Trouble((70, 90), _of("test", "pytest.failed"), 0.03, again=0.3),
    Trouble((45, 65), _of("unknown", "tmpl.4f1c"), 0.02, again=0.4),
    Trouble((5,), _of("stall", "end.stall"), 0.01, again=0.2, fails_after=0.8),
)
RESTART: Final = 5 * MINUTE
"""Mean time until CI or somebody starts over."""
LOOK: Final = 90 * MINUTE
"""Mean time until a person who was called has looked and mended."""
VAIN: Final = 2
"""Without a hold nobody is called: so many start-overs fail before somebody looks."""


@dataclass
class Fate:
    """What one build meets, the same under every way of answering it."""

    number: int
    begins: float
    seed: int
    outages: dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]]
    troubles: tuple[Trouble, ...] = TROUBLES
    broken: set[int] = field(default_factory=set)
    struck: set[int] = field(default_factory=set)
    fruitless: int = 0

    def __post_init__(self) -> None:
        """Draw what stays broken in this build."""
        self.broken = {
            place for place, each in enumerate(self.troubles) if each.stays and self._luck(place) < each.share
        }

    def fails(self, tried: Try) -> Diagnosis | None:
        found = next((place for place in range(len(self.troubles)) if self._strikes(place, tried)), None)
        if found is None:
            self.struck -= {place for place, each in enumerate(self.troubles) if tried.state in each.states}
            return None
        self.struck.add(found)
        self.fruitless += found in self.broken
        return self.troubles[found].diagnosis

    def seconds(self, tried: Try, failure: Diagnosis | None) -> float:
        spread = 0.9 + 0.2 * self._luck(tried.state, tried.attempt, 7)
        part = 1.0 if failure is None else next(e.fails_after for e in self.troubles if e.diagnosis == failure)
        return SECONDS[tried.state] * spread * part

    def restarted(self, runs: int) -> float:
        waited = -RESTART * float(np.log(1 - self._luck(runs, 11)))
        if self.fruitless > VAIN:
            return waited + self.mended(0)
        return waited

    def mended(self, state: int) -> float:
        """Whatever is broken is found and mended when somebody looks."""
        self.broken.clear()
        self.fruitless = 0
        return -LOOK * float(np.log(1 - self._luck(state, 13)))

    def chance(self) -> float:
        return 0.5

    def _strikes(self, place: int, tried: Try) -> bool:
        trouble = self.troubles[place]
        if tried.state not in trouble.states:
            return False
        if trouble.stays:
            return place in self.broken and tried.state == trouble.states[self.number % len(trouble.states)]
        if trouble.lasts is not None:
            begins, ends = self.outages[place]
            now = self.begins + tried.now
            last = int(np.searchsorted(begins, now, side="right")) - 1
            return last >= 0 and now < ends[last]
        share = trouble.share
        if place in self.struck:
            share = trouble.dirty if trouble.dirty and tried.in_place else trouble.again or share
        return self._luck(place, tried.state, tried.attempt) < share

    def _luck(self, *of: int) -> float:
        return float(np.random.default_rng((self.seed, self.number, *of)).random())


def three_times(situation: Situation, policy: Policy) -> Action:
    """Try everything three times at once, then start over: what a CI system's `retry: 2` does."""
    if situation.failure is None:
        return track_only(situation, policy)
    from toolkit.core.action import Pause

    if situation.failures % 3:
        return Retry(reason="three times", pause=Pause())
    return StartOver(reason="three times")


WAYS: Final[dict[str, Decide]] = {
    "start over": track_only, "three times": three_times, "selective-retry": phase("selective-retry"),
    "full-resume": phase("full-resume"),
}  # fmt: skip


def month(decide: Decide, seed: int, troubles: tuple[Trouble, ...]) -> list[Life]:
    """Live through a month of builds."""
    rng = np.random.default_rng(seed)
    begins = np.cumsum(rng.exponential(DAY / BUILDS_A_DAY, DAYS * BUILDS_A_DAY))
    outages = {place: _outages(each, rng) for place, each in enumerate(troubles) if each.lasts is not None}
    fates = (Fate(number, float(begin), seed, outages, troubles) for number, begin in enumerate(begins))
    return [drive(STATES, fate, decide, Policy()) for fate in fates]


def _outages(trouble: Trouble, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    lasts = trouble.lasts or 1.0
    count = int(DAYS * 1.5 * DAY * trouble.share / lasts) + 50
    lengths = rng.exponential(lasts, count)
    gaps = rng.exponential(lasts * (1 - trouble.share) / trouble.share, count)
    begins = np.cumsum(gaps + np.concatenate(([0.0], lengths[:-1])))
    return begins, begins + lengths


def figures(lives: list[Life]) -> tuple[float, float, float, float, float, float]:
    """Give mean and 90th percentile of hours to green, machine hours, start-overs, retries in place, calls, a build."""
    hours = np.array([each.seconds / HOUR for each in lives])
    retries = [sum(tried.in_place for tried, _ in each.tries) for each in lives]
    return (
        float(hours.mean()), float(np.percentile(hours, 90)),
        float(np.mean([each.machine_seconds / HOUR for each in lives])),
        float(np.mean([each.runs - 1 for each in lives])), float(np.mean(retries)),
        float(np.mean([each.holds for each in lives])),
    )  # fmt: skip


def compared(troubles: tuple[Trouble, ...]) -> None:
    """Print what each way costs in such months, and what it saves against starting over."""
    clean = sum(SECONDS.values()) / HOUR
    titles = ("hours to green", "slowest 10 % from", "machine hours", "runs again", "retries", "holds")
    print(f"{'':16}" + "".join(f"{title:>21}" for title in titles) + f"{'hours saved':>13}{'machine':>9}")
    told = {name: np.array([figures(month(decide, seed, troubles)) for seed in SEEDS]) for name, decide in WAYS.items()}
    base = told["start over"]
    for name, values in told.items():
        columns = [values[:, place] for place in range(len(titles))]
        cells = (f"{each.mean():.2f} ({each.min():.2f}-{each.max():.2f})" for each in columns)
        hours, machine = (1 - (values[:, place] - clean) / (base[:, place] - clean) for place in (0, 2))
        print(f"{name:16}" + "".join(f"{cell:>21}" for cell in cells) + f"{hours.mean():>13.0%}{machine.mean():>9.0%}")


ALL: Final = """
{months} simulated months of {builds} builds; a build without a failure takes {hours:.2f} h. Figures are means a build
(lowest to highest month); what is saved is a share of what starting over takes beyond a build without failures.

all troubles:
"""
NO_LUCK: Final = """
without flaky tests, hangs and unknown failures, which another try at once usually cures though nobody knows why, and
which our defaults leave to a person or to a start-over:
"""


def main() -> None:
    """Print both kinds of months."""
    print(ALL.format(months=len(SEEDS), builds=DAYS * BUILDS_A_DAY, hours=sum(SECONDS.values()) / HOUR))
    compared(TROUBLES)
    print(NO_LUCK)
    compared(tuple(each for each in TROUBLES if each.again is None))


if __name__ == "__main__":
    main()
