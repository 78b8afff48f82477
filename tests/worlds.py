"""Simulated worlds of known truth: how failures really behave, what history they leave, what each answer costs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl

from analysis.tables import MOMENT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

Kind = Literal["random", "outage", "stuck", "dirty"]
HOUR = 3600.0
_START = datetime(2026, 1, 5, tzinfo=UTC).timestamp()
MOST_START_OVERS = 10


@dataclass(frozen=True)
class Mode:
    """One way in which a state fails; `{n}` in a message differs each time, class None leaves it unclassified."""

    state: int
    kind: Kind
    rate: float
    """Of attempts that fail so; of time that is an outage; of builds that are stuck."""
    signature: str | None
    failure_class: str | None
    message: str = "failed"
    recovers: float = 0.8
    """Chance that the next attempt passes, where that is chance."""
    outage: float = 1800.0
    """Mean length, seconds."""
    steady: bool = False
    """Outages all last equally long, instead of exponentially."""
    spares: float = 0.0
    """Chance that an attempt passes although there is an outage."""
    fails_after: float | None = None
    """Seconds; None for a third of the state's duration."""


@dataclass(frozen=True)
class World:
    """A pipeline of states `(code, seconds)`, what befalls it, and how people treat it."""

    name: str
    states: tuple[tuple[int, float], ...]
    modes: tuple[Mode, ...]
    delay: float = 300.0
    """Mean seconds until somebody starts over."""
    spacing: float = 3600.0
    """Mean seconds between the begins of builds."""
    response: float = 2.0
    """Hours until a person looks at a held build."""
    vain: int = 2
    """Start-overs of a stuck build before somebody repairs it, or gives it up."""
    repaired: float = 0.5
    """Share of stuck builds that are repaired."""
    in_place: float = 0.0
    """Share of failures that somebody retried in place."""

    def fails_after(self, mode: Mode) -> float:
        return mode.fails_after if mode.fails_after is not None else dict(self.states)[mode.state] / 3

    def lead(self, state: int) -> float:
        return sum(seconds for code, seconds in self.states if code < state)


@dataclass
class _Life:
    """A simulation under way."""

    world: World
    rng: np.random.Generator
    outages: dict[int, tuple[Array, Array]]
    rows: list[dict[str, Any]] = field(default_factory=list)

    def down(self, number: int, now: float) -> bool:
        begins, ends = self.outages[number]
        place = int(np.searchsorted(begins, now, side="right")) - 1
        return place >= 0 and now < ends[place]


def live(world: World, builds: int, seed: int) -> pl.DataFrame:
    """Let a world live through so many builds, started over whenever they fail; give their attempts."""
    rng = np.random.default_rng(seed)
    until = builds * world.spacing * 1.5 + 400 * HOUR
    outages = {number: _outages(mode, until, rng) for number, mode in enumerate(world.modes) if mode.kind == "outage"}
    life = _Life(world, rng, outages)
    begin = 0.0
    for build in range(builds):
        begin += rng.exponential(world.spacing)
        stuck = {place for place, mode in enumerate(world.modes) if mode.kind == "stuck" and rng.random() < mode.rate}
        _Build(life, f"b-{build:05d}", begin, stuck).live()
    return _frame(life.rows)


def _outages(mode: Mode, until: float, rng: np.random.Generator) -> tuple[Array, Array]:
    apart = mode.outage * (1 - mode.rate) / mode.rate
    count = int(until / (apart + mode.outage) * 1.5) + 20
    lengths = np.full(count, mode.outage) if mode.steady else rng.exponential(mode.outage, count)
    gaps = rng.exponential(apart, count)
    begins = np.cumsum(gaps + np.concatenate(([0.0], lengths[:-1])))
    return begins, begins + lengths


