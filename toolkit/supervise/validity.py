"""Whether what a state made when it last completed still holds, field by field."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from toolkit.core.fingerprints import Fingerprint, changes, fingerprint_from
from toolkit.core.moments import duration_text
from toolkit.core.situation import Validity
from toolkit.supervise.checkpoints import unavailable
from toolkit.supervise.fingerprint import take_inputs, take_outputs
from toolkit.supervise.hashes import Hashes
from toolkit.supervise.holder import HERE
from toolkit.supervise.hooks import run_hook
from toolkit.supervise.ledger import now_ms as clock_ms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolkit.core.pipeline import StateConfig
    from toolkit.core.progress import Attempt, Progress
    from toolkit.project import Project

UNNAMED = 0
"""The state that a build is in before it names one; an attempt at it is nobody's predecessor."""


def validity(
    progress: Progress,
    state: StateConfig,
    project: Project,
    *,
    now_ms: int | None = None,
    hashes: Hashes | None = None,
) -> Validity | None:
    """Tell whether a state that completed in this build still holds; None when it never completed.

    What costs little is asked first; `verify` and `revalidate` run only when all the rest holds. Every field that says
    no is named: `inputs: ks.cfg changed; outputs: build/green.qcow2 missing`.
    """
    skip = progress.skips.get(state.code)
    if skip is not None:
        since = _ran_since(progress, project, state, skip.run)
        return Validity(ok=not since, why=since or f"done by hand: {skip.reason or 'a person said so'}")
    done = progress.completions.get(state.code)
    if done is None:
        return None
    if progress.run_open and done.run == progress.run:
        return Validity(ok=False, why="the build entered it again in the same run")
    look = _Look(progress, state, project, done, clock_ms() if now_ms is None else now_ms, hashes)
    found = [*look.history()]
    if not found:
        found = [*look.content()]
    if not found:
        found = [*look.probes()]
    return Validity(ok=not found, why="; ".join(found) or look.praise())


def restore_point(progress: Progress, state: StateConfig, project: Project) -> Attempt | None:
    """Give the attempt whose checkpoint a build goes back to when it goes on behind a reused state; None: no such."""
    done = progress.completions.get(state.code)
    if done is None or state.code in progress.skips or unavailable(state, project, progress.build, done.attempt):
        return None
    return done


