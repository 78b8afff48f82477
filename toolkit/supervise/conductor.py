"""Conducts one run: hears that states begin and end, has it recorded, and says how the build goes on."""

from __future__ import annotations

import os
import signal as signals
from typing import TYPE_CHECKING, Protocol

from toolkit.core.action import Stop
from toolkit.core.codes import parse_code
from toolkit.errors import BuildLeased
from toolkit.supervise.ledger import SAID_NOTHING, SAID_SO

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from toolkit.core.events import RunOutcome
    from toolkit.core.fatal import FatalLines
    from toolkit.core.markers import Marker
    from toolkit.core.progress import Attempt
    from toolkit.supervise.attempts import Attempts
    from toolkit.supervise.control import Cause
    from toolkit.supervise.deciding import Decider
    from toolkit.supervise.diagnosing import Ending
    from toolkit.supervise.ledger import Ledger
    from toolkit.supervise.process import Ended
    from toolkit.supervise.wire import Request

STILL_BUSY_SECONDS = 0.05
CUT_EXIT_CODE = 124
"""What a step that we ended has failed with, though it says that all went well; timeout(1) says the same."""

START = 0
"""The state that a build is in before it names one; a build that names none is this state alone."""


class Log(Protocol):
    """Where output goes, cut by attempt."""

    def begin(self, state: int, attempt: int) -> None:
        """What is written from here on belongs to an attempt."""

    def write(self, stream: int, data: bytes) -> None:
        """Keep a piece of stdout (1) or stderr (2)."""

    def flush(self) -> None:
        """Make what was written readable."""


class Helpers(Protocol):
    """What the conductor needs of the wire, to answer later and to give values."""

    def leave_values(self, slot: int, values: Mapping[str, str]) -> None:
        """Put assignments where a shell takes them."""

    def ask_again(self, asked: Request, verb: str, seconds: float) -> None:
        """Let the same request come again, under another verb, after a wait."""


