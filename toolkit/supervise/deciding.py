"""Asks the phase, before every attempt and after every failure, and records what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from phases import Decide
from toolkit.core import events as ev
from toolkit.core.action import Action, Hold, Reuse, Run, Stop
from toolkit.core.policy import Policy
from toolkit.core.situation import Situation, after_failure, before_attempt, counts
from toolkit.core.values import Value
from toolkit.errors import Refused, ToolkitError
from toolkit.supervise.incidents import breaker_for
from toolkit.supervise.ledger import now_ms
from toolkit.supervise.returning import go_back, keep
from toolkit.supervise.selecting import WHOLE, Selection, narrowed
from toolkit.supervise.telling import tell_of_wait

if TYPE_CHECKING:
    from toolkit.core.pipeline import StateConfig
    from toolkit.core.progress import Attempt
    from toolkit.core.situation import Validity
    from toolkit.project import Project
    from toolkit.store import Store
    from toolkit.supervise.diagnosing import Diagnostician, Ending
    from toolkit.supervise.ledger import Ledger
    from toolkit.supervise.notifying import Herald


class Phases(Value):
    """The deciding side, as the command line hands it to a run."""

    decide: Callable[[str], Decide]
    """The decision function of a phase, by name."""
    shadow: Callable[[Situation, Policy, str], Mapping[str, Mapping[str, Any]]]
    """What the other phases would do."""


class Answer(Value):
    """What a phase decided after a failure, and how long to wait first, in seconds, as chance drew it."""

    action: Action
    wait: float = 0.0


class Decider:
    """The decisions of one run of one build."""

    def __init__(  # noqa: PLR0913 - its parts
        self,
        project: Project,
        store: Store,
        ledger: Ledger,
        phases: Phases,
        diagnostician: Diagnostician,
        *,
        herald: Herald,
        phase: str | None,
        asked: Selection = WHOLE,
    ) -> None:
        """Decide as `project` says, which may change between states; `phase` overrides the phases of all its states.

        `asked` narrows what runs.
        """
        self.project = project
        self._store = store
        self._ledger = ledger
        self._phases = phases
        self._diagnostician = diagnostician
        self._herald = herald
        self._override = phase
        self._followed: dict[int, str] = {}
        self._asked = asked
        self._ran_again: int | None = None
        self._left: StateConfig | None = None
        self._reasons: dict[int, str] = {}
        self.last: Action | None = None
        self.stopped: Stop | None = None
        """Why the build does not go on to a state, though nothing failed."""

    def enter(self, code: int) -> None:
        """A state begins: it follows the phase that is in force now until it has ended, retries included."""
        self._followed.pop(code, None)
        self._followed[code] = self.phase_at(code)

    def phase_at(self, code: int) -> str:
        """Give the phase that a state follows in this build."""
        rest = self._ledger.progress.arm == "old"
        return self._followed.get(code) or self._override or self.project.phase_at(code, rest=rest)

    def before(self, code: int, name: str | None = None, wanted: Callable[[], bool] | None = None) -> Action:
        """Decide how a state begins; a reuse is recorded, and behind one the build goes back to its checkpoint.

        That takes its time, and is given up when it is not `wanted` any more.
        """
        phase, config = self.phase_at(code), self.project.state(code, name)
        situation = before_attempt(
            self._ledger.progress, config, now_ms=now_ms(), validity=self._validity(phase, config),
            ran_again=self._ran_again, resume=self.resume,
        )  # fmt: skip
        action = narrowed(self._phases.decide(phase), self._asked)(situation, self.project.policy)
        if isinstance(action, Run):
            if situation.validity is not None and self._ran_again is None:
                self._ran_again = code
            if situation.validity is not None or self._asked.runs(code):
                self._reasons[code] = action.reason
            left, self._left = self._left, None
            if left is not None and (wrong := go_back(self._ledger, self.project, left, wanted)):
                action = Stop(reason=wrong, resumable=True, exit_code=Refused.exit_code)
        if isinstance(action, Stop):
            self.stopped = action
        if isinstance(action, Reuse):
            self._left = config
            done = self._ledger.progress.completions.get(code)
            # Lost in a crash, it is found again: a sync for each reused state would be most of what resuming costs.
            self._ledger.note(
                self._ledger.fact(
                    ev.StateReused,
                    state=code,
                    name=config.name,
                    reason=action.reason,
                    inputs=None if done is None else done.inputs,
                )
            )
        return action

    def diagnose(self, attempt: Attempt, *, ended_by: Ending | None = None) -> None:
        """Find out what a failure was, unless that is known by now, and record it."""
        progress = self._ledger.progress
        same = (each for each in progress.attempts_at(attempt.state) if each.attempt == attempt.attempt)
        if all(each.failure_class is None for each in same):
            self._ledger.record(self._diagnostician.diagnose(progress, attempt, ended_by=ended_by))

    def after(self, attempt: Attempt, *, ended_by: Ending | None = None, forbidden: str = "") -> Answer:
        """Find out what a failure was, decide, and record both; a hold is recorded too.

        Who released the build meanwhile has decided.
        """
        self.diagnose(attempt, ended_by=ended_by)
        progress, phase = self._ledger.progress, self.phase_at(attempt.state)
        failed = progress.attempts_at(attempt.state)[-1]
        if not counts(progress, failed):
            self.last = Stop(reason="the build was released since it failed", resumable=True)
            return Answer(action=self.last)
        situation = after_failure(
            progress, self.project.state(attempt.state, attempt.name), now_ms=now_ms(), forbidden=forbidden,
            breaker=breaker_for(self._store, progress, failed, self.project.budget, now_ms=now_ms()),
            resume=self.resume,
        )  # fmt: skip
        action = self._phases.decide(phase)(situation, self.project.policy)
        if action.name in {"retry", "wait"} and (why := self._doubt(action.rule, failed)):
            situation = situation.but(forbidden=why)
            action = self._phases.decide(phase)(situation, self.project.policy)
        drawn = getattr(action, "pause", None)
        wait = None if drawn is None else round(drawn.drawn(_luck()), 3)
        if failed.decision is None or (failed.decision.action, failed.decision.reason) != (action.name, action.reason):
            self._ledger.record(
                self._ledger.fact(
                    ev.Decided,
                    state=failed.state,
                    name=failed.name,
                    attempt=failed.attempt,
                    phase=phase,
                    action=action.name,
                    reason=action.reason,
                    rule=action.rule,
                    wait=wait,
                    shadow=self._phases.shadow(situation, self.project.policy, phase),
                )
            )
        stands = self._ledger.progress  # people may have spoken meanwhile
        if isinstance(action, Hold) and not (stands.held or stands.abandoned):
            self._ledger.record(self._ledger.fact(ev.BuildHeld, state=failed.state, reason=action.reason))
            self._herald.held()
        if situation.breaker != "closed" and action.name in {"wait", "retry"}:
            self._herald.broken(failed)
        tell_of_wait(failed, action, wait or 0.0)
        self.last = action
        return Answer(action=action, wait=wait or 0.0)

    def is_behind(self, code: int) -> bool:
        """Tell whether a state lies behind the last one that was asked for."""
        return self._asked.last is not None and code > self._asked.last

    @property
    def resume(self) -> Any:  # noqa: ANN401 - a literal of the situation
        """Tell whether the pipeline, or a label of the build, forbids to go on where it stopped."""
        labels = {f"{key}={value}" for key, value in self._ledger.progress.labels.items()}
        forbidden = labels & set(self.project.pipeline.never_resume)
        return "never" if forbidden else self.project.pipeline.resume

    def may_retry(self, code: int, name: str | None) -> bool:
        """Tell whether a failure of the state could be answered by another attempt."""
        if self.phase_at(code) == "track-only":
            return False
        policy = self.project.policy.but(every_state=self.phase_at(code) == "full-resume")
        strategy = policy.strategy_of(self.project.state(code, name))
        return bool(policy.rules) or (strategy is not None and strategy.max_attempts > 1)

    def verify(self, code: int) -> str:
        """Say why `completed` is not to be believed; empty when it is."""
        if self.phase_at(code) == "track-only":
            return ""
        config = self.project.state(code)
        if config.outputs:
            from toolkit.supervise.fingerprint import missing_outputs

            if missing := missing_outputs(config, self.project):
                return f"state {code} ended well, but its outputs are missing: {', '.join(missing)}"
        return self._hook(config.verify, code)

    def outputs(self, code: int) -> str | None:
        """Give the fingerprint of what a state declares as its outputs."""
        config = self.project.state(code)
        if not config.outputs or self.phase_at(code) == "track-only":
            return None
        from toolkit.supervise.fingerprint import outputs_of

        return outputs_of(config, self.project)

    def why(self, code: int) -> str | None:
        """Say why a state that had completed before, or was asked for, runs; once, for its first attempt."""
        return self._reasons.pop(code, None)

    def keep(self, attempt: Attempt, wanted: Callable[[], bool] | None = None) -> None:
        """Keep a checkpoint of what a completed state left behind, as long as that is `wanted`."""
        if self.phase_at(attempt.state) != "track-only":
            keep(self._ledger, self.project, attempt, wanted)

    def reset(self, code: int) -> str:
        """Clean up before a retry in place; says why there can be none, empty when all is well."""
        return self._hook(self.project.state(code).reset, code)

    def inputs(self, code: int) -> str | None:
        """Give the fingerprint of what a state declares as its inputs."""
        config = self.project.state(code)
        if self.phase_at(code) == "track-only":
            return None
        from toolkit.supervise.fingerprint import inputs_of

        return inputs_of(config, self.project)

    def _doubt(self, rule: str | None, failed: Attempt) -> str:
        """Say why a rule is not trusted with a failure; empty when it is, or nobody can tell."""
        from toolkit.core.verifying import doubt

        try:
            taint = doubt(self._store.project_events(), rule or "", failed.state, failed.signature or "unknown")
        except ToolkitError:
            return ""
        if taint is None:
            return ""
        told = f"{rule} is tainted for {failed.signature} in state {failed.state}: it helped {taint.of}, and the clean"
        return f"{told} {taint.by_build} disagrees; `toolkit phase trust {rule}` lets it retry again"

    def _hook(self, command: str, code: int) -> str:
        if not command:
            return ""
        from toolkit.supervise.hooks import run_hook

        last = self._ledger.progress.attempts_at(code)[-1:]
        told = {
            "TOOLKIT_BUILD": self._ledger.build, "TOOLKIT_STATE": str(code),
            "TOOLKIT_ATTEMPT": str(last[0].attempt) if last else "",
            "TOOLKIT_LAST_CLASS": (last[0].failure_class or "") if last else "",
        }  # fmt: skip
        wrong = run_hook(command, self.project, extra=told)
        return f"state {code}: {wrong}" if wrong else ""

    def _validity(self, phase: str, config: StateConfig) -> Validity | None:
        if phase != "full-resume" or self._asked.runs(config.code):
            return None
        from toolkit.supervise.validity import validity

        return validity(self._ledger.progress, config, self.project)


def _luck() -> float:
    """Draw from 0 to 1."""
    import random

    return random.random()  # noqa: S311 - jitter
