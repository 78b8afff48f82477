"""What a phase is told when it is asked: the state, what became of it so far, what was spent, and the time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from toolkit.core.classes import GROUP_OF
from toolkit.core.codes import StateCode
from toolkit.core.pipeline import Resume, StateConfig
from toolkit.core.values import Value

if TYPE_CHECKING:
    from toolkit.core.progress import Attempt, Progress

Breaker = Literal["closed", "open", "probe"]
"""`open`: many builds fail alike, so all wait. `probe`: they do, and this is the one that tries."""


class Diagnosis(Value):
    """A failure as decisions see it."""

    failure_class: str = "unknown"
    signature: str = "unknown"
    retry_after: float | None = None
    """Seconds that a server asked us to wait."""

    @property
    def group(self) -> str:
        """`transient`, `persistent` or `uncertain`; a class that this version does not know is `uncertain`."""
        return GROUP_OF.get(self.failure_class, "uncertain")


class Validity(Value):
    """Whether a completed state still holds, and which of its fields says so."""

    ok: bool
    why: str


class Situation(Value):
    """Everything that a decision may depend on."""

    state: StateConfig
    now_ms: int = 0
    failure: Diagnosis | None = None
    """How the last attempt failed; None before an attempt."""
    earlier: tuple[Diagnosis, ...] = ()
    """How earlier attempts at this state failed in this build, oldest first, since a person last released it."""
    build_failures: int = 0
    """Failed attempts of all states of the build, this one included, since a person last released it."""
    elapsed_seconds: float = 0.0
    """Since this state first failed in this run."""
    build_minutes: float = 0.0
    """Spent on the build, in this run and the attempts of earlier ones, since a person last released it."""
    breaker: Breaker = "closed"
    forbidden: str = ""
    """Why a retry in place is impossible, such as a reset that failed; empty when it is not."""
    validity: Validity | None = None
    """Of what the state made when it last completed in this build; None when it never did."""
    ran_again: StateCode | None = None
    """An earlier state that was complete and nevertheless ran again in this run."""
    resume: Resume = "auto"
    """What the pipeline allows this build."""
    degraded: bool = False
    """The build's history may have holes."""

    @property
    def failed(self) -> bool:
        return self.failure is not None

    @property
    def failures(self) -> int:
        """Failed attempts at this state that count, the last one included."""
        return len(self.earlier) + (self.failure is not None)


def before_attempt(  # noqa: PLR0913 - what a decision may depend on
    progress: Progress,
    state: StateConfig,
    *,
    now_ms: int,
    validity: Validity | None = None,
    ran_again: StateCode | None = None,
    resume: Resume = "auto",
) -> Situation:
    """Describe where a build stands before a state is executed in its present run."""
    return Situation(
        state=state,
        now_ms=now_ms,
        validity=validity,
        ran_again=ran_again,
        resume=resume,
        degraded=progress.degraded,
        build_minutes=_minutes(progress, now_ms),
    )


def after_failure(  # noqa: PLR0913 - what a decision may depend on
    progress: Progress,
    state: StateConfig,
    *,
    now_ms: int,
    breaker: Breaker = "closed",
    forbidden: str = "",
    resume: Resume = "auto",
) -> Situation:
    """Describe where a build stands after the last attempt at a state has failed; ValueError when none has."""
    counted = [each for each in progress.attempts if each.status == "failed" and counts(progress, each)]
    here = [each for each in counted if each.state == state.code]
    if not here:
        raise ValueError(f"state {state.code} has not failed in build {progress.build}")
    in_run = [each.ended_ms for each in here if each.run == progress.run and each.ended_ms is not None]
    return Situation(
        state=state,
        now_ms=now_ms,
        failure=_diagnosis(here[-1]),
        earlier=tuple(_diagnosis(each) for each in here[:-1]),
        build_failures=len(counted),
        elapsed_seconds=max(0, now_ms - min(in_run, default=now_ms)) / 1000,
        build_minutes=_minutes(progress, now_ms),
        breaker=breaker,
        forbidden=forbidden,
        resume=resume,
        degraded=progress.degraded,
    )


def counts(progress: Progress, attempt: Attempt) -> bool:
    """Tell whether no person has released the build since an attempt: who says "try again" gives a new allowance."""
    since = progress.released.ts_ms if progress.released is not None else 0
    return (attempt.ended_ms or attempt.started_ms or 0) > since


def _diagnosis(attempt: Attempt) -> Diagnosis:
    return Diagnosis(
        failure_class=attempt.failure_class or "unknown",
        signature=attempt.signature or "unknown",
        retry_after=attempt.retry_after,
    )


def _minutes(progress: Progress, now_ms: int) -> float:
    earlier = (each for each in progress.attempts if each.run != progress.run and counts(progress, each))
    before = sum(each.duration or 0.0 for each in earlier)
    started = now_ms if progress.run_started_ms is None else progress.run_started_ms
    return (before + max(0, now_ms - started) / 1000) / 60