class Conductor:
    """One run of one build. Its methods are called on the recorder's thread, except `finish`.

    Answers are those of the wire: `run` and `again` with the attempt and, where there is more to say, guard, last class
    and command; `reuse`, `done CODE`, `stop CODE`; None when the answer comes later.
    """

    def __init__(
        self,
        ledger: Ledger,
        log: Log,
        names: Mapping[int, str],
        attempts: Attempts,
        decider: Decider | None = None,
    ) -> None:
        """Record in `ledger` and `log`; `names` are the configured states', `attempts` hears of what begins and ends.

        Without a `decider` every state just runs, once.
        """
        self.ledger = ledger
        self.log = log
        self.helpers: Helpers | None = None
        self.helped = False
        """The build tells its states itself, so it is decided about while it runs."""
        self.cut: dict[tuple[int, int], Cause] = {}
        """Attempts that were ended by us, and why."""
        self._names = names
        self._attempts = attempts
        self.decider = decider
        self.entering: Callable[[int], None] = lambda _: None
        """Hears of each state before it is decided about, and may bring a decider along."""
        self.fatal: FatalLines | None = None
        """Listens for lines that end an attempt at once, where the project has such rules."""
        self._owners: dict[tuple[int, int], int] = {}
        self._by_marker: set[tuple[int, int]] = set()
        log.begin(START, ledger.progress.next_attempt(START))

    @property
    def may_go_unrecorded(self) -> bool:
        """Tell whether a state may begin without its record: nobody decides, so nothing is lost but the record."""
        return self.decider is None

    def asked(self, asked: Request) -> str | None:
        """Answer one request of a helper; once the build is somebody else's, every answer is to stop."""
        reply = self._answered(asked)
        return f"stop {BuildLeased.exit_code}" if self.ledger.is_lost() else reply

    def _answered(self, asked: Request) -> str | None:
        try:
            if asked.verb == "output":
                return self._output(asked)
            code = parse_code(asked.code)
            if asked.verb == "begin":
                return self.begin(code, asked.text or None, asked)
            if asked.verb == "end":
                return self.end(code, int(asked.text), asked)
            if asked.verb == "fail":
                return self._told_failed(code, asked)
            if asked.verb in {"retry", "decide"}:
                return self._go_on(code, asked)
        except ValueError as error:
            return f"bad {error}"
        return f"bad no such request: {asked.verb}"

    def said(self, stream: int, data: bytes) -> None:
        """The build printed something that is no marker."""
        self.log.write(stream, data)
        if self.fatal is not None and (opened := self.ledger.progress.open_attempts()):
            attempt = opened[-1]
            if self.fatal.hears(attempt.state, stream, data) is not None:
                self._attempts.cut_short(attempt.state, attempt.attempt, "fatal")

    def begin(self, code: int, name: str | None, asked: Request) -> str | None:
        """A state begins."""
        self.helped = True
        self._bury()
        self.entering(code)
        if self.decider is not None:
            action = self.decider.before(code, name, lambda: _lives(asked.owner))
            if action.name == "reuse":
                return self._give_again(code, asked)
            if isinstance(action, Stop):
                return f"stop {action.exit_code}"
        attempt = self._start(code, name, asked.owner)
        guarded = self.decider is not None and self.decider.may_retry(code, name)
        return f"run {attempt} guard - -" if guarded else f"run {attempt}"

    def end(self, code: int, exit_code: int, asked: Request) -> str | None:
        """The latest open attempt at a state ended with an exit code."""
        attempt = self._open(code)
        if attempt is None:
            return f"done {exit_code}"
        if self._over(attempt) is not None:
            return self._after_cut(attempt, asked, exit_code)
        if exit_code == 0 and not (wrong := self._unbelieved(attempt)):
            self._complete(attempt)
            if self.decider is not None:
                owner = self._owners.get((attempt.state, attempt.attempt), 0)
                self.decider.keep(attempt, (lambda: _lives(owner)) if owner and _lives(owner) else None)
            return "done 0"
        self._fail(attempt, ending_text(exit_code, None) if exit_code else wrong, exit_code=exit_code)
        return self._after(attempt, asked, exit_code or 1)

    def enter(self, code: int, name: str | None) -> Attempt:
        """A state of the pipeline begins, executed by the runner itself."""
        number = self._start(code, name)
        return next(
            each for each in self.ledger.progress.open_attempts() if (each.state, each.attempt) == (code, number)
        )

    def leave(self, attempt: Attempt, ended: Ended) -> bool:
        """The command of a pipeline's state ended; tell whether the milestone is reached."""
        self.log.flush()
        if was_stopped(ended):
            return False
        if ended.exit_code == 0 and ended.cause is None:
            wrong = self._unbelieved(attempt)
            if not wrong:
                self._complete(attempt)
                if self.decider is not None:
                    self.decider.keep(attempt)
                return True
            self._fail(attempt, wrong, exit_code=0)
            return False
        self._fail_with(attempt, ended)
        return False

    def marked(self, marker: Marker) -> None:
        """A line of output told of a state."""
        if marker.status == "started":
            for each in self.ledger.progress.open_attempts():
                if (each.state, each.attempt) in self._by_marker:
                    self._complete(each)
            self.entering(marker.code)
            self._by_marker.add((marker.code, self._start(marker.code, marker.name)))
            if self.decider is not None and self.decider.is_behind(marker.code):
                self.decider.before(marker.code, marker.name)
                self._attempts.end_build("asked")  # nobody waits for an answer
            return
        attempt = self._open(marker.code)
        if attempt is None:
            self._start(marker.code, marker.name)
            attempt = self._open(marker.code)
        if attempt is not None and marker.status == "completed":
            self._complete(attempt)
        elif attempt is not None and (self.decider is None or not self.decider.is_behind(marker.code)):
            self._fail(attempt, marker.reason or SAID_SO)  # else it is we who are ending it

    def unrecorded(self, asked: Request) -> str:
        """Give the answer that lets a shell go on as it would without us."""
        if asked.verb == "begin":
            return "run 1"
        return f"done {asked.text}" if asked.verb == "end" else "done 0"

    def finish(self, ended: Ended) -> None:
        """The build is over: close what it left open and record how it ended."""
        left_off = self._left_off(ended)
        stopped = f"stopped by {signal_name(ended.stopped_by)}" if was_stopped(ended) else left_off
        progress = self.ledger.progress
        if not left_off and not any(each.run == progress.run for each in progress.attempts) and not progress.states:
            self.ledger.start(START, "start", seconds_ago=ended.seconds)
        for attempt in self.ledger.progress.open_attempts():
            self._close(attempt, ended, stopped=stopped)
        outcome: RunOutcome = "interrupted" if stopped else "completed" if ended.exit_code == 0 else "failed"
        self.ledger.end(
            outcome, exit_code=ended.exit_code, signal=ended.signal, duration=round(ended.seconds, 3),
            reason=stopped or (self._missed_values() if outcome == "failed" else "") or None,
        )  # fmt: skip

    def _after(self, attempt: Attempt, asked: Request, exit_code: int) -> str | None:
        """A failed attempt: let the phase decide how its shell goes on."""
        if self.decider is None or self.helpers is None:
            return f"done {exit_code}"
        self.log.flush()
        answer = self.decider.after(attempt, ended_by=limit_of(self.cut.get((attempt.state, attempt.attempt))))
        action = answer.action.name
        if action in {"retry", "wait"}:
            again = asked.but(text=str(exit_code))
            self.helpers.ask_again(again, "retry" if action == "retry" else "decide", answer.wait)
            return None
        return f"stop {exit_code}" if action == "hold" else f"done {exit_code}"

    def _go_on(self, code: int, asked: Request) -> str | None:
        """The wait after a failure is over."""
        failed = self.ledger.progress.attempts_at(code)[-1]
        exit_code = int(asked.text)
        if self.decider is None or not _lives(asked.owner):
            return f"done {exit_code}"
        if asked.verb == "decide":
            return self._after(failed, asked, exit_code)
        config_error = self.decider.reset(code)
        if config_error:
            answer = self.decider.after(failed, forbidden=config_error)
            return f"stop {exit_code}" if answer.action.name == "hold" else f"done {exit_code}"
        command = getattr(self.decider.last, "command", "") or "-"
        attempt = self._start(code, failed.name, asked.owner)
        guard = "guard" if self.decider.may_retry(code, failed.name) else "-"
        return f"again {attempt} {guard} {failed.failure_class or '-'} {command}"

    def _give_again(self, code: int, asked: Request) -> str:
        values = self.ledger.progress.outputs.get(code)
        if not values or self.helpers is None:
            return "reuse"
        self.helpers.leave_values(asked.slot, values)
        return "reuse values"

    def _complete(self, attempt: Attempt) -> None:
        self._over(attempt)
        self.ledger.complete(attempt, outputs=None if self.decider is None else self.decider.outputs(attempt.state))

    def _unbelieved(self, attempt: Attempt) -> str:
        """Say why an attempt that ended well did not reach its milestone; empty when it did."""
        return "" if self.decider is None else self.decider.verify(attempt.state)

    def _left_off(self, ended: Ended) -> str:
        """Say why a build that nothing is wrong with ended before its last state; empty when it did not."""
        stop = None if self.decider is None else self.decider.stopped
        if stop is None or (ended.cause != "asked" and (self._by_marker or ended.exit_code != stop.exit_code)):
            return ""  # told only by a marker, it may have been over before it could be ended
        return stop.reason

    def _missed_values(self) -> str:
        """Say what a script most likely died of that failed right behind a reused state, in none of its own."""
        last = self.ledger.progress.history[-1:]
        if not self.helped or not last or last[0]["status"] != "reused":
            return ""
        why = (
            f"the script failed behind state {last[0]['state']}, which was reused and so sets no variables of its own;"
            ' what the script needs of it `state_output NAME="${value-}"` remembers, under `set -u` with the dash'
        )
        self.ledger.say(why)
        return why

    def _close(self, attempt: Attempt, ended: Ended, *, stopped: str) -> None:
        if stopped:
            self.ledger.interrupt(attempt, stopped)
        elif ended.exit_code != 0 or ended.cause is not None:
            self._fail_with(attempt, ended)
        elif self._owners.get((attempt.state, attempt.attempt), os.getpid()) in {os.getpid(), ended.pid}:
            self._complete(attempt)
        else:
            self._fail(attempt, SAID_NOTHING)

    def _bury(self) -> None:
        """A shell that ended inside a step, under `set -e`, never came to say so."""
        for attempt in self.ledger.progress.open_attempts():
            owner = self._owners.get((attempt.state, attempt.attempt))
            if owner is not None and not _lives(owner):
                self._fail(attempt, SAID_NOTHING)

    def _over(self, attempt: Attempt) -> Cause | None:
        """An attempt has ended: nothing limits it any more. Gives why, when we ended it."""
        cause = self._attempts.over(attempt.state, attempt.attempt)
        if cause is not None:
            self.cut[attempt.state, attempt.attempt] = cause
        return cause

    def _fail(self, attempt: Attempt, how: str, *, exit_code: int | None = None) -> None:
        self.ledger.fail(attempt, _told(self._over(attempt), how), exit_code=exit_code)

    def _fail_with(self, attempt: Attempt, ended: Ended) -> None:
        cause = self._over(attempt) or ended.cause
        how = _told(cause, ending_text(ended.exit_code, ended.signal))
        self.ledger.fail(attempt, how, exit_code=ended.exit_code, signal=ended.signal)

    def _after_cut(self, attempt: Attempt, asked: Request, exit_code: int) -> str | None:
        """We ended a step, and its shell says so: once nothing of it runs any more, the phase decides."""
        if self.helpers is not None and self._attempts.busy(attempt.state, attempt.attempt):
            self.helpers.ask_again(asked, "end", STILL_BUSY_SECONDS)
            return None
        self._fail(attempt, ending_text(exit_code, None), exit_code=exit_code)
        return self._after(attempt, asked, exit_code or CUT_EXIT_CODE)

    def _start(self, code: int, name: str | None, owner: int = 0) -> int:
        attempt = self.ledger.start(
            code, name or self._names.get(code),
            inputs=None if self.decider is None else self.decider.inputs(code),
            phase=None if self.decider is None else self.decider.phase_at(code),
            why=None if self.decider is None else self.decider.why(code),
        )  # fmt: skip
        self.log.begin(code, attempt)
        if self.fatal is not None:
            self.fatal.begin()
        if owner:
            self._owners[code, attempt] = owner
        self._attempts.begin(code, attempt, owner)
        return attempt

    def _open(self, code: int) -> Attempt | None:
        return next((each for each in reversed(self.ledger.progress.open_attempts()) if each.state == code), None)

    def _told_failed(self, code: int, asked: Request) -> str | None:
        attempt = self._open(code)
        if attempt is None:
            self._start(code, None)
            attempt = self._open(code)
        if attempt is None:
            return "done 1"
        self._fail(attempt, asked.text or SAID_SO)
        return self._after(attempt, asked, 1)

    def _output(self, asked: Request) -> str:
        name, _, value = asked.text.partition("=")
        current = self.ledger.progress.current
        self.ledger.outputs(START if current is None else current, {name: value})
        return "done 0"


def _lives(process: int) -> bool:
    return os.path.exists(f"/proc/{process}")


def was_stopped(ended: Ended) -> bool:
    """Tell whether somebody asked the build to end, and it did not end well all the same."""
    return ended.stopped_by is not None and ended.exit_code != 0


def ending_text(exit_code: int | None, signal: int | None) -> str:
    """Say how a process ended: `exit code 2`, `killed by SIGTERM`."""
    return f"killed by {signal_name(signal)}" if signal is not None else f"exit code {exit_code}"


def signal_name(number: int | None) -> str:
    """Name a signal; its number when it has no name."""
    try:
        return signals.Signals(number or 0).name
    except ValueError:
        return f"signal {number}"


def limit_of(cause: Cause | None) -> Ending | None:
    """Give the limit that an attempt was ended by; None when it was something else."""
    return cause if cause in {"timeout", "stall"} else None


def _told(cause: Cause | None, how: str) -> str:
    words = {"timeout": "timed out", "stall": "stalled", "fatal": "ended at its fatal line"}
    return f"{words[cause]} ({how})" if cause in words else how