@dataclass
class _Build:
    """One build on its way to green."""

    life: _Life
    name: str
    now: float
    stuck: set[int]
    failed: set[int] = field(default_factory=set)
    """Modes that struck at the last attempt at their state."""
    marred: set[int] = field(default_factory=set)
    attempts: dict[int, int] = field(default_factory=dict)
    run: int = 1
    vain: int = 0

    def live(self) -> None:
        """Run the states one after the other, from the first again after each failure, until green or given up."""
        world, place = self.life.world, 0
        while place < len(world.states) and self.run <= MOST_START_OVERS + 1:
            code, _ = world.states[place]
            struck = self.struck(code)
            self.attempt(code, struck)
            if struck is None:
                self.failed -= {number for number, mode in enumerate(world.modes) if mode.state == code}
                place += 1
            elif not self.goes_on(struck):
                return
            elif self.life.rng.random() < world.in_place:
                self.now += self.life.rng.uniform(5, 60)
            else:
                self.now += self.life.rng.exponential(world.delay)
                self.marred.clear()
                self.run, place = self.run + 1, 0

    def struck(self, code: int) -> int | None:
        """Give the mode that strikes an attempt at a state now."""
        for number, mode in enumerate(self.life.world.modes):
            chance = (1 - mode.recovers) if number in self.failed else mode.rate
            if mode.state == code and (
                number in self.stuck if mode.kind == "stuck"
                else self.life.down(number, self.now) and self.life.rng.random() >= mode.spares if mode.kind == "outage"
                else number in self.marred or self.life.rng.random() < chance
            ):  # fmt: skip
                return number
        return None

    def attempt(self, code: int, struck: int | None) -> None:
        """Record an attempt and let its time pass."""
        world, rng = self.life.world, self.life.rng
        mode = world.modes[struck] if struck is not None else None
        took = (
            world.fails_after(mode) * rng.lognormal(0, 0.2)
            if mode
            else dict(world.states)[code] * rng.lognormal(0, 0.1)
        )
        self.attempts[code] = self.attempts.get(code, 0) + 1
        self.life.rows.append({
            "build": self.name, "pipeline": world.name, "run": self.run, "state": code, "name": f"state {code}",
            "attempt": self.attempts[code], "status": "failed" if mode else "completed",
            "started": round((_START + self.now) * 1000), "ended": round((_START + self.now + took) * 1000),
            "duration": took, "error": mode.message.format(n=rng.integers(10**6), w=_word(rng)) if mode else None,
            "class": mode.failure_class if mode else None, "signature": mode.signature if mode else None,
        })  # fmt: skip
        self.now += took

    def goes_on(self, struck: int) -> bool:
        """Tell whether anybody starts over after a failure; what is stuck is repaired or given up after a while."""
        world = self.life.world
        self.failed.add(struck)
        if world.modes[struck].kind == "dirty":
            self.marred.add(struck)
        if struck not in self.stuck:
            return True
        self.vain += 1
        if self.vain <= world.vain:
            return True
        if self.life.rng.random() > world.repaired:
            return False
        self.stuck.discard(struck)
        self.now += self.life.rng.exponential(world.response * HOUR)
        return True


def _word(rng: np.random.Generator) -> str:
    return "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), 8))


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    frame = pl.DataFrame(rows, infer_schema_length=None)
    return frame.with_columns(pl.col("started", "ended").cast(pl.Int64).cast(MOMENT))


@dataclass(frozen=True)
class Plan:
    """What is done about a failure: retries in place after these waits, then starting over or a hold."""

    waits: tuple[float, ...] = ()
    then: Literal["start-over", "hold"] = "start-over"


def hours_to_green(world: World, mode: Mode, plan: Plan, draws: int = 4000, seed: int = 5) -> Array:
    """Give hours from a failure until its state has passed, as the world has it, for failures drawn at random."""
    rng = np.random.default_rng(seed)
    luck = rng.random((24, draws))
    lasts = np.full(draws, np.inf)
    if mode.kind == "outage":
        lasts = rng.random(draws) * mode.outage if mode.steady else rng.exponential(mode.outage, draws)
    seconds = dict(world.states)[mode.state]
    fails = world.fails_after(mode)
    clock, green = np.zeros(draws), np.zeros(draws, dtype=bool)

    def attempt(turn: int, *, in_place: bool) -> None:
        nonlocal clock, green
        passing = {
            "random": luck[turn] < mode.recovers,
            "outage": (clock >= lasts) | (luck[turn] < mode.spares),
            "stuck": np.zeros(draws, dtype=bool),
            "dirty": np.zeros(draws, dtype=bool) if in_place else luck[turn] < mode.recovers,
        }[mode.kind]
        clock = clock + np.where(green, 0.0, np.where(passing, seconds, fails))
        green = green | passing

    for turn, wait in enumerate(plan.waits):
        clock = clock + np.where(green, 0.0, wait)
        attempt(turn, in_place=True)
    if plan.then == "start-over":
        for turn in range(world.vain if mode.kind == "stuck" else MOST_START_OVERS):
            clock = clock + np.where(green, 0.0, world.delay + world.lead(mode.state))
            attempt(12 + turn, in_place=False)
    clock = clock + np.where(green, 0.0, world.response * HOUR + seconds)
    return clock / HOUR


def truly_recovers(world: World, mode: Mode, wait: float | None, seed: int = 5) -> float:
    """Give the true chance that the first attempt passes: in place after `wait` seconds, by a start-over when None."""
    gap = wait if wait is not None else world.delay + world.lead(mode.state)
    if mode.kind == "outage":
        over = min(1.0, gap / mode.outage) if mode.steady else float(-np.expm1(-gap / mode.outage))
        over *= 1 - mode.rate  # the next outage may have begun
        return over + (1 - over) * mode.spares
    if mode.kind == "stuck":
        return 0.0
    return 0.0 if mode.kind == "dirty" and wait is not None else mode.recovers


def plans() -> list[Plan]:
    """Give the plans among which the best possible is sought."""
    found = [Plan(), Plan(then="hold")]
    for retries in (1, 2, 3, 4, 6, 8):
        for wait in (0.0, 15.0, 60.0, 180.0, 600.0, 1500.0, 3600.0):
            for factor in (1.0, 2.0) if retries > 1 and wait else (1.0,):
                waits = tuple(min(wait * factor**turn, 2 * HOUR) for turn in range(retries))
                found.extend((Plan(waits), Plan(waits, "hold")))
    return found


