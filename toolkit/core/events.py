"""The facts: everything that can have happened to a build, as a closed set of frozen values in the past tense.

They are light values, so that a tracked build does not pay for a validation library; data from outside is checked by
pydantic where it enters (`toolkit.importers`). A new meaning is a new class here, or a new field with a default that is
true of all old events.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from toolkit.core.codes import StateCode
from toolkit.core.values import NOTHING, Value

SCHEMA = 1
PROJECT = "@project"
"""The build id under which facts about the project itself are kept, such as a change of phase."""

RunReason = Literal["first", "start-over", "resume"]
RunOutcome = Literal["completed", "failed", "interrupted"]


class Event(Value):
    """What all facts share: the build they are about and the wall-clock time, in milliseconds since 1970 (UTC)."""

    kind: ClassVar[str] = ""
    build: str
    ts_ms: int


class BuildBegun(Event):
    """Somebody set out to get one image green."""

    kind: ClassVar[str] = "build_begun"
    pipeline: str | None = None
    target: str | None = None
    labels: Mapping[str, str] = NOTHING


class RunStarted(Event):
    """One pass of the build's command began; all states are pending again, unless the run resumes."""

    kind: ClassVar[str] = "run_started"
    run: int
    reason: RunReason = "first"
    command: tuple[str, ...] = ()
    directory: str | None = None
    """Where the command was given."""
    host: str | None = None
    phase: str | None = None
    holder: str | None = None
    """Who supervises: `host/boot-id/pid/start-ticks`; tells later whether that process still lives."""
    lease: float | None = None
    """Seconds for which whoever supervises, and cannot be looked at, counts as alive; None: no lease was taken."""
    arm: str | None = None
    """Under a shared roll-out: `new` or `old`."""
    labels: Mapping[str, str] = NOTHING
    """What the build is labelled with from here on, beside what it began with."""


class RunEnded(Event):
    """The pass is over; attempts still open in it were interrupted with it."""

    kind: ClassVar[str] = "run_ended"
    run: int
    outcome: RunOutcome
    exit_code: int | None = None
    signal: int | None = None
    duration: float | None = None
    reason: str | None = None


class StateEvent(Event):
    """What facts about one state share."""

    run: int
    state: StateCode
    name: str | None = None


class AttemptStarted(StateEvent):
    """One execution of a state began; `attempt` counts from 1 per build and state, across runs."""

    kind: ClassVar[str] = "attempt_started"
    attempt: int
    phase: str | None = None
    host: str | None = None
    inputs: str | None = None
    """The fingerprint of the declared inputs."""
    command: str | None = None
    why: str | None = None
    """Why a state that had completed before, or was asked for, runs."""


class AttemptCompleted(StateEvent):
    """The execution reached its milestone."""

    kind: ClassVar[str] = "attempt_completed"
    attempt: int
    duration: float | None = None
    outputs: str | None = None
    """The fingerprint of the declared outputs."""


class AttemptFailed(StateEvent):
    """The execution failed; what kind of failure it was is known here or follows in `FailureDiagnosed`."""

    kind: ClassVar[str] = "attempt_failed"
    attempt: int
    duration: float | None = None
    error: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    failure_class: str | None = None
    signature: str | None = None
    rule: str | None = None


class AttemptInterrupted(StateEvent):
    """The execution was cut short from outside: a person, a reboot, a dead supervisor. Never a failure."""

    kind: ClassVar[str] = "attempt_interrupted"
    attempt: int
    duration: float | None = None
    reason: str | None = None


class FailureDiagnosed(StateEvent):
    """A failed attempt's output was understood: class, signature and the lines that prove it."""

    kind: ClassVar[str] = "failure_diagnosed"
    attempt: int
    failure_class: str
    signature: str
    rule: str | None = None
    confidence: float | None = None
    error: str | None = None
    template: str | None = None
    evidence: tuple[tuple[int, str], ...] = ()
    """(line number from 1, text) pairs, the most telling first."""
    retry_after: float | None = None


class Decided(StateEvent):
    """After a failure somebody had to choose; what was chosen, why, and what other phases would have chosen."""

    kind: ClassVar[str] = "decided"
    attempt: int
    phase: str
    action: str
    """`retry`, `start-over`, `hold` or `stop`."""
    reason: str
    rule: str | None = None
    wait: float | None = None
    """Seconds until the retry, jitter included as it was drawn."""
    shadow: Mapping[str, Mapping[str, Any]] = NOTHING
    """phase -> `{action, reason, rule, gain_seconds}`."""


class StateReset(StateEvent):
    """A completed state may run again in this run, for the reason given; nothing else makes it runnable."""

    kind: ClassVar[str] = "state_reset"
    reason: str
    by: str


class StateReused(StateEvent):
    """A completed state was still valid, so this run did not execute it."""

    kind: ClassVar[str] = "state_reused"
    inputs: str | None = None
    reason: str | None = None


class StateSkipped(StateEvent):
    """A person declared the state done by hand."""

    kind: ClassVar[str] = "state_skipped"
    reason: str | None = None
    by: str | None = None


