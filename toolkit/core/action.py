"""What a phase can answer: one of eight actions, each with the reason that a person reads."""

from __future__ import annotations

from typing import ClassVar

from toolkit.core.values import Value


class Pause(Value):
    """How long to wait, in seconds: chance picks between `least` and `most`, and the runner records what it picked."""

    least: float = 0.0
    most: float = 0.0

    def drawn(self, chance: float) -> float:
        """Give the wait for a `chance` from 0 to 1."""
        return self.least + (self.most - self.least) * chance


class Action(Value):
    """What all actions share."""

    name: ClassVar[str] = ""
    """The word for it in records and on the screen."""
    reason: str
    """Why, in words for a person."""
    rule: str | None = None
    """Id of the rule or strategy that decided, if one did."""


class Run(Action):
    """Execute the state."""

    name: ClassVar[str] = "run"


class Reuse(Action):
    """Do not execute the state: what it made is still good."""

    name: ClassVar[str] = "reuse"


class Retry(Action):
    """Execute the failed state again, in place, after a pause."""

    name: ClassVar[str] = "retry"
    pause: Pause
    command: str = ""
    """What to execute instead of the state's own command; empty for the same again."""

    @property
    def wait_seconds(self) -> float:
        """The longest that the pause can be."""
        return self.pause.most


class Wait(Action):
    """Decide nothing yet: ask again after a pause."""

    name: ClassVar[str] = "wait"
    pause: Pause


class StartOver(Action):
    """Give this run up; the next one begins at the first state."""

    name: ClassVar[str] = "start-over"


class Hold(Action):
    """Stop at the failed state, and go on only when a person says so."""

    name: ClassVar[str] = "hold"


class Stop(Action):
    """Let the failure through, as it would be without us."""

    name: ClassVar[str] = "stop"
    resumable: bool = False
    """The next run goes on at the failed state rather than at the first."""
    exit_code: int = 0
    """What a build that stops before a state, without a failure, ends with."""