class _Look:
    """One look at one state."""

    def __init__(  # noqa: PLR0913, PLR0917 - what there is to look at
        self,
        progress: Progress,
        state: StateConfig,
        project: Project,
        done: Attempt,
        now_ms: int,
        hashes: Hashes | None,
    ) -> None:
        self._progress, self._state, self._project = progress, state, project
        self._done, self._now_ms = done, now_ms
        self._hashes = Hashes(project.state_directory) if hashes is None else hashes
        self._goes_back_itself = False

    def history(self) -> Iterator[str]:
        """What the record alone says against it."""
        if self._progress.counts.get(self._state.code, 0) > self._done.attempt:
            later = self._progress.attempts_at(self._state.code)[-1]
            yield f"attempt {later.attempt} at it came later and {_ended(later)}"
        if since := _ran_since(self._progress, self._project, self._state, self._done.run):
            yield since
        if lost := self._progress.spoilt.get(self._state.code):
            yield f"checkpoint: {lost}"
        age = (self._now_ms - (self._done.ended_ms or 0)) / 1000
        if self._state.max_age is not None and age > self._state.max_age:
            yield f"max_age: it completed {duration_text(age)} ago, and holds for {duration_text(self._state.max_age)}"
        proves = self._state.outputs or self._state.verify or self._state.revalidate or self._can_restore(self._state)
        if self._done.host not in {None, HERE} and not proves:
            yield f"host: it completed on {self._done.host}, and nothing that it declares proves it here"

    def content(self) -> Iterator[str]:
        """What the files and variables say against it."""
        inputs = take_inputs(self._state, self._project, hashes=self._hashes)
        if inputs is not None and (told := changes(self._done.inputs, inputs)):
            yield f"inputs: {', '.join(told)}"
        if told := self._outputs(self._state, self._done):
            if not self._can_restore(self._state):
                yield f"outputs: {', '.join(told)}"
            else:
                self._goes_back_itself = True
        elif not self._can_restore(self._state) and (before := self._goes_back()):
            yield f"checkpoint: the build goes back to that of state {before.label}, which is from before it"

    def probes(self) -> Iterator[str]:
        """What its own commands say against it."""
        for field, command in (("verify", self._state.verify), ("revalidate", self._state.revalidate)):
            if command and not (field == "verify" and self._goes_back_itself):
                told = {"TOOLKIT_BUILD": self._progress.build, "TOOLKIT_STATE": str(self._state.code)}
                if wrong := run_hook(command, self._project, extra=told):
                    yield f"{field}: {wrong}"
                    return

    def praise(self) -> str:
        """Say why it holds."""
        same = ["inputs"] if self._state.inputs or self._state.run else []
        same += ["outputs"] if self._state.outputs and not self._goes_back_itself else []
        told = [f"{' and '.join(same)} unchanged"] if same else []
        told += ["its checkpoint gives its outputs back"] if self._goes_back_itself else []
        told += [f"`{word}` passes" for word in ("verify", "revalidate") if getattr(self._state, word)]
        return f"completed in attempt {self._done.attempt}{': ' + ', '.join(told) if told else ''}"

    def _can_restore(self, state: StateConfig) -> bool:
        done = self._progress.completions.get(state.code)
        return (
            bool(state.restore)
            and done is not None
            and not unavailable(state, self._project, self._progress.build, done.attempt)
        )

    def _goes_back(self) -> StateConfig | None:
        """Give an earlier state that holds only because its checkpoint will be restored."""
        for each in self._project.states:
            done = self._progress.completions.get(each.code)
            if each.code >= self._state.code or done is None or not self._can_restore(each):
                continue
            if self._outputs(each, done):
                return each
        return None

    def _outputs(self, state: StateConfig, done: Attempt) -> tuple[str, ...]:
        """Say which outputs are not what the last state that declares them left; empty when all are."""
        outputs = take_outputs(state, self._project, hashes=self._hashes)
        if outputs is None:
            return ()
        missing = tuple(f"{name} missing" for name in outputs.missing)
        if missing:
            return missing
        recorded = fingerprint_from(done.outputs or "")
        return changes(done.outputs if recorded is None else self._taken_over(recorded, outputs, done).text, outputs)

    def _taken_over(self, recorded: Fingerprint, outputs: Fingerprint, done: Attempt) -> Fingerprint:
        """Where a later state declares the same output and completed, what it left counts: the file went on to it."""
        parts, files = dict(recorded.parts), dict(recorded.files)
        written = [json.dumps(name) for name in outputs.parts]
        for code, later in sorted(self._progress.completions.items()):
            told = later.outputs if code > done.state and later.run >= done.run else None
            taken = fingerprint_from(told) if told and any(each in told for each in written) else None
            for name in outputs.parts if taken is not None else ():
                if taken is not None and name in taken.parts:
                    parts[name], files[name] = taken.parts[name], taken.files.get(name, {})
        return recorded.but(parts=parts, files=files)


def _ran_since(progress: Progress, project: Project, state: StateConfig, run: int) -> str:
    """Name an earlier state that ran in a later run than the one in which the state was done."""
    named = {each.code for each in project.states}
    for each in progress.attempts:
        anonymous = each.state == UNNAMED and each.state not in named
        if each.run > run and each.state < state.code and not anonymous:
            return f"state {each.state} before it ran since"
    return ""


def _ended(attempt: Attempt) -> str:
    return {"failed": "failed", "interrupted": "was interrupted"}.get(attempt.status, "has not ended")