def best_plan(world: World, mode: Mode) -> tuple[Plan, float]:
    """Give the plan that takes the fewest hours, and these hours."""
    timed = [(float(hours_to_green(world, mode, plan, 2000).mean()), place) for place, plan in enumerate(plans())]
    hours, place = min(timed)
    return plans()[place], hours


STATES = ((5, 1800.0), (10, 600.0), (20, 1500.0), (40, 2400.0), (65, 1200.0), (70, 600.0), (90, 300.0))


def _net(state: int, kind: Kind, rate: float, **more: Any) -> Mode:
    return Mode(state, kind, rate, "net.timeout", "network", "connect timed out", **more)


def worlds() -> tuple[World, ...]:
    """Give the worlds of the benchmark, one per trap, and some with several at once."""
    broken = Mode(40, "stuck", 0.1, "config.syntax", "config", "syntax error in role")
    return (
        World("transient-late", STATES, (_net(40, "random", 0.15),)),
        World("transient-early", STATES, (_net(5, "random", 0.15, fails_after=20.0),)),
        World("transient-weak", STATES, (_net(65, "random", 0.2, recovers=0.4),)),
        World("outage-short", STATES, (_net(40, "outage", 0.08, outage=120.0, fails_after=15.0),), spacing=1500.0),
        World("outage-medium", STATES, (_net(40, "outage", 0.1, outage=1800.0, fails_after=30.0),)),
        World("outage-steady", STATES, (_net(65, "outage", 0.1, outage=900.0, steady=True, fails_after=30.0),)),
        World("outage-long", STATES, (_net(20, "outage", 0.1, outage=6 * HOUR, fails_after=60.0),)),
        World("sticky", STATES, (replace(broken, state=65),)),
        World(
            "sticky-unclassified",
            STATES,
            (replace(broken, signature=None, failure_class=None, message="E{n} role {w} broke"),),
        ),
        World("dirty", STATES, (Mode(20, "dirty", 0.15, "disk.lock", "dirty", "lock file exists"),)),
        World("dirty-misleading", STATES, (_net(20, "dirty", 0.15, fails_after=1400.0),)),
        World("dirty-seen", STATES, (_net(40, "dirty", 0.15),), in_place=0.3),
        World(
            "hanging-lucky",
            STATES,
            (Mode(40, "random", 0.12, "time.limit", "timeout", "timed out", recovers=0.8, fails_after=7200.0),),
        ),
        World(
            "hanging-hopeless",
            STATES,
            (Mode(40, "stuck", 0.08, "time.limit", "timeout", "timed out", fails_after=7200.0),),
        ),
        World("misleading-network", STATES, (_net(70, "stuck", 0.1, fails_after=900.0),)),
        World(
            "misleading-config",
            STATES,
            (Mode(65, "random", 0.15, "config.missing", "config", "no such file", recovers=0.9),),
        ),
        World(
            "unknown-random", STATES, (Mode(65, "random", 0.15, None, None, "E{n} vmforge broker lost", recovers=0.85),)
        ),
        World("unknown-unique", STATES, (Mode(65, "random", 0.15, None, None, "{w} {w} {w} {n}", recovers=0.85),)),
        World(
            "unknown-mixed",
            STATES,
            (
                Mode(40, "random", 0.1, None, None, "handshake with forge lost, code {n}", recovers=0.9),
                Mode(40, "stuck", 0.1, None, None, "assertion on {w} does not hold"),
            ),
        ),
        World("hardly-any", STATES, (_net(40, "random", 0.004),)),
        World("nothing-fails-late", STATES, (_net(5, "random", 0.02, fails_after=1700.0, recovers=0.3),)),
        World(
            "everything",
            STATES,
            (
                _net(5, "random", 0.1, fails_after=30.0),
                _net(20, "outage", 0.06, outage=1200.0, fails_after=30.0),
                replace(broken, rate=0.06),
                Mode(65, "dirty", 0.08, "disk.lock", "dirty", "lock file exists"),
                Mode(70, "random", 0.08, None, None, "E{n} guest agent not found", recovers=0.7),
                Mode(90, "stuck", 0.05, "test.failed", "test", "2 tests failed"),
            ),
            spacing=2400.0,
        ),
        World(
            "slow-people",
            STATES,
            (_net(40, "random", 0.15, recovers=0.7), replace(broken, state=70)),
            delay=4 * HOUR,
            response=8.0,
        ),
        World(
            "one-signature-two-causes",
            STATES,
            (
                Mode(65, "random", 0.1, "pkg.get", "network", "cannot fetch", recovers=0.9),
                Mode(65, "stuck", 0.08, "pkg.get", "network", "cannot fetch"),
            ),
        ),
    )


def saving(world: World, weights: Sequence[float], plan_of: Callable[[Mode], Plan]) -> float:
    """Give hours saved for each weighted failure of a world's modes, against starting over."""
    total = 0.0
    for mode, weight in zip(world.modes, weights, strict=True):
        gained = hours_to_green(world, mode, Plan()).mean() - hours_to_green(world, mode, plan_of(mode)).mean()
        total += weight * float(gained)
    return total
