"""Conducts one run: hears that states begin and end, has it recorded, and says how the build goes on."""

from __future__ import annotations

import os
import signal as signals
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from toolkit.core.codes import parse_code

if TYPE_CHECKING:
    from toolkit.core.markers import Marker
    from toolkit.core.progress import Attempt
    from toolkit.supervise.ledger import Ledger
    from toolkit.supervise.process import Ended
    from toolkit.supervise.wire import Request

START = 0
"""The state that a build is in before it names one; a build that names none is this state alone."""


class Log(Protocol):
    """Where output goes, cut by attempt."""

    def begin(self, state: int, attempt: int) -> None:
        """What is written from here on belongs to an attempt."""

    def write(self, stream: int, data: bytes) -> None:
        """Keep a piece of stdout (1) or stderr (2)."""


class Deciding(Protocol):
    """What a phase that does more than track adds; every answer is an answer of the wire, None to answer later."""

    def before(self, code: int, name: str | None, asked: Request) -> str | None:
        """Say how a state begins; None: it just runs."""

    def after(self, attempt: Attempt, code: int | None, asked: Request) -> str | None:
        """Say how it goes on after an attempt ended with an exit code; None: as it would without us."""


class Conductor:
    """One run of one build. Its methods are called on the recorder's thread, except `finish`."""

    may_go_unrecorded = True

    def __init__(self, ledger: Ledger, log: Log, names: dict[int, str], started: Callable[[int], None]) -> None:
        """Record in `ledger` and `log`; `names` are the configured states', `started` hears of each state that begins."""
        self.ledger = ledger
        self.log = log
        self._names = names
        self._started = started
        self._owners: dict[tuple[int, int], int] = {}
        self._by_marker: set[tuple[int, int]] = set()
        log.begin(START, ledger.progress.next_attempt(START))

    def asked(self, asked: Request) -> str | None:
        """Answer one request of a helper; None when the answer comes later."""
        try:
            if asked.verb == "output":
                return self._output(asked)
            code = parse_code(asked.code)
            if asked.verb == "begin":
                return self.begin(code, asked.text or None, asked)
            if asked.verb == "end":
                return self.end(code, int(asked.text), asked)
            if asked.verb == "fail":
                return self._fail(code, asked.text)
        except ValueError as error:
            return f"bad {error}"
        return f"bad no such request: {asked.verb}"

    def begin(self, code: int, name: str | None, asked: Request) -> str | None:
        """A state begins."""
        self._bury()
        attempt = self._start(code, name)
        self._owners[code, attempt] = asked.owner
        return f"run {attempt} - - -"

    def enter(self, code: int, name: str | None) -> Attempt:
        """A state of the pipeline begins, executed by the runner itself."""
        number = self._start(code, name)
        return next(each for each in self.ledger.progress.open_attempts() if (each.state, each.attempt) == (code, number))

    def leave(self, attempt: Attempt, ended: Ended) -> bool:
        """The command of a pipeline's state ended; tell whether the next state may begin."""
        if ended.exit_code != 0 or ended.cause is not None:
            return False
        self.ledger.complete(attempt)
        return True

    def end(self, code: int, exit_code: int, asked: Request) -> str | None:
        """The latest open attempt at a state ended with an exit code."""
        attempt = self._open(code)
        if attempt is None:
            return f"done {exit_code}"
        if exit_code == 0:
            self.ledger.complete(attempt)
        else:
            self.ledger.fail(attempt, ending_text(exit_code, None), exit_code=exit_code)
        return f"done {exit_code}"

    def marked(self, marker: Marker) -> None:
        """A line of output told of a state."""
        attempt = self._open(marker.code)
        if marker.status == "started":
            for each in self.ledger.progress.open_attempts():
                if (each.state, each.attempt) in self._by_marker:
                    self.ledger.complete(each)
            started = self._start(marker.code, marker.name)
            self._by_marker.add((marker.code, started))
            return
        if attempt is None:
            self._start(marker.code, marker.name)
            attempt = self._open(marker.code)
        if attempt is not None and marker.status == "completed":
            self.ledger.complete(attempt)
        elif attempt is not None:
            self.ledger.fail(attempt, marker.reason or "the build said so")

    def unrecorded(self, asked: Request) -> str:
        """Give the answer that lets a shell go on as it would without us."""
        if asked.verb == "begin":
            return "run 1 - - -"
        return f"done {asked.text}" if asked.verb == "end" else "done 0"

    def finish(self, ended: Ended) -> None:
        """The build is over: close what it left open and record how it ended."""
        stopped = ended.stopped_by is not None and ended.exit_code != 0
        progress = self.ledger.progress
        if not any(each.run == progress.run for each in progress.attempts):
            self._start(START, "start")
        for attempt in self.ledger.progress.open_attempts():
            self._close(attempt, ended, stopped=stopped)
        outcome = "interrupted" if stopped else "completed" if ended.exit_code == 0 else "failed"
        self.ledger.end(
            outcome, exit_code=ended.exit_code, signal=ended.signal, duration=round(ended.seconds, 3),
            reason=ending_text(ended.exit_code, ended.stopped_by) if stopped else None,
        )  # fmt: skip

    def _close(self, attempt: Attempt, ended: Ended, *, stopped: bool) -> None:
        if stopped:
            self.ledger.interrupt(attempt, f"stopped by {signal_name(ended.stopped_by)}")
        elif ended.exit_code != 0 or ended.cause is not None:
            told = ending_text(ended.exit_code, ended.signal)
            error = {"timeout": f"timed out ({told})", "stall": f"stalled ({told})"}.get(ended.cause or "", told)
            self.ledger.fail(attempt, error, exit_code=ended.exit_code, signal=ended.signal)
        elif self._owners.get((attempt.state, attempt.attempt), os.getpid()) in {os.getpid(), ended.pid}:
            self.ledger.complete(attempt)
        else:
            self.ledger.fail(attempt, "its shell ended without saying how")

    def _bury(self) -> None:
        """A shell that ended inside a step, under `set -e`, never came to say so."""
        for attempt in self.ledger.progress.open_attempts():
            owner = self._owners.get((attempt.state, attempt.attempt))
            if owner is not None and not os.path.exists(f"/proc/{owner}"):
                self.ledger.fail(attempt, "its shell ended without saying how")

    def _start(self, code: int, name: str | None) -> int:
        attempt = self.ledger.start(code, name or self._names.get(code))
        self.log.begin(code, attempt)
        self._started(code)
        return attempt

    def _open(self, code: int) -> Attempt | None:
        return next((each for each in reversed(self.ledger.progress.open_attempts()) if each.state == code), None)

    def _fail(self, code: int, error: str) -> str | None:
        attempt = self._open(code)
        if attempt is None:
            self._start(code, None)
            attempt = self._open(code)
        if attempt is not None:
            self.ledger.fail(attempt, error or "the build said so")
        return "done 1"

    def _output(self, asked: Request) -> str:
        name, _, value = asked.text.partition("=")
        current = self.ledger.progress.current
        self.ledger.outputs(START if current is None else current, {name: value})
        return "done 0"


def ending_text(exit_code: int | None, signal: int | None) -> str:
    """Say how a process ended: `exit code 2`, `killed by SIGTERM`."""
    return f"killed by {signal_name(signal)}" if signal is not None else f"exit code {exit_code}"


def signal_name(number: int | None) -> str:
    """Name a signal; its number when it has no name."""
    try:
        return signals.Signals(number or 0).name
    except ValueError:
        return f"signal {number}"
