"""What a failure costs under each answer to it, and the schedule of retries that is expected to cost least."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from scipy.special import ndtri

from analysis.recovery import OUTAGE, STUCK, Cloud, chance, passes
from toolkit.core.policy import Afterwards

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_HOUR: Final = 3600.0
MOST_START_OVERS: Final = 10
_FIRST_WAITS: Final = (0.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0)
_FACTORS: Final = (1.0, 2.0, 3.0)
_RETRIES: Final = (1, 2, 3, 4, 5, 7)
_FEW_RETRIES: Final = 2
_PER_INCIDENT: Final = 0.25
"""The first retry wins nearly all there is to win; what a third or a seventh adds has to be seen first."""
_LONGEST_WAIT: Final = 3600.0
MOST_WAITING: Final = 6 * _HOUR
_PATIENCE: Final = 0.7
_PATIENCE_TOLD: Final = 0.1
"""How far the average wait for a person may lie from what was assumed, or told: a hold has to pay either way."""
_SEED: Final = 20260302
_SIMPLER: Final = 0.02
"""A simpler schedule is taken when it costs no more than this share of the gain."""


@dataclass(frozen=True, slots=True)
class Prices:
    """What an hour is worth, in one currency of your choice."""

    hour_to_green: float = 1.0
    machine_hour: float = 0.1
    attention: float = 0.5
    """A person's look at a held build."""
    response_hours: float = 2.0
    """From a hold until a person looks at it, on average."""
    response_told: bool = False
    """Whether somebody said so; else it may well be half or twice as long."""

    def busy(self, seconds: Array | float) -> Array | float:
        """Price of time in which the build's machine is taken."""
        return (self.hour_to_green + self.machine_hour) * seconds / _HOUR

    def idle(self, seconds: Array | float) -> Array | float:
        """Price of time in which the build only waits."""
        return self.hour_to_green * seconds / _HOUR


@dataclass(frozen=True, slots=True)
class Unsure:
    """How far means may be off, as standard errors in shares of them."""

    fails: float = 0.0
    lead: float = 0.0
    delay: float = 0.0
    vain: float = 0.0


@dataclass(frozen=True, slots=True)
class Stakes:
    """What is at stake when a group's failure happens, in seconds."""

    fails: float
    """An attempt that fails this way takes so long."""
    completes: float
    lead: float
    """From the first state back to this one, with the failures on the way."""
    delay: float
    """Until somebody starts over."""
    vain: float
    """Start-overs that a build sees before somebody gives up or repairs something."""

    unsure: Unsure = Unsure()

    @property
    def back(self) -> float:
        return self.lead + self.delay

    def drawn(self, draws: int) -> Drawn:
        """Draw what each may be on average, as all of it is known from so many occasions only."""
        of = self.unsure
        return Drawn(
            fails=self.fails * _around(of.fails, draws, 0),
            completes=np.full(draws, self.completes),
            lead=self.lead * _around(of.lead, draws, 1),
            delay=self.delay * _around(of.delay, draws, 2),
            vain=np.maximum(self.vain * _around(of.vain, draws, 3), 1.0),
        )


@dataclass(frozen=True, slots=True)
class Drawn:
    """Stakes as they may be, one per draw."""

    fails: Array
    completes: Array
    lead: Array
    delay: Array
    vain: Array


