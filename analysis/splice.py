"""One recorded build, lived through again under other decisions: what was recorded where it applies, chance where not.

The recorded attempts are walked in order. While a decision is what was done, the record is followed, to the second.
Where it differs, the walk leaves the record, lives through what nobody observed with the chances of one draw from the
posterior, and joins the record again where the state was seen to pass, or at the next run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analysis.costs import Costs
from analysis.recovery import DIRTY, NOISE, OUTAGE, RANDOM, STUCK, repaired
from toolkit.core.action import Action, Hold, Pause, Retry, Wait
from toolkit.core.pipeline import StateConfig
from toolkit.core.policy import Policy
from toolkit.core.situation import Diagnosis, Situation

Decide = Callable[[Situation, Policy], Action]
_MOST_TURNS: Final = 12
"""Nobody tries the same failure again more often than this, before a person is asked."""
_VAIN_RESUMES: Final = 2
"""Who has seen so many resumes of a state fail starts over."""
_PROBES: Final = 20


@dataclass(frozen=True, slots=True)
class Step:
    """A recorded attempt; times in seconds since 1970."""

    run: int
    state: int
    status: str
    began: float
    over: float
    duration: float
    diagnosis: Diagnosis
    next: str | None = None
    """Of a failure: `in_place`, `start_over`, `resume`, `never`."""
    recovered: bool | None = None
    gap: float = 0.0
    waited: float = 0.0
    """The part of `gap` in which nothing ran."""
    decided: str | None = None
    """The action that was recorded as the decision about the failure."""


@dataclass(frozen=True, slots=True)
class Draw:
    """One draw from the posterior for one group of failures."""

    share: tuple[float, float, float, float]
    chance: float
    length: float
    repair: float
    base: float = 0.0

    def passes(self, way: int, gap: float, idle: float, *, in_place: bool) -> float:
        """Give the chance that an attempt passes, for a failure that behaves in a given way.

        It is made after a gap, of which nothing ran for `idle` seconds. In place nothing is expected of repairs: what
        is stuck is repaired because somebody saw that it had failed.
        """
        if in_place and way in {STUCK, DIRTY}:
            return 0.0
        if way == OUTAGE:
            return (1 - max(self.base, NOISE)) * -float(np.expm1(-gap / self.length))
        return float(repaired(idle, self.repair)) if way == STUCK else self.chance

    def ways(self, step: Step) -> list[float]:
        """Give how likely each way is, once it is known how the record went on after the failure."""
        told = list(self.share)
        if step.recovered is not None and step.next is not None:
            in_place = step.next != "start_over"
            for way in (RANDOM, OUTAGE, STUCK, DIRTY):
                if way == STUCK:
                    passing = float(repaired(step.waited, self.repair))
                else:
                    passing = max(self.passes(way, step.gap, step.waited, in_place=in_place), NOISE)
                told[way] *= passing if step.recovered else 1 - passing
        total = sum(told)
        return [each / total for each in told] if total > 0 else list(self.share)


@dataclass(slots=True)
class Outcome:
    """What became of a build: seconds of wall clock and machine, and counts."""

    clock: float = 0.0
    machine: float = 0.0
    observed: float = 0.0
    """Seconds of `clock` that were recorded rather than estimated."""
    start_overs: int = 0
    retries: int = 0
    futile: int = 0
    held: int = 0
    green: bool = False


@dataclass(slots=True)
class Walk:
    """A build on its way through its record."""

    steps: Sequence[Step]
    decide: Decide
    policy: Policy
    states: Mapping[int, StateConfig]
    draws: Mapping[tuple[int, str, str], Draw]
    costs: Costs
    luck: NDArray[np.float64]
    response: float
    outcome: Outcome = field(default_factory=Outcome)
    earlier: dict[int, list[Diagnosis]] = field(default_factory=dict)
    first_failed: dict[int, float] = field(default_factory=dict)
    failures: int = 0
    rolled: int = 0

    def live(self) -> Outcome:
        """Walk from the first attempt to the end."""
        at = 0
        while at < len(self.steps):
            self._follow(at)
            step = self.steps[at]
            onwards = self._failed(at) if step.status == "failed" else at + 1
            if onwards > at + 1 and onwards <= len(self.steps):
                self._joined(onwards - 1)
            at = onwards
        return self.outcome

    def _follow(self, at: int) -> None:
        step = self.steps[at]
        before = self.steps[at - 1].over if at and self._came_from == at - 1 else step.began
        if not at or step.run != self.steps[at - 1].run:
            self.outcome.start_overs += bool(at and self._came_from == at - 1 and not self._resumed(at))
            self._new_run(max(step.began - before, 0.0))
        self._pass_time(max(step.over - before, 0.0), step.duration, seen=True)
        self._came_from = at
        self.outcome.green = step.status == "completed" and at == len(self.steps) - 1
        if (
            at
            and self.steps[at - 1].run == step.run
            and self.steps[at - 1].state == step.state
            and self.steps[at - 1].status == "failed"
        ):
            self.outcome.retries += 1
            self.outcome.futile += step.status == "failed"

    _came_from: int = -1
    _run_began: float = 0.0
    _spent_before: float = 0.0

    def _new_run(self, after: float) -> None:
        """A run begins after so many seconds: what earlier runs spent is what their attempts took."""
        self.first_failed.clear()
        self._run_began = self.outcome.clock + after
        self._spent_before = self.outcome.machine

    def _minutes(self, now: float) -> float:
        return (self._spent_before + max(now - self._run_began, 0.0)) / 60

    def _joined(self, at: int) -> None:
        """The record is joined behind a step whose place was taken by what was lived through instead."""
        self._came_from = at
        self.outcome.green = at == len(self.steps) - 1

    def _resumed(self, at: int) -> bool:
        return self.steps[at].state > self.steps[0].state

    def _pass_time(self, clock: float, machine: float, *, seen: bool) -> None:
        self.outcome.clock += clock
        self.outcome.machine += machine
        self.outcome.observed += clock if seen else 0.0

    def _failed(self, at: int) -> int:
        """Decide about the failure at a step, live through what follows, and give the step to go on at."""
        step = self.steps[at]
        ways: list[float] | None = None
        tried_in_place = False
        resumes = 0
        for turn in range(_MOST_TURNS):
            action = self._asked(step)
            done = self._as_recorded(step, action, tried_in_place=tried_in_place)
            if done:
                self.outcome.held += isinstance(action, Hold)
                return at + 1
            draw = self._draw(step)
            ways = ways if ways is not None else draw.ways(step)
            if isinstance(action, Hold):
                return self._hold(at)
            goes_on = _resumable(action)
            resumes += goes_on
            if goes_on and not turn and (later := self._tried_again(at)) is not None:
                passing = self._as_in_the_next_run(step, draw)
                onwards = self._went_on(at, later, self._roll() < _weighed(ways, passing))
                if onwards is not None:
                    return onwards
                ways = _after_failing(ways, passing)
                continue
            in_place, waited, machine = self._way_back(step, action, afresh=resumes > _VAIN_RESUMES)
            tried_in_place = tried_in_place or in_place
            self._pass_time(waited, machine, seen=False)
            passing = [draw.passes(way, waited, waited - machine, in_place=in_place) for way in range(4)]
            if goes_on and in_place:  # somebody has seen that it had failed
                passing[STUCK] = float(repaired(waited, draw.repair))
            if self._roll() < _weighed(ways, passing):
                self._pass_time(*[self.costs.states[step.state].completes] * 2, seen=False)
                return self._beyond(at)
            ways = _after_failing(ways, passing)
            self._pass_time(step.duration, step.duration, seen=False)
            self.outcome.futile += isinstance(action, Retry)
        return self._hold(at)

    def _tried_again(self, at: int) -> int | None:
        """Give the next recorded attempt at the state of a step, where a start-over led to it."""
        step = self.steps[at]
        if step.next != "start_over" or step.recovered is None:
            return None
        places = range(at + 1, len(self.steps))
        settled = ("completed", "failed")
        return next((at for at in places if self._same(at, step) and self.steps[at].status in settled), None)

    def _same(self, at: int, step: Step) -> bool:
        return self.steps[at].state == step.state

    def _as_in_the_next_run(self, step: Step, draw: Draw) -> list[float]:
        """Give the chances that going on passes when the next run began, as that run went on to show what happened.

        What passes by chance or was repaired while nothing ran had the outcome that was recorded. An outage may have
        ended only while the run was on its way back, and what a start-over cleared up is still there.
        """
        if not step.recovered:
            return [0.0] * 4
        ended = -np.expm1(-step.waited / draw.length) / max(-np.expm1(-step.gap / draw.length), 1e-12)
        passing = [1.0] * 4
        passing[OUTAGE], passing[DIRTY] = min(float(ended), 1.0), 0.0
        return passing

    def _went_on(self, at: int, later: int, passes: bool) -> int | None:  # noqa: FBT001 - what became of it
        """Live through going on at a failed state when the next run began; None where it failed, unlike that run."""
        step, then = self.steps[at], self.steps[later]
        self._new_run(step.waited)
        self._pass_time(step.waited, 0.0, seen=True)
        if passes or not step.recovered:
            self._pass_time(then.duration, then.duration, seen=True)
        if passes:
            return later + 1
        if not step.recovered:
            return self._failed(later)
        self._pass_time(step.duration, step.duration, seen=False)
        return None

    def _asked(self, step: Step) -> Action:
        """Ask for a decision, as often as it says to ask again later."""
        self.failures += 1
        self.first_failed.setdefault(step.state, self.outcome.clock)
        before = self.earlier.setdefault(step.state, [])
        waits = 0.0
        action: Action = Wait(reason="not asked yet", pause=Pause())
        for _ in range(_PROBES):
            now = self.outcome.clock + waits
            action = self.decide(
                Situation(
                    state=self.states[step.state], now_ms=round((self.steps[0].began + now) * 1000),
                    failure=step.diagnosis, earlier=tuple(before), build_failures=self.failures,
                    elapsed_seconds=now - self.first_failed[step.state],
                    build_minutes=self._minutes(now),
                ),
                self.policy,
            )  # fmt: skip
            if not isinstance(action, Wait):
                break
            waits += action.pause.drawn(self._roll())
        before.append(step.diagnosis)
        return action

    def _as_recorded(self, step: Step, action: Action, *, tried_in_place: bool) -> bool:
        """Tell whether the record shows what was decided: then it is followed."""
        if isinstance(action, Retry):
            return step.next == "in_place" and not tried_in_place
        if isinstance(action, Hold):
            return step.next == "never" or (step.decided == "hold" and not tried_in_place)
        afresh = not _resumable(action) or step.state == self.steps[0].state
        return step.next in {"never", "start_over" if afresh else "resume"}

    def _way_back(self, step: Step, action: Action, *, afresh: bool) -> tuple[bool, float, float]:
        """Give whether the next attempt is in place, after how long, and how much machine time goes by until then."""
        if isinstance(action, Retry):
            self.outcome.retries += 1
            return True, action.pause.drawn(self._roll()), 0.0
        if _resumable(action) and not afresh:
            self._new_run(self.costs.delay)
            return True, self.costs.delay, 0.0
        self.outcome.start_overs += 1
        self._new_run(self.costs.delay)
        lead = self.costs.states[step.state].lead
        return False, self.costs.delay + lead, lead

    def _hold(self, at: int) -> int:
        self.outcome.held += 1
        completes = self.costs.states[self.steps[at].state].completes
        self._pass_time(self.response + completes, completes, seen=False)
        return self._beyond(at)

    def _beyond(self, at: int) -> int:
        """Give the step behind the next recorded pass of the state; without one, finish as states usually do."""
        state = self.steps[at].state
        for later in range(at + 1, len(self.steps)):
            if self.steps[later].state == state and self.steps[later].status == "completed":
                return later + 1
        rest = sum(each.completes for code, each in self.costs.states.items() if code > state)
        self._pass_time(rest, rest, seen=False)
        self.outcome.green = True
        return len(self.steps) + 1

    def _draw(self, step: Step) -> Draw:
        return self.draws[step.state, step.diagnosis.failure_class, step.diagnosis.signature]

    def _roll(self) -> float:
        self.rolled += 1
        return float(self.luck[self.rolled % self.luck.size])


def _resumable(action: Action) -> bool:
    return bool(getattr(action, "resumable", False))


def _weighed(ways: Sequence[float], passing: Sequence[float]) -> float:
    return sum(share * each for share, each in zip(ways, passing, strict=True))


def _after_failing(ways: Sequence[float], passing: Sequence[float]) -> list[float]:
    """Give how likely each way is, now that an attempt with these chances to pass has failed."""
    left = [share * (1 - each) for share, each in zip(ways, passing, strict=True)]
    return [share / max(sum(left), 1e-12) for share in left]
