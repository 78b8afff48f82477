"""What a recommendation says, in the shape that `toolkit recommend --json` prints."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

Action = Literal["retry", "start-over", "hold", "collect"]


class Said(BaseModel):
    """Base of what is said: frozen values."""

    model_config = ConfigDict(frozen=True)


class Interval(Said):
    """A mean and the ends of its 90 % credible interval."""

    mean: float
    low: float
    high: float


class Saving(Said):
    """What following the advice saves for 100 builds, against starting over each time."""

    hours_per_100_builds: Interval
    machine_hours_per_100_builds: Interval


class Evidence(Said):
    """How much is known of a state: counts of attempts and of failed ones."""

    attempts: int
    failures: int
    recovered: int
    """Failures after which the next attempt passed."""
    in_place: int
    """Failures after which the next attempt was made in place."""
    censored: int
    """Failures that tell nothing of recovery: never tried again, cut short, or tried with other inputs."""
    incidents: int
    """Independent occasions on which it failed."""


class RuleAdvice(Said):
    """What to do about some failures of a state; waits in seconds. The first rule that matches a failure decides."""

    on: tuple[str, ...]
    signatures: tuple[str, ...]
    action: Action
    max_attempts: int
    wait: float
    factor: float
    max_wait: float
    max_elapsed: float | None
    jitter: bool
    then: Literal["start-over", "hold"]
    p_recover: Interval
    """Chance that the next attempt recovers, made as the recorded ones were."""
    p_retry: Interval | None
    """Of a retry: the chance that the first one recovers, in place after `wait`; estimated where none was recorded."""
    failures: int
    incidents: float
    """Effective sample size: failures of one incident count as little more than one."""
    confidence: float
    why: str
    saves: Saving


class Limit(Said):
    """A recommended limit of one attempt, in seconds, from the durations of `successes` successful ones."""

    seconds: float
    successes: int
    would_have_cut: int
    """Successful attempts that took longer: lost, had the limit been there."""


class Checkpoint(Said):
    """What a snapshot after a state would have saved, in hours for 100 builds, before what the snapshot costs."""

    hours_per_100_builds: float
    pays_below_seconds: float
    """It pays while making one takes less than this, per build."""


class StateAdvice(Said):
    """What to do about one state."""

    code: int
    name: str | None
    action: Action
    confidence: float
    why: str
    evidence: Evidence
    rules: tuple[RuleAdvice, ...]
    saves: Saving
    timeout: Limit | None = None
    checkpoint: Checkpoint | None = None


class Unclassified(Said):
    """Failures of which no rule knows the class."""

    failures: int
    share: float


class Recommendation(Said):
    """What the recorded builds of a pipeline recommend."""

    pipeline: str
    builds: int
    since: str | None = Field(validation_alias=AliasChoices("since", "from"), serialization_alias="from")
    until: str | None = Field(validation_alias=AliasChoices("until", "to"), serialization_alias="to")
    states: tuple[StateAdvice, ...]
    unclassified: Unclassified
    notes: tuple[str, ...] = ()

    def shape(self) -> dict[str, Any]:
        """Give the recommendation as JSON-ready values."""
        return self.model_dump(mode="json", by_alias=True)
