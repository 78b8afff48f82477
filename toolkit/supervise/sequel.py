"""What follows a run: its failures are understood, the build goes on by itself or ends here, and people are told."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from toolkit.core.events import RunReason
from toolkit.core.values import Value
from toolkit.errors import ToolkitError
from toolkit.supervise.conductor import limit_of, was_stopped
from toolkit.supervise.returning import clean_up
from toolkit.supervise.signals import pause
from toolkit.supervise.telling import tell_of_stay

if TYPE_CHECKING:
    from toolkit.core.progress import Attempt
    from toolkit.supervise.deciding import Decider
    from toolkit.supervise.process import Ended
    from toolkit.supervise.runner import Runner


class NextRun(Value):
    """Another run of the same build that begins by itself, after `wait` seconds."""

    reason: RunReason
    wait: float = 0.0
    state: int | None = None
    """Where a script that only prints markers is to be entered: the failed state is retried through its own door."""


class Sequel:
    """What follows one run, asked in this order: `understand`, `next_run`, and `farewell` where there is none."""

    def __init__(self, runner: Runner, ended: Ended) -> None:
        """Take a run that is over, and how it ended."""
        self._runner = runner
        self._ended = ended
        self._ledger = runner.ledger
        self._decider = runner.decider
        self._wait = 0.0

    def understand(self) -> None:
        """Find out what its failures were; the build itself does not wait for that.

        Where nobody decided while it ran, what the phases would have done is written down now.
        """
        if self._ledger.degraded or self._ledger.is_lost():
            return
        progress = self._ledger.progress
        failed = [each for each in progress.attempts if each.status == "failed" and each.run == progress.run]
        if not failed:
            return
        decider = self._decider or self._runner.new_decider()
        for attempt in failed:
            cut = self._runner.conductor.cut.get((attempt.state, attempt.attempt))
            cause = limit_of(cut or (self._ended.cause if attempt is failed[-1] else None))
            last_of_all = attempt is failed[-1] or self._decider is None
            latest = attempt is progress.attempts_at(attempt.state)[-1]
            if self._ended.exit_code != 0 and last_of_all and latest and attempt.decision is None:
                answer = decider.after(attempt, ended_by=cause)
                while answer.action.name == "wait" and self._runner.goes_on:
                    pause(answer.wait)
                    answer = decider.after(attempt)
                self._wait = answer.wait
            else:
                decider.diagnose(attempt, ended_by=cause)
        if self._decider is not None and self._decider.last is not None and self._has_a_door:
            self._reset(self._decider)

    def next_run(self) -> NextRun | None:
        """Say whether the build goes on by itself with another run, after what wait; None when it ends here."""
        action = None if self._decider is None else self._decider.last
        if self._ended.exit_code == 0 or was_stopped(self._ended) or action is None or self._ledger.progress.held:
            return None
        if self._ledger.is_lost():
            return None
        if action.name == "retry" and self._has_a_door:
            return NextRun(reason="resume", wait=self._wait, state=self._failed().state)
        if action.name in {"retry", "start-over"}:
            return NextRun(reason="start-over", wait=self._wait if action.name == "retry" else 0.0)
        return None

    def farewell(self) -> None:
        """Nothing of ours goes on with the build: tell whom it concerns, and wait a little for that to be sent."""
        if self._decider is not None and not was_stopped(self._ended):
            told = self._decider.stopped or (self._decider.last if self._ended.exit_code != 0 else None)
            tell_of_stay(self._ledger.progress, told)
        stopped = was_stopped(self._ended) or (self._decider is not None and self._decider.stopped is not None)
        if self._ended.exit_code != 0 and not stopped and not self._ledger.progress.held:
            self._runner.herald.failed()
        self._runner.herald.wait()
        with suppress(ToolkitError):
            clean_up(self._runner.store, self._runner.project)
            if "verifies" in self._ledger.progress.labels:
                from toolkit.supervise.verification import conclude

                conclude(self._runner.store, self._ledger)

    @property
    def _has_a_door(self) -> bool:
        """A script that only prints markers can be entered at a state of our choice."""
        return bool(self._runner.project.pipeline.resume_command) and not self._runner.conductor.helped

    def _reset(self, decider: Decider) -> None:
        """Clean up before a state is tried again through the script's own door; a failing reset forbids that."""
        if decider.last is not None and decider.last.name == "retry" and (wrong := decider.reset(self._failed().state)):
            decider.after(self._failed(), forbidden=wrong)

    def _failed(self) -> Attempt:
        return next(each for each in reversed(self._ledger.progress.attempts) if each.status == "failed")
