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
from toolkit.supervise.linking import Wanted, begin_run, state_directory
from toolkit.supervise.listener import Listener
from toolkit.supervise.process import Control, Ended, supervise
from toolkit.supervise.wire import Wire

if TYPE_CHECKING:
    from toolkit.project import Project
    from toolkit.store import Store


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
        from toolkit.core.markers import MarkerScanner  # noqa: PLC0415
        from toolkit.supervise.redact import Redactor  # noqa: PLC0415
        from toolkit.supervise.spool import Spool  # noqa: PLC0415

        self.project = project
        self.store = store
        self.kept = state_directory(project.directory)
        self.ledger = Ledger(begin_run(store, wanted), phase=wanted.phase, host=HERE, warn=warn)
        self.states = {each.code: each for each in project.states}
        directory = log_directory(project.directory, self.ledger.build)
        self.log = Spool(directory, run=self.ledger.run, redactor=Redactor(os.environ, project.redact), trouble=self.ledger.trouble)
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
        from toolkit.supervise import shell_helper  # noqa: PLC0415

        told = {
            "TOOLKIT_BUILD": self.ledger.build, "TOOLKIT_RUN": str(self.ledger.run), "TOOLKIT_SHELL": shell_helper(),
        }  # fmt: skip
        return told if wire is None else {**told, "TOOLKIT_WIRE": wire.address}


def log_directory(project_directory: str, build: str) -> str:
    """Give the folder of a build's captured output."""
    return os.path.join(state_directory(project_directory), "logs", build)
