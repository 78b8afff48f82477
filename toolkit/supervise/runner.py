"""Runs one build under supervision: a wrapped command, or the commands that the pipeline's states name themselves."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from toolkit.errors import ToolkitError, UsageError
from toolkit.supervise.conductor import Conductor
from toolkit.supervise.holder import HERE
from toolkit.supervise.ledger import Ledger
from toolkit.supervise.linking import Wanted, begin_run
from toolkit.supervise.logs import log_directory, logs_directory, state_directory
from toolkit.supervise.listener import Listener
from toolkit.supervise.process import Control, Ended, supervise
from toolkit.supervise.wire import Wire

if TYPE_CHECKING:
    from toolkit.project import Project
    from toolkit.store import Store
    from toolkit.supervise.diagnosing import Diagnostician


def warn(message: str) -> None:
    """Print the one line that we may print while a build runs."""
    try:
        os.write(2, f"toolkit: warning: {message}\n".encode())
    except OSError:
        return


class Runner:
    """One run of one build, from before its first process to after its last."""

    def __init__(self, project: Project, store: Store, wanted: Wanted) -> None:
        """Begin the run, durably; ToolkitError when that is refused. Nothing has been started yet."""
        from toolkit.core.markers import MarkerScanner
        from toolkit.supervise.redact import Redactor
        from toolkit.supervise.spool import Spool

        self.project = project
        self.store = store
        self.kept = state_directory(project.directory)
        self.ledger = Ledger(begin_run(store, wanted), phase=wanted.phase, host=HERE, warn=warn)
        self.states = {each.code: each for each in project.states}
        directory = log_directory(project.directory, self.ledger.build)
        self.log = Spool(directory, run=self.ledger.run, redactor=Redactor(os.environ, project.redact.patterns), trouble=self.ledger.trouble)
        self.control = Control()
        self.scanner = MarkerScanner(project.states)
        names = {code: each.name for code, each in self.states.items()}
        self.conductor = Conductor(self.ledger, self.log, names, self._started)

    def wrap(self, command: Sequence[str], extra: Mapping[str, str]) -> Ended:
        """Run a build that tells its states itself, or by its output."""
        wire = self._wire()
        listener = Listener(self.conductor, self.scanner, wire)
        try:
            ended = supervise(
                command, extra={**extra, **self._environment(wire)}, recorder=listener, control=self.control,
                wire_fd=None if wire is None else wire.requests_fd,
            )  # fmt: skip
            listener.finish()
            self.conductor.finish(ended)
        finally:
            self.log.close()
            if wire is not None:
                wire.close()
        return ended

    def pipeline(self, extra: Mapping[str, str]) -> Ended:
        """Run the commands that the states name themselves, one after the other, until one fails."""
        wire = self._wire()
        listener = Listener(self.conductor, self.scanner, wire)
        steps = [state for state in self.project.states if state.run]
        ended: Ended | None = None
        try:
            for state in steps:
                attempt = self.conductor.enter(state.code, state.name)
                told = {"TOOLKIT_STATE": str(state.code), "TOOLKIT_ATTEMPT": str(attempt.attempt)}
                ended = supervise(
                    ["/bin/sh", "-c", state.run], extra={**extra, **self._environment(wire), **told},
                    recorder=listener, control=self.control, wire_fd=None if wire is None else wire.requests_fd,
                    cwd=self.project.directory, again=state is not steps[-1],
                )  # fmt: skip
                if not self.conductor.leave(attempt, ended):
                    break
            listener.finish()
            self.conductor.finish(ended)
        finally:
            self.log.close()
            if wire is not None:
                wire.close()
        return ended

    def after(self, ended: Ended) -> None:
        """Find out, once the build is over, what its failures were; what this costs the build no longer waits for."""
        if ended.exit_code == 0 or self.ledger.degraded:
            return
        failed = [each for each in self.ledger.progress.attempts if each.status == "failed" and not each.failure_class]
        for attempt in failed:
            if attempt.run == self.ledger.run:
                cause = ended.cause if attempt is failed[-1] and ended.cause in {"timeout", "stall"} else None
                self.ledger.record(self._diagnostician().diagnose(self.ledger.progress, attempt, ended_by=cause))

    def _diagnostician(self) -> Diagnostician:
        from toolkit.supervise.diagnosing import Diagnostician

        return Diagnostician([each.rule() for each in self.project.rules], self.store, logs_directory(self.project.directory))

    def _started(self, code: int) -> None:
        """A state begins: its own limits apply, when there are any."""

    def _wire(self) -> Wire | None:
        for parent in (os.path.join(self.kept, "run"), f"/tmp/toolkit-{os.getuid()}"):  # noqa: S108 - private, 0700
            try:
                return Wire(parent)
            except OSError as error:
                trouble = error
        self.ledger.trouble(f"the state helper has nowhere to talk: {trouble}")
        return None

    def _environment(self, wire: Wire | None) -> dict[str, str]:
        """The documented variables that a build finds."""
        from toolkit.supervise import shell_helper

        told = {
            "TOOLKIT_BUILD": self.ledger.build, "TOOLKIT_RUN": str(self.ledger.run), "TOOLKIT_SHELL": shell_helper(),
        }  # fmt: skip
        return told if wire is None else {**told, "TOOLKIT_WIRE": wire.address}