class StateOutputs(StateEvent):
    """A state gave values to what follows it; they are given again when it is reused."""

    kind: ClassVar[str] = "state_outputs"
    values: Mapping[str, str]


class CheckpointSaved(StateEvent):
    """What a completed attempt left behind was kept aside, or, with an error, could not be."""

    kind: ClassVar[str] = "checkpoint_saved"
    attempt: int
    duration: float | None = None
    error: str | None = None


class CheckpointRestored(StateEvent):
    """The build went back to what an attempt had left behind; with an error, that state has to run again."""

    kind: ClassVar[str] = "checkpoint_restored"
    attempt: int
    duration: float | None = None
    error: str | None = None


class BuildHeld(Event):
    """The build stays at its failed state and waits for a person."""

    kind: ClassVar[str] = "build_held"
    state: StateCode
    reason: str
    by: str | None = None


class BuildReleased(Event):
    """A person said: try again now."""

    kind: ClassVar[str] = "build_released"
    by: str | None = None
    note: str | None = None


class BuildUnlocked(Event):
    """A person took a build away from a supervisor that gave no sign of life any more."""

    kind: ClassVar[str] = "build_unlocked"
    by: str
    holder: str | None = None
    note: str | None = None


class BuildAbandoned(Event):
    """A person gave the build up; it is neither continued nor resumed."""

    kind: ClassVar[str] = "build_abandoned"
    by: str | None = None
    note: str | None = None


class RecordDegraded(Event):
    """Recording was in trouble, so this build's history may have holes; resume does not trust it."""

    kind: ClassVar[str] = "record_degraded"
    reason: str


class Notified(Event):
    """Somebody was told of an incident; nobody is told of the same one again."""

    kind: ClassVar[str] = "notified"
    about: str
    """`hold`, `failure` or `breaker`."""
    incident: str
    by: str | None = None
    """The build that told, where the fact is the project's."""


class PhaseChanged(Event):
    """Somebody, or a guard, changed the project's phase."""

    kind: ClassVar[str] = "phase_changed"
    phase: str
    before: str | None = None
    states: str | None = None
    share: float | None = None
    forced: bool = False
    rolled_back: bool = False
    """The phase before was returned to."""
    evidence: Mapping[str, Any] = NOTHING
    """What the comparison of a trial's arms said, when the trial itself brought this about."""
    by: str
    why: str | None = None


class PolicyApplied(Event):
    """Recommended rules were written into the configuration."""

    kind: ClassVar[str] = "policy_applied"
    by: str
    rules: tuple[str, ...]
    why: str | None = None


class CleanVerified(Event):
    """A build that a retry had helped was built again from the start; what that says about it, and about the rules."""

    kind: ClassVar[str] = "clean_verified"
    of: str
    by_build: str
    verdict: str
    """`agrees`, `disagrees` or `unclear`; the rules of a build that it disagrees with are tainted."""
    reason: str
    rules: tuple[str, ...] = ()
    """Those that allowed the retries."""
    states: tuple[str, ...] = ()
    """Of each retry the state, with `failures` its signature and with `classes` its class."""
    failures: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()


class RuleTrusted(Event):
    """A person trusts a tainted rule again."""

    kind: ClassVar[str] = "rule_trusted"
    rule: str
    by: str
    why: str | None = None


AnyEvent = (
    BuildBegun
    | RunStarted
    | RunEnded
    | AttemptStarted
    | AttemptCompleted
    | AttemptFailed
    | AttemptInterrupted
    | FailureDiagnosed
    | Decided
    | StateReset
    | StateReused
    | StateSkipped
    | StateOutputs
    | CheckpointSaved
    | CheckpointRestored
    | BuildHeld
    | BuildReleased
    | BuildUnlocked
    | BuildAbandoned
    | RecordDegraded
    | Notified
    | PhaseChanged
    | PolicyApplied
    | CleanVerified
    | RuleTrusted
)

KINDS: dict[str, type[Event]] = {cls.kind: cls for cls in AnyEvent.__args__}
_ENVELOPE = frozenset({"build", "ts_ms"})
_PLAIN = frozenset({str, int, float, bool, tuple})
"""Looking here is quicker than asking an abstract class."""


def body_of(event: Event) -> dict[str, Any]:
    """Give the fields of an event that say something, beyond `build`, `ts_ms` and `kind`, as JSON-ready values."""
    defaults = event.defaults
    return {
        name: value if type(value) in _PLAIN or not isinstance(value, Mapping) else dict(value)
        for name, value in event.__dict__.items()
        if name not in _ENVELOPE and (name not in defaults or value != defaults[name])
    }


def event_from(kind: str, build: str, ts_ms: int, body: Mapping[str, Any]) -> Event | None:
    """Rebuild an event from `body_of` and its envelope; None when the kind is not known (written by a newer toolkit).

    Fields that this version does not know are left out. TypeError when a required field is missing.
    """
    cls = KINDS.get(kind)
    if cls is None:
        return None
    known = {name: _tuples(body[name]) for name in cls.fields if name in body}
    return cls(**{**known, "build": build, "ts_ms": ts_ms})


def _tuples(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Lists are how JSON writes the tuples of frozen values."""
    return tuple(_tuples(each) for each in value) if isinstance(value, list) else value
