"""Tells people what needs them, once per incident, beside the build, which it neither fails nor holds up for long."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from toolkit.core import events as ev
from toolkit.core.notices import breaker_notice, failure_notice, hold_notice, rollback_notice
from toolkit.supervise.holder import HERE
from toolkit.supervise.ledger import now_ms
from toolkit.supervise.logs import state_directory

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from toolkit.core.notices import About, Notice
    from toolkit.core.progress import Attempt
    from toolkit.project import Project
    from toolkit.store import Store
    from toolkit.supervise.ledger import Ledger

PATIENCE_SECONDS = 10.0
"""How long the end of a run waits for messages on their way: where we are the last process of a container, whatever is
still running when we end dies with us."""
SENDER_SECONDS = 60.0
"""How long one message may take."""
BREAKER_QUIET_MS = 3_600_000
"""An outage that lasts is told of again after so long."""
LOG = "notify.log"
"""Where a message that could not be sent is complained of."""


class Herald:
    """The messages of one run."""

    def __init__(self, project: Project, store: Store, ledger: Ledger) -> None:
        """Tell whomever the project's `[notify]` names."""
        self._project = project
        self._store = store
        self._ledger = ledger
        self._senders: list[subprocess.Popen[bytes]] = []

    def held(self) -> None:
        """The build has just been held."""
        progress = self._ledger.progress
        if progress.hold is not None:
            state = self._project.state(progress.hold.state, progress.names.get(progress.hold.state))
            self._tell("hold", lambda: hold_notice(progress, state, host=HERE, directory=_here()))

    def failed(self) -> None:
        """The build has failed, and nothing of ours goes on with it; whoever took it in hand since then knows."""

        def notice() -> Notice | None:
            ours, stands = self._ledger.progress, self._store.progress(self._ledger.build)
            if stands.held or stands.abandoned or stands.run != ours.run:
                return None
            return failure_notice(ours, host=HERE, directory=_here())

        self._tell("failure", notice)

    def broken(self, failed: Attempt) -> None:
        """Retries of a signature wait, or one probes for all."""
        limit = self._project.budget.breaker
        self._tell("breaker", lambda: breaker_notice(self._ledger.progress, failed, limit))

    def rolled_back(self, why: str) -> None:
        """The phase on trial has just been taken back."""
        project = self._project
        self._tell("rollback", lambda: rollback_notice(self._ledger.progress, project.phase, project.rest_phase, why))

    def wait(self, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait for messages that are on their way, no longer than so long in all."""
        if not self._senders:
            return
        import subprocess
        import time

        deadline = time.monotonic() + seconds
        for sender in self._senders:
            try:
                sender.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                sender.returncode = 0  # it ends by itself, long after us
        self._senders.clear()

    def _tell(self, about: About, notice: Callable[[], Notice | None]) -> None:
        wanted = self._project.notify
        if about not in wanted.on or not (wanted.command or wanted.urls):
            return
        try:
            told = notice()
            if told is not None and self._is_first(told):
                self._senders.append(_send(told, self._project))
        except Exception as error:  # noqa: BLE001 - a message is never worth a build
            complain(self._project.directory, f"no message about {about}: {error}")

    def _is_first(self, notice: Notice) -> bool:
        """Write down that an incident is told of; tell whether nobody had done so before.

        Builds notice a breaker at the same time: who writes it down first speaks.
        """
        if notice.about == "rollback":
            return True  # whoever took the phase back was the first to do so
        fact = ev.Notified(build=notice.build, ts_ms=now_ms(), about=notice.about, incident=notice.incident)
        if notice.about != "breaker":
            if any(_same(each, fact) for each in self._store.events(notice.build)):
                return False
            self._ledger.record(fact)
            return True
        fact = fact.but(build=ev.PROJECT, by=notice.build)
        since = fact.ts_ms - BREAKER_QUIET_MS
        return self._store.append_project(
            fact, unless=lambda facts: any(_same(each, fact) and each.ts_ms > since for each in facts)
        )


def complain(directory: str, what: str) -> None:
    """Add a line to the log of messages that could not be sent."""
    import time

    try:
        with open(os.path.join(state_directory(directory), LOG), "a", encoding="utf-8") as log:
            log.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {what}\n")
    except OSError:
        return


def _same(event: ev.Event, fact: ev.Notified) -> bool:
    return isinstance(event, ev.Notified) and event.incident == fact.incident


def _send(notice: Notice, project: Project) -> subprocess.Popen[bytes]:
    """Start the sender."""
    from toolkit.supervise.apart import start_apart

    order: dict[str, Any] = {
        "command": project.notify.command, "urls": project.notify.urls, "directory": project.directory,
        "title": notice.title, "text": notice.text, "seconds": SENDER_SECONDS, "environ": _environ(notice),
    }  # fmt: skip
    return start_apart("toolkit.supervise.sending", order, directory="/")


def _environ(notice: Notice) -> dict[str, str]:
    """The variables that a command finds, beside the text on its standard input."""
    told = {
        "EVENT": notice.about, "TITLE": notice.title, "BUILD": notice.build, "PIPELINE": notice.pipeline,
        "TARGET": notice.target, "STATE": notice.state, "CLASS": notice.failure_class, "SIGNATURE": notice.signature,
        "REASON": notice.reason, "HOST": HERE,
    }  # fmt: skip
    return {f"TOOLKIT_{name}": "" if value is None else str(value) for name, value in told.items()}


def _here() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None
