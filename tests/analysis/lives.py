"""Invents what supervisors record: builds with runs, retries, diagnoses, decisions, holds, crashes, told in turns."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from toolkit.core import events as ev

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

START = 1_772_000_000_000


class Recorded:
    """Facts in memory, in the shape in which a store gives them."""

    def __init__(self, facts: Sequence[ev.Event]) -> None:
        """Take the facts in the order of recording."""
        self.facts = list(facts)

    def rows(self, after: int = 0, limit: int | None = None) -> Iterator[tuple[int, str, int, int, str, str]]:
        told = enumerate(self.facts[after:], start=after + 1)
        for number, fact in itertools.islice(told, limit):
            yield number, fact.build, number, fact.ts_ms, fact.kind, json.dumps(ev.body_of(fact))


class Life:
    """One build that is being invented."""

    def __init__(self, draw: st.DrawFn, build: str) -> None:
        """Begin it."""
        self.draw = draw
        self.build = build
        self.clock = itertools.count(START + draw(st.integers(0, 9)) * 60_000, 1500)
        self.attempts: dict[int, int] = {}
        self.done: set[int] = set()
        self.facts: list[ev.Event] = []
        self.tell(ev.BuildBegun, pipeline="green", target=draw(st.sampled_from([None, "vm"])))

    def tell(self, cls: type[ev.Event], **fields: Any) -> None:
        self.facts.append(cls(build=self.build, ts_ms=next(self.clock), **fields))

    def chance(self) -> bool:
        return self.draw(st.booleans())

    def run(self, number: int) -> None:
        reason: Any = "first" if number == 1 else "start-over"
        arm = self.draw(st.sampled_from([None, "new"]))
        self.tell(ev.RunStarted, run=number, reason=reason, holder="h/1/2/3", host="h1", phase="track-only", arm=arm)
        outcome = "completed"
        for state in (5, 10):
            outcome = self.state({"run": number, "state": state, "name": f"s{state}"})
            if outcome != "completed":
                break
        if outcome == "failed" and self.chance():
            self.tell(ev.BuildHeld, state=10, reason="a person is needed")
        if self.draw(st.integers(0, 4)):
            self.tell(ev.RunEnded, run=number, outcome=outcome, exit_code=0 if outcome == "completed" else 1)

    def state(self, about: dict[str, Any]) -> str:
        state = about["state"]
        if state in self.done and self.chance():
            self.tell(ev.StateReused, **about, reason="inputs are the same")
            return "completed"
        what = "failed"
        for _ in range(self.draw(st.integers(1, 2))):
            attempt = self.attempts[state] = self.attempts.get(state, 0) + 1
            what = self.attempt({**about, "attempt": attempt})
            if what != "failed":
                break
        return "interrupted" if what == "open" else what

    def attempt(self, about: dict[str, Any]) -> str:
        self.tell(ev.AttemptStarted, **about, host="h1", phase="track-only", inputs="f00")
        what = self.draw(st.sampled_from(["completed", "completed", "failed", "interrupted", "open"]))
        if what == "completed":
            self.tell(ev.AttemptCompleted, **about, duration=self.draw(st.sampled_from([None, 1.5])))
            self.done.add(about["state"])
        elif what == "interrupted":
            self.tell(ev.AttemptInterrupted, **about, reason="reboot")
        elif what == "failed":
            self.failure(about)
        return what

    def failure(self, about: dict[str, Any]) -> None:
        self.tell(ev.AttemptFailed, **about, exit_code=28, error="?", duration=2.0)
        if self.chance():
            known: dict[str, Any] = {"failure_class": "network", "signature": "net.timeout", "rule": "net.timeout"}
            self.tell(ev.FailureDiagnosed, **about, **known, error="Network timeout", evidence=((3, "timeout"),))
        if self.chance():
            shadow = {"selective-retry": {"action": "retry", "reason": "r"}}
            self.tell(ev.Decided, **about, phase="track-only", action="start-over", reason="no rule", shadow=shadow)


@st.composite
def lives(draw: st.DrawFn, build: str) -> list[ev.Event]:
    """Invent what a supervisor records of one build."""
    life = Life(draw, build)
    for number in range(1, draw(st.integers(0, 3)) + 1):
        life.run(number)
    if draw(st.integers(0, 5)) == 0:
        life.tell(ev.BuildAbandoned)
    if draw(st.integers(0, 5)) == 0:
        life.tell(ev.RecordDegraded, reason="disk full")
    return life.facts


@st.composite
def turns(draw: st.DrawFn) -> list[ev.Event]:
    """Invent several builds whose facts were recorded in turns."""
    waiting = [draw(lives(build)) for build in ("b-1", "b-2", "b-3")[: draw(st.integers(1, 3))]]
    facts: list[ev.Event] = []
    while waiting:
        one = draw(st.sampled_from(waiting))
        facts.append(one.pop(0))
        waiting = [each for each in waiting if each]
    return facts
