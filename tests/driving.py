"""Whole builds, driven by the functions that decide real ones, in a world that says what fails and what all takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from toolkit.core import events as ev
from toolkit.core.action import Action, Hold, Retry, Reuse, Wait
from toolkit.core.progress import Progress, apply
from toolkit.core.situation import Diagnosis, Validity, after_failure, before_attempt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from phases import Decide
    from toolkit.core.pipeline import StateConfig
    from toolkit.core.policy import Policy

MOST_RUNS = 60
HOLDS = Validity(ok=True, why="it completed, and still holds")


@dataclass(frozen=True)
class Try:
    """An attempt about to be made; `now` in seconds since the build began."""

    state: int
    attempt: int
    run: int
    in_place: bool
    now: float


class World(Protocol):
    """What befalls one build."""

    def fails(self, tried: Try) -> Diagnosis | None:
        """Say how an attempt fails; None when it comes through."""

    def seconds(self, tried: Try, failure: Diagnosis | None) -> float:
        """How long the attempt takes."""

    def restarted(self, runs: int) -> float:
        """Give the seconds until somebody starts over after the last of so many runs failed."""

    def mended(self, state: int) -> float:
        """A person looks at a held build and mends it; gives the seconds that this takes."""

    def chance(self) -> float:
        """Draw from 0 to 1, for the jitter."""


@dataclass
class Life:
    """What became of a build: every attempt with how it failed, every decision, and the seconds."""

    tries: list[tuple[Try, Diagnosis | None]] = field(default_factory=list)
    decisions: list[Action] = field(default_factory=list)
    reused: list[tuple[int, int]] = field(default_factory=list)
    """Run and state."""
    holds: int = 0
    runs: int = 1
    seconds: float = 0.0
    machine_seconds: float = 0.0
    green: bool = False


def drive(states: Sequence[StateConfig], world: World, decide: Decide, policy: Policy) -> Life:
    """Run a build until it is green, or has been started over too often; people mend what is held."""
    return _Driving(states, world, decide, policy).drive()


class _Driving:
    def __init__(self, states: Sequence[StateConfig], world: World, decide: Decide, policy: Policy) -> None:
        self._states = states
        self._world = world
        self._decide = decide
        self._policy = policy
        self._progress = Progress(build="b-0001")
        self._ran_again: int | None = None
        self.life = Life()

    def drive(self) -> Life:
        life = self.life
        while life.runs <= MOST_RUNS:
            self._tell(ev.RunStarted(build="b-0001", ts_ms=self._now_ms, run=life.runs, holder="here/1/1/1"))
            self._ran_again = None
            if all(self._comes_through(state) for state in self._states):
                life.green = True
                return life
            self._tell(ev.RunEnded(build="b-0001", ts_ms=self._now_ms, run=life.runs, outcome="failed"))
            if not self._progress.held:
                life.seconds += self._world.restarted(life.runs)
            else:
                life.seconds += self._world.mended(self._progress.hold.state if self._progress.hold else 0)
                self._tell(ev.BuildReleased(build="b-0001", ts_ms=self._now_ms))
            life.runs += 1
        return life

    def _comes_through(self, state: StateConfig) -> bool:
        """Execute a state, with its retries; tell whether the run goes on behind it."""
        code = state.code
        validity = HOLDS if code in self._progress.completions else None
        action = self._decide(
            before_attempt(
                self._progress, state, now_ms=self._now_ms, validity=validity, ran_again=self._ran_again
            ),
            self._policy,
        )  # fmt: skip
        if isinstance(action, Reuse):
            self.life.reused.append((self.life.runs, code))
            self._tell(ev.StateReused(build="b-0001", ts_ms=self._now_ms, run=self.life.runs, state=code))
            return True
        if validity is not None and self._ran_again is None:
            self._ran_again = code
        in_place = False
        while self._attempt(state, in_place=in_place) is not None:
            action = self._decided(state)
            while isinstance(action, Wait):
                self.life.seconds += action.pause.drawn(self._world.chance())
                action = self._decided(state)
            if isinstance(action, Hold):
                self.life.holds += 1
                self._tell(ev.BuildHeld(build="b-0001", ts_ms=self._now_ms, state=code, reason=action.reason))
            if not isinstance(action, Retry):
                return False
            self.life.seconds += action.pause.drawn(self._world.chance())
            in_place = True
        return True

    def _attempt(self, state: StateConfig, *, in_place: bool) -> Diagnosis | None:
        number, code, run = self._progress.next_attempt(state.code), state.code, self.life.runs
        self._tell(ev.AttemptStarted(build="b-0001", ts_ms=self._now_ms, run=run, state=code, attempt=number))
        tried = Try(code, number, run, in_place, self.life.seconds)
        failure = self._world.fails(tried)
        took = self._world.seconds(tried, failure)
        self.life.seconds += took
        self.life.machine_seconds += took
        self.life.tries.append((tried, failure))
        about = {"build": "b-0001", "ts_ms": self._now_ms, "run": run, "state": code, "attempt": number}
        if failure is None:
            self._tell(ev.AttemptCompleted(**about, duration=took))  # type: ignore[arg-type]
            return None
        self._tell(ev.AttemptFailed(**about, duration=took))  # type: ignore[arg-type]
        self._tell(
            ev.FailureDiagnosed(
                **about, failure_class=failure.failure_class, signature=failure.signature,  # type: ignore[arg-type]
                retry_after=failure.retry_after,
            )
        )  # fmt: skip
        return failure

    def _decided(self, state: StateConfig) -> Action:
        action = self._decide(after_failure(self._progress, state, now_ms=self._now_ms), self._policy)
        self.life.decisions.append(action)
        return action

    @property
    def _now_ms(self) -> int:
        return round(self.life.seconds * 1000) + 1

    def _tell(self, event: ev.Event) -> None:
        self._progress = apply(self._progress, event)
