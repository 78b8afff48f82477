"""Runs one build under supervision: a wrapped command, or the commands that the pipeline's states name themselves."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from toolkit.core.action import Reuse, Stop
from toolkit.core.markers import MarkerScanner
from toolkit.errors import BuildLeased, StoreUnavailable
from toolkit.store import open_store
from toolkit.supervise import shell_helper
from toolkit.supervise.attempts import Attempts, Limited
from toolkit.supervise.bounded import AFTER_SECONDS, LONG_AFTER_SECONDS, within
from toolkit.supervise.conductor import Conductor, limit_of, was_stopped
from toolkit.supervise.finding import Finder
from toolkit.supervise.holder import HERE
from toolkit.supervise.lease import Keeper, grace_of
from toolkit.supervise.ledger import Ledger
from toolkit.supervise.linking import Wanted, begin_run
from toolkit.supervise.listener import Listener
from toolkit.supervise.logs import log_directory, logs_directory
from toolkit.supervise.outliving import Outliving
from toolkit.supervise.process import CommandNotRunnable, Control, Ended, supervise
from toolkit.supervise.redact import Redactor
from toolkit.supervise.rereading import Rereader
from toolkit.supervise.selecting import WHOLE
from toolkit.supervise.signals import pause
from toolkit.supervise.spool import Spool
from toolkit.supervise.wire import open_wire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from toolkit.core.fatal import FatalLines
    from toolkit.core.pipeline import StateConfig
    from toolkit.core.progress import Attempt
    from toolkit.project import Project
    from toolkit.store import Store
    from toolkit.supervise.deciding import Decider, Phases
    from toolkit.supervise.diagnosing import Diagnostician
    from toolkit.supervise.notifying import Herald

NOT_RUN = Ended(pid=0, exit_code=0, signal=None, wall=0.0, seconds=0.0, cause=None, stopped_by=None, recorded=True)


def warn(message: str) -> None:
    """Print the one line that we may print while a build runs."""
    try:
        os.write(2, f"toolkit: warning: {message}\n".encode())
    except OSError:
        return


class Runner:
    """One run of one build, from before its first process to after its last."""

    def __init__(self, project: Project, store: Store, wanted: Wanted, phases: Callable[[], Phases]) -> None:
        """Begin the run, durably; ToolkitError when that is refused. Nothing has been started yet.

        `phases` loads the deciding side. A build that is only tracked does so when it has failed, to tell what the
        phases would have done; any other is decided about from its first state on.
        """
        self.project = project
        self.store = store
        self.wanted = wanted
        writer = begin_run(store, wanted, project, warn)
        redactor = Redactor(os.environ, project.redact.patterns)
        phase = writer.progress.phase or wanted.phase
        self.ledger = Ledger(writer, phase=phase, host=HERE, warn=warn, clean=redactor.text)
        build = self.ledger.build
        self.ledger.retake = lambda first: store.writer(build, replacing=store.lease(build).token, first=first)
        self._phases = phases
        self._rereader = Rereader(project)
        self._herald: Herald | None = None
        acts = project.acts(wanted.override, rest=writer.progress.arm == "old") or wanted.asked != WHOLE
        self.decider = self.new_decider() if acts else None
        self.control = Control()
        self.ledger.on_lost = lambda: self.control.end("lost", grace=grace_of(self.ledger.progress.lease))
        self._keeper = self._keep_lease()
        self.log = Spool(
            log_directory(project.directory, self.ledger.build), run=self.ledger.run,
            redactor=redactor, trouble=self.ledger.trouble,
        )  # fmt: skip
        names = {each.code: each.name for each in project.states if each.name}
        self.conductor = Conductor(self.ledger, self.log, names, Attempts(self.control, self._limits), self.decider)
        self.conductor.entering = self._entering
        self.conductor.fatal = self._fatal()
        self.wire = open_wire(project.directory, self.ledger)
        if self.wire is not None and self._keeper is not None:
            self._keeper.tell(self.wire.leased)
        self.conductor.helpers = self.wire
        self.listener = Listener(self.conductor, MarkerScanner(project.states, Finder()), self.wire)

    def go(self, extra: Mapping[str, str], at: int | None = None) -> Ended:
        """Run the build as it was asked for: its command, or the pipeline's own; `at` names a state that is retried."""
        if not self.wanted.command:
            return self._pipeline(extra)
        entry = self._entry(at)
        stop = None if self.decider is None else self.decider.stopped
        if stop is not None or entry is None:
            return self._nothing(0 if stop is None else stop.exit_code)
        return self._wrap(("/bin/sh", "-c", entry) if entry else self.wanted.command, extra)

    def _wrap(self, command: Sequence[str], extra: Mapping[str, str]) -> Ended:
        """Run a build that tells its states itself, or by its output."""
        try:
            ended = self._supervise(command, extra, again=self.decider is not None and self.goes_on)
            self._finish(ended)
        except CommandNotRunnable as error:
            self.conductor.finish(NOT_RUN.but(exit_code=error.exit_code))
            raise
        finally:
            self._close()
        return ended.but(exit_code=0, signal=None) if ended.cause == "asked" else ended

    def _nothing(self, exit_code: int) -> Ended:
        """End the run before anything of it has started."""
        ended = NOT_RUN.but(exit_code=exit_code)
        try:
            self._finish(ended)
        finally:
            self._close()
        return ended

    def _pipeline(self, extra: Mapping[str, str]) -> Ended:
        """Run the commands that the states name themselves, one after the other, until one fails for good."""
        steps = [state for state in self.project.states if state.run]
        ended = NOT_RUN
        try:
            for state in steps:
                if self.ledger.is_lost():
                    break
                self._entering(state.code)
                action = None if self.decider is None else self.decider.before(state.code, state.name)
                if isinstance(action, Reuse):
                    continue
                if isinstance(action, Stop):
                    ended = ended.but(exit_code=action.exit_code)
                    break
                ended, reached = self._step(state, extra, last=state is steps[-1])
                if not reached:
                    break
            self._finish(ended)
        finally:
            self._close()
        return ended

    def _entry(self, at: int | None) -> str | None:
        """Give the command that enters a script which only prints markers; empty for all of it, None for nothing."""
        anew = self.ledger.run == 1 or self.wanted.reason == "start-over"
        if not self.project.pipeline.resume_command or self.decider is None or anew:
            return ""
        from toolkit.supervise.entering import entry

        return entry(self.project, self.store, self.ledger, self.decider, at)

    @property
    def herald(self) -> Herald:
        """Who tells people."""
        if self._herald is None:
            from toolkit.supervise.notifying import Herald

            self._herald = Herald(self.project, self.store, self.ledger)
        return self._herald

    @property
    def goes_on(self) -> bool:
        """Another run may follow by itself, which will print where this one did."""
        return bool(self.project.pipeline.restarts or self.project.pipeline.resume_command)

    def _entering(self, code: int) -> None:
        """A state begins: what was changed in toolkit.toml meanwhile holds from here on, never in mid-attempt."""
        project = self._rereader.changed()
        if project is not None:
            self.project = project
            if self.decider is not None:
                self.decider.project = project
            elif project.acts(self.wanted.override, rest=self.ledger.progress.arm == "old"):
                self.decider = self.conductor.decider = self.new_decider()
        if self.decider is not None:
            self.decider.enter(code)

    def _step(self, state: StateConfig, extra: Mapping[str, str], *, last: bool) -> tuple[Ended, bool]:
        """Execute one state of the pipeline, with its retries; tells how it ended and whether it came through."""
        command, last_class = state.run, ""
        while True:
            attempt = self.conductor.enter(state.code, state.name)
            told = {
                "TOOLKIT_STATE": str(state.code),
                "TOOLKIT_ATTEMPT": str(attempt.attempt),
                "TOOLKIT_LAST_CLASS": last_class,
            }
            ended = self._supervise(
                ["/bin/sh", "-c", command],
                {**extra, **told},
                cwd=self.project.directory,
                again=not last or self.decider is not None,
                attempt=attempt,
            )
            if self.conductor.leave(attempt, ended):
                return ended, True
            failed = self.ledger.progress.attempts_at(state.code)[-1]
            if was_stopped(ended) or self.ledger.is_lost() or self.decider is None or failed.status != "failed":
                return ended, False
            answer = self.decider.after(failed, ended_by=limit_of(ended.cause))
            while answer.action.name == "wait":
                pause(answer.wait)
                answer = self.decider.after(failed)
            if answer.action.name != "retry":
                return ended if ended.exit_code != 0 else ended.but(exit_code=1), False
            pause(answer.wait)
            if self.ledger.is_lost():
                return ended.but(exit_code=BuildLeased.exit_code, signal=None), False
            if wrong := self.decider.reset(state.code):
                self.decider.after(failed, forbidden=wrong)
                return ended, False
            command = getattr(answer.action, "command", "") or state.run
            last_class = self.ledger.progress.attempts_at(state.code)[-1].failure_class or ""

    def _supervise(
        self,
        command: Sequence[str],
        extra: Mapping[str, str],
        *,
        cwd: str | None = None,
        again: bool = False,
        attempt: Attempt | None = None,
    ) -> Ended:
        extra = {**extra, **self._environment()}
        outliving = Outliving() if self.wire is None else self.wire.outliving(attempt, extra, shared=self._is_shared)
        return supervise(
            command, extra=extra, recorder=self.listener, control=self.control,
            wire_fd=None if self.wire is None else self.wire.requests_fd, cwd=cwd, again=again, outliving=outliving,
        )  # fmt: skip

    @property
    def _is_shared(self) -> bool:
        """Who takes over a build on another host needs the same file as we do; a server may be there for it alone."""
        return not self.store.url.startswith("sqlite:")

    def _finish(self, ended: Ended) -> None:
        if not ended.recorded:
            self.ledger.trouble("the record was not complete in time")
        try:
            within(AFTER_SECONDS if self.decider is None else LONG_AFTER_SECONDS, lambda: self._write_down(ended))
        except Exception as error:  # noqa: BLE001 - the build has its end, whatever becomes of its record
            self.ledger.trouble(str(error))

    def _write_down(self, ended: Ended) -> None:
        self.listener.finish()
        self.conductor.finish(ended)
        self.log.close()

    def _keep_lease(self) -> Keeper | None:
        seconds = self.ledger.progress.lease
        if seconds is None:
            return None
        url = self.store.url
        with suppress(StoreUnavailable):
            self.store.renew(self.ledger.build, self.ledger.token)
        strict = self.ledger.phase == "full-resume" and self._is_shared
        keeper = Keeper(
            lambda: open_store(url, create=False), self.ledger.build, self.ledger.token,
            seconds=seconds, lost=self.ledger.lose, strict=strict,
        )  # fmt: skip
        keeper.start()
        return keeper

    def _close(self) -> None:
        if self._keeper is not None:
            self._keeper.stop()
        whole = self.ledger.is_whole()
        if self.wire is not None:
            self.wire.close(leave_traces=not whole and not self.ledger.is_lost())

    def new_decider(self) -> Decider:
        """Give one who asks the phases, and writes down what they say."""
        from toolkit.supervise.deciding import Decider

        return Decider(
            self.project, self.store, self.ledger, self._phases(), self._diagnostician(), herald=self.herald,
            phase=self.wanted.override, asked=self.wanted.asked,
        )  # fmt: skip

    def _diagnostician(self) -> Diagnostician:
        from toolkit.supervise.diagnosing import Diagnostician

        rules = [each.rule() for each in self.project.rules]
        if any(state.fatal for state in self.project.states):
            from toolkit.core.fatal import fatal_rules

            rules = [*fatal_rules(rules, self.project.states), *rules]
        return Diagnostician(rules, self.store, logs_directory(self.project.directory))

    def _fatal(self) -> FatalLines | None:
        asked_for = any(rule.fatal for rule in self.project.rules) or any(each.fatal for each in self.project.states)
        if not asked_for:
            return None
        from toolkit.core.fatal import FatalLines, fatal_rules

        return FatalLines(fatal_rules([each.rule() for each in self.project.rules], self.project.states))

    def _limits(self, code: int) -> Limited | None:
        """Give a state's own limits, where its phase does more than track or they were asked for."""
        tracked = self.decider is None or self.decider.phase_at(code) == "track-only"
        if tracked and not self.wanted.limits:
            return None
        config = self.project.state(code)
        return Limited(timeout=config.timeout, stall=config.stall, grace=config.grace)

    def _environment(self) -> dict[str, str]:
        """The documented variables that a build finds."""
        told = {
            "TOOLKIT_BUILD": self.ledger.build, "TOOLKIT_RUN": str(self.ledger.run), "TOOLKIT_SHELL": shell_helper(),
        }  # fmt: skip
        return told if self.wire is None else {**told, "TOOLKIT_WIRE": self.wire.address}