@dataclass(frozen=True, slots=True)
class Schedule:
    """Retries in place: how many, and the waits before them in seconds."""

    retries: int
    wait: float
    factor: float = 1.0
    max_wait: float = _LONGEST_WAIT

    @property
    def waits(self) -> tuple[float, ...]:
        return tuple(min(self.wait * self.factor**place, self.max_wait) for place in range(self.retries))


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a failure, with what it saves against starting over: priced, in hours to green, in machine hours."""

    action: Literal["retry", "hold"]
    schedule: Schedule | None
    then: Afterwards
    gain: Array
    hours: Array
    machine_hours: Array
    patience: float = 0.0
    """Of a hold: it pays while people look within so many hours, on average."""

    @property
    def low(self) -> float:
        """The gain is higher than this in 95 of 100 cases."""
        return _low(self.gain)

    @property
    def mean(self) -> float:
        return float(self.gain.mean())


def _low(gain: Array) -> float:
    return float(np.quantile(gain, 0.05))


@dataclass(slots=True)
class _Bill:
    """Costs per draw."""

    hours: Array
    machine: Array
    price: Array

    def busy(self, share: Array | float, seconds: Array | float, prices: Prices) -> None:
        self.hours += share * seconds / _HOUR
        self.machine += share * seconds / _HOUR
        self.price += share * prices.busy(seconds)

    def idle(self, share: Array | float, seconds: Array | float, prices: Prices) -> None:
        self.hours += share * seconds / _HOUR
        self.price += share * prices.idle(seconds)

    def held(self, share: Array | float, stakes: Drawn, prices: Prices) -> None:
        """Add the wait for a person, who is no sooner at a hold than at a start-over, and then a good attempt."""
        spread = _PATIENCE_TOLD if prices.response_told else _PATIENCE
        hours = np.maximum(prices.response_hours * _around(spread, self.hours.size, 4), stakes.delay / _HOUR)
        self.hours += share * hours
        self.price += share * (prices.hour_to_green * hours + prices.attention)
        self.busy(share, stakes.completes, prices)


def schedules(most: int = _RETRIES[-1]) -> Iterator[Schedule]:
    """Give the schedules that are weighed, of so many retries at most, the simpler ones first."""
    for retries in (each for each in _RETRIES if each <= most):
        for wait in _FIRST_WAITS:
            for factor in _FACTORS if retries > 1 and wait else (1.0,):
                schedule = Schedule(retries, wait, factor)
                if sum(schedule.waits) <= MOST_WAITING:
                    yield schedule


@cache
def _around(spread: float, draws: int, which: int) -> Array:
    """Draws of a factor whose mean is 1 and whose logarithm spreads so far; `which` tells independent ones apart."""
    rng = np.random.default_rng((_SEED, which))
    return np.exp(spread * rng.permutation(ndtri((np.arange(draws) + 0.5) / draws)) - spread**2 / 2)


def best_answer(
    cloud: Cloud, stakes: Stakes, prices: Prices, *, incidents: float, least: float = 0.0
) -> tuple[Answer, Answer]:
    """Give the answer with the highest expected gain, and the best of those that surely gain (the same, if it does).

    A retry has to gain on what it comes before: where a hold is surely better than starting over, on the hold. It has
    to recover with a chance that is surely above `least`, and more than a few need the evidence of more incidents.
    """
    drawn = stakes.drawn(len(cloud))
    today = _start_overs(cloud.share, cloud, drawn, prices)
    held = _held(cloud, today, drawn, prices)
    answers = [held]
    for schedule in schedules(_FEW_RETRIES + int(incidents * _PER_INCIDENT)):
        if _low(chance(cloud, schedule.wait, in_place=True)) >= least:
            answers.extend(_retried(cloud, schedule, today, drawn, prices))
    best = max(answers, key=lambda each: each.mean)
    instead = held.gain if held.low > 0 else np.zeros_like(held.gain)
    sure = [each for each in answers if each.low > 0 and (each is held or _low(each.gain - instead) > 0)]
    if not sure:
        return best, best
    top = max(each.mean for each in sure)
    surest = next((each for each in sure if each.mean >= top - _SIMPLER * abs(top)), best)
    return (surest if best.low > 0 else best), surest


def _retried(cloud: Cloud, schedule: Schedule, today: _Bill, stakes: Drawn, prices: Prices) -> Iterator[Answer]:
    failing = cloud.share
    bill = _nothing(failing)
    for wait in schedule.waits:
        passing = failing * passes(cloud, wait, in_place=True)
        bill.idle(failing.sum(axis=0), wait, prices)
        bill.busy(passing.sum(axis=0), stakes.completes, prices)
        failing = failing - passing
        bill.busy(failing.sum(axis=0), stakes.fails, prices)
    over = _start_overs(failing, cloud, stakes, prices)
    yield _answer("retry", schedule, "start-over", today, (bill, over))
    held = _nothing(failing)
    held.held(failing.sum(axis=0), stakes, prices)
    if _low(over.price - held.price) > 0:
        yield _answer("retry", schedule, "hold", today, (bill, held))


def _held(cloud: Cloud, today: _Bill, stakes: Drawn, prices: Prices) -> Answer:
    bill = _nothing(cloud.share)
    bill.held(1.0, stakes, prices)
    answer = _answer("hold", None, "hold", today, (bill,))
    return replace(answer, patience=prices.response_hours + answer.mean / max(prices.hour_to_green, 1e-6))


def _nothing(failing: Array) -> _Bill:
    return _Bill(*(np.zeros(failing.shape[1]) for _ in range(3)))


def _answer(
    action: Literal["retry", "hold"],
    schedule: Schedule | None,
    then: Afterwards,
    today: _Bill,
    bills: tuple[_Bill, ...],
) -> Answer:
    return Answer(
        action, schedule, then,
        today.price - sum(each.price for each in bills),
        today.hours - sum(each.hours for each in bills),
        today.machine - sum(each.machine for each in bills),
    )  # fmt: skip


def _start_overs(failing: Array, cloud: Cloud, stakes: Drawn, prices: Prices) -> _Bill:
    """Bill for starting over until it passes, ten times at most, then a person; `failing` is (4, draws)."""
    passing = passes(cloud, np.maximum(stakes.lead + stakes.delay, 1.0), in_place=False).clip(1e-6, 1.0)
    passing[OUTAGE] = np.maximum(passing[OUTAGE], 1e-3)
    left = (1 - passing) ** MOST_START_OVERS
    tries = (1 - left) / passing
    tries[STUCK], left[STUCK] = stakes.vain, 1.0
    bill = _nothing(failing)
    started, lost = (failing * tries).sum(axis=0), (failing * left).sum(axis=0)
    passed = failing.sum(axis=0) - lost
    bill.idle(started, stakes.delay, prices)
    bill.busy(started, stakes.lead, prices)
    bill.busy(started - passed, stakes.fails, prices)
    bill.busy(passed, stakes.completes, prices)
    bill.held(lost, stakes, prices)
    return bill
