"""What a person is told when a build needs one: the same words on the screen and in a message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from toolkit.core.values import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.core.pipeline import StateConfig
    from toolkit.core.progress import Attempt, Progress

About = Literal["hold", "failure", "breaker", "rollback"]

EVIDENCE_LINES = 5


class Notice(Value):
    """One thing that somebody should know, once."""

    about: About
    incident: str
    """Names what happened; of two notices about the same incident only the first is sent."""
    title: str
    lines: tuple[str, ...] = ()
    build: str
    pipeline: str | None = None
    target: str | None = None
    state: int | None = None
    failure_class: str | None = None
    signature: str | None = None
    reason: str = ""

    @property
    def text(self) -> str:
        """The message below its title."""
        return "\n".join(self.lines)


def hold_notice(progress: Progress, state: StateConfig, *, host: str, directory: str | None) -> Notice:
    """Say that a build waits for a person."""
    hold = progress.hold
    reason = "" if hold is None else hold.reason
    failed = _last_failure(progress, None if hold is None else hold.state)
    return Notice(
        about="hold",
        incident=f"hold {progress.build} {0 if hold is None else hold.ts_ms}",
        title=f"{_named(progress)} waits for a person at state {state.label}",
        lines=(
            *_facts(reason, failed),
            *way_in(progress, state, host=host, directory=directory),
            *next_steps(progress),
        ),
        state=state.code,
        reason=reason,
        **_whose(progress, failed),
    )


def failure_notice(progress: Progress, *, host: str, directory: str | None) -> Notice | None:
    """Say that a build failed for good, as far as we know; None when no state of it failed."""
    failed = _last_failure(progress, None)
    if failed is None:
        return None
    label = f"{failed.state} {failed.name}" if failed.name else str(failed.state)
    decided = failed.decision
    reason = "" if decided is None else f"{decided.action}: {decided.reason}"
    return Notice(
        about="failure",
        incident=f"failure {progress.build} {failed.state} {failed.signature}",
        title=f"{_named(progress)} failed at state {label}",
        lines=(
            *_facts(reason, failed), *_where(host, directory), *_log(progress, failed),
            f"more:     toolkit why {progress.build}",
        ),
        state=failed.state,
        reason=reason,
        **_whose(progress, failed),
    )  # fmt: skip


def breaker_notice(progress: Progress, failed: Attempt, limit: int) -> Notice:
    """Say that many builds fail alike, so that all of them wait while one tries."""
    return Notice(
        about="breaker",
        incident=f"breaker {failed.signature}",
        title=f"{limit} builds or more fail alike: {failed.signature}",
        lines=(
            *_facts("all builds that fail so wait while one of them tries", failed),
            "see:      toolkit builds, toolkit report",
        ),
        state=failed.state,
        reason=f"{limit} builds or more failed with {failed.signature} within an hour",
        **_whose(progress, failed),
    )


def rollback_notice(progress: Progress, phase: str, back_to: str, why: str) -> Notice:
    """Say that a phase that was tried on a share of the builds did harm, and was taken back."""
    return Notice(
        about="rollback",
        incident=f"rollback {phase}",
        title=f"{phase} is taken back to {back_to}",
        lines=(f"why:      {why}", "see:      toolkit phase history, toolkit report"),
        reason=why,
        **_whose(progress, None),
    )


def way_in(progress: Progress, state: StateConfig, *, host: str, directory: str | None) -> tuple[str, ...]:
    """Say where to look: the log, the folder, and what the project says about getting in."""
    failed = None if progress.states.get(state.code) == "completed" else _last_failure(progress, state.code)
    return (
        *_log(progress, failed),
        *_where(host, directory),
        *((f"get in:   {state.access}",) if state.access else ()),
    )


def next_steps(progress: Progress) -> tuple[str, ...]:
    """Say what can be done about a held build, and what happens then."""
    build, code, done = progress.build, "CODE" if progress.hold is None else progress.hold.state, done_by_hand(progress)
    by_hand = (
        f"by hand:  toolkit skip {build} --state {code} -m HOW      counts it as done; toolkit resume goes on behind"
    )
    return (
        f"mended:   toolkit release {build} -m WHY      {going_on(progress)}",
        *(() if done else (by_hand,)),
        f"hopeless: toolkit abandon {build} -m WHY      the next run begins a new build",
    )


def done_by_hand(progress: Progress) -> bool:
    """Tell whether the state at which a build was held is done: then there is nothing to skip."""
    return progress.hold is not None and progress.states.get(progress.hold.state) == "completed"


def going_on(progress: Progress) -> str:
    """Say what goes on with a build that was held, and where."""
    code = "CODE" if progress.hold is None else progress.hold.state
    return (
        f"toolkit resume goes on {'behind' if done_by_hand(progress) else 'at'} state {code}, toolkit run "
        f"{'too' if progress.phase == 'full-resume' else 'starts at the first state'}"
    )


def _facts(reason: str, failed: Attempt | None) -> tuple[str, ...]:
    told = [f"why:      {reason}"] if reason else []
    if failed is not None:
        told.append(f"failed:   attempt {failed.attempt}, {failed.error or 'without a word'}")
        if failed.failure_class is not None:
            told.append(f"class:    {failed.failure_class}, signature {failed.signature}")
        told += [f"line {line}: {text}" for line, text in failed.evidence[:EVIDENCE_LINES]]
    return tuple(told)


def _log(progress: Progress, failed: Attempt | None) -> tuple[str, ...]:
    if failed is None:
        return (f"log:      toolkit logs {progress.build}",)
    return (f"log:      toolkit logs {progress.build} --state {failed.state} --attempt {failed.attempt}",)


def _where(host: str, directory: str | None) -> tuple[str, ...]:
    return (f"where:    {host}{':' + directory if directory else ''}",)


def _named(progress: Progress) -> str:
    of = " for ".join(each for each in (progress.pipeline, progress.target) if each)
    return f"{progress.build} ({of})" if of else progress.build


def _whose(progress: Progress, failed: Attempt | None) -> dict[str, Any]:
    return {
        "build": progress.build, "pipeline": progress.pipeline, "target": progress.target,
        "failure_class": None if failed is None else failed.failure_class,
        "signature": None if failed is None else failed.signature,
    }  # fmt: skip


def _last_failure(progress: Progress, state: int | None) -> Attempt | None:
    attempts: Sequence[Attempt] = progress.attempts if state is None else progress.attempts_at(state)
    return next((each for each in reversed(attempts) if each.status == "failed"), None)
