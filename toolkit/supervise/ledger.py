"""What becomes of one run, written down as it happens; trouble with that costs one warning, never the build."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from toolkit.core import events as ev
from toolkit.core.progress import Progress, apply, fold
from toolkit.errors import BuildLeased

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from toolkit.core.progress import Attempt
    from toolkit.store import Writer

    First = Callable[[Progress], Sequence[ev.Event]]

PATIENCE_SECONDS = 30.0
"""After trouble the store is asked again only so often: each asking may cost its whole time-out."""
SAID_SO = "the build said so"
SAID_NOTHING = "its shell ended without saying how"
"""What we write down of a failure of which nobody said anything."""
MOST_KEPT = 10_000
ROUNDS = 3
"""So often the writing is taken back from people who speak at the same moment."""


class Ledger:
    """The history of one run of one build, in the making.

    Every method records a fact durably before it returns, or else keeps it, warns once, and says so in the history
    (`RecordDegraded`) as soon as the store takes facts again.
    """

    def __init__(
        self,
        writer: Writer,
        *,
        phase: str,
        host: str,
        warn: Callable[[str], None],
        clean: Callable[[str], str] = str,
    ) -> None:
        """Go on where `writer.progress` stands; its last event began the run that this ledger records.

        `clean` takes secrets out of the errors that are recorded.
        """
        self.progress: Progress = writer.progress
        self.phase = phase
        self.degraded = False
        self._lost = ""
        self.on_lost: Callable[[], None] | None = None
        self.on_trouble: Callable[[], None] | None = None
        self.retake: Callable[[First], Writer] | None = None
        """Takes the writing back once the run has ended, and begins with the facts that it is given."""
        self._writer = writer
        self._host = host
        self._warn = warn
        self._clean = clean
        self._kept: list[ev.Event] = []
        self._ask_again = 0.0
        self._began: dict[tuple[int, int], float] = {}

    @property
    def build(self) -> str:
        """The build's id."""
        return self.progress.build

    @property
    def token(self) -> int:
        """The number by which the store knows us from writers before and after us."""
        return self._writer.token

    @property
    def run(self) -> int:
        """The number of the run."""
        return self.progress.run

    def start(  # noqa: PLR0913 - what is known of an attempt
        self,
        state: int,
        name: str | None,
        *,
        inputs: str | None = None,
        phase: str | None = None,
        why: str | None = None,
        seconds_ago: float = 0.0,
    ) -> int:
        """Record that an attempt begins, or began; gives its number. A completed state entered again is reset first.

        `phase` is what the state follows, where that is not what the build does; `why` is told of a state that had
        completed before.
        """
        facts: list[ev.Event] = []
        if self.progress.states.get(state) == "completed":
            facts.append(self.fact(ev.StateReset, state=state, reason="the build entered the state again", by="build"))
        attempt = self.progress.next_attempt(state)
        self._began[state, attempt] = time.monotonic() - seconds_ago
        begun = self.fact(
            ev.AttemptStarted, state=state, name=name, attempt=attempt, phase=phase or self.phase, host=self._host,
            inputs=inputs, why=why,
        )  # fmt: skip
        facts.append(begun.but(ts_ms=begun.ts_ms - round(seconds_ago * 1000)))
        self.record(*facts)
        return attempt

    def say(self, message: str) -> None:
        """Print a warning line about the build."""
        self._warn(message)

    def complete(self, attempt: Attempt, *, outputs: str | None = None) -> None:
        """Record that an attempt reached its milestone."""
        self.record(self.fact(ev.AttemptCompleted, **self._which(attempt), outputs=outputs))

    def fail(self, attempt: Attempt, error: str, *, exit_code: int | None = None, signal: int | None = None) -> None:
        """Record that an attempt failed, with what is known at once."""
        which = self._which(attempt)
        self.record(self.fact(ev.AttemptFailed, **which, error=self._clean(error), exit_code=exit_code, signal=signal))

    def interrupt(self, attempt: Attempt, reason: str) -> None:
        """Record that an attempt was cut short from outside."""
        self.record(self.fact(ev.AttemptInterrupted, **self._which(attempt), reason=reason))

    def end(self, outcome: ev.RunOutcome, **facts: Any) -> None:  # noqa: ANN401 - the fields of RunEnded
        """Record the end of the run, and whatever the store would not take before: it is asked once more."""
        self._ask_again = 0.0
        self.record(self.fact(ev.RunEnded, outcome=outcome, **facts))
        if self._kept and not self._lost:
            self.flush()  # a fault may have been one of a moment

    def outputs(self, state: int, values: Mapping[str, str]) -> None:
        """Record what a state gave to the states after it."""
        self.record(self.fact(ev.StateOutputs, state=state, values=dict(values)))

    def fact(self, kind: type[ev.Event], **fields: Any) -> ev.Event:  # noqa: ANN401 - the fields of the kind
        """Make a fact about this build and run, as of now."""
        if "run" in kind.fields:
            fields["run"] = self.run
        return kind(build=self.build, ts_ms=now_ms(), **fields)

    def record(self, *facts: ev.Event) -> None:
        """Append facts durably; when that fails, keep them, warn once, and go on."""
        self._kept.extend(facts)
        if self._lost or time.monotonic() < self._ask_again or not self.flush():
            for fact in facts:
                self.progress = apply(self.progress, fact)
            del self._kept[: max(0, len(self._kept) - MOST_KEPT)]

    def note(self, fact: ev.Event) -> None:
        """Take a fact that nothing depends on yet: it is recorded together with the next one."""
        self._kept.append(fact)
        self.progress = apply(self.progress, fact)

    def flush(self) -> bool:
        """Try to append what is kept; tell whether the store has everything."""
        kept = tuple(self._kept)
        try:
            self._writer.append(*kept)
        except BuildLeased as error:
            if not self._writer.progress.run_open:
                return self._add_behind(error)
            if self.progress.lease is None:
                self.trouble(str(error))
            else:
                self.lose(str(error))
            return False
        except Exception as error:  # noqa: BLE001 - recording trouble of whatever kind must not reach the build
            self._ask_again = time.monotonic() + PATIENCE_SECONDS
            self.trouble(str(error))
            return False
        self._taken(kept)
        return True

    def _taken(self, kept: Sequence[ev.Event]) -> None:
        """The store has these facts now; what another thread has noted meanwhile is still to come."""
        del self._kept[: len(kept)]
        self.progress = fold(self._kept, self._writer.progress)

    def _add_behind(self, error: Exception) -> bool:
        """Our run has ended, and somebody has spoken about the build since: what we still know of it goes behind that.

        Once somebody runs the build again it is too late.
        """
        if self.retake is None:
            self.trouble(str(error))
            return False
        kept = tuple(self._kept)
        for _ in range(ROUNDS):
            try:
                self._writer = self.retake(lambda seen: self._behind(seen, kept))
            except BuildLeased as again:
                error = again
            except Exception as trouble:  # noqa: BLE001 - as in `flush`
                error = trouble
                break
            else:
                self._taken(kept)
                return True
        self.trouble(str(error))
        return False

    def _behind(self, seen: Progress, kept: Sequence[ev.Event]) -> Sequence[ev.Event]:
        if seen.run_open or seen.run != self.run:
            raise BuildLeased(f"build {self.build} is being run again")
        return kept

    def is_whole(self) -> bool:
        """Tell, at the end, whether the history has everything; what it has not is offered once more."""
        return not self._kept or (not self._lost and self.flush())

    @property
    def unrecorded(self) -> Sequence[ev.Event]:
        """What the store has not, in order."""
        return tuple(self._kept)

    def is_lost(self) -> bool:
        """Tell whether this build is somebody else's by now."""
        return bool(self._lost)

    def lose(self, reason: str) -> None:
        """Note that somebody else has the build: what ours still does must end before it can do harm. Any thread."""
        if self._lost:
            return
        self._lost = reason
        self._warn(f"this run of build {self.build} is over, and what it runs is ended: {reason}")
        if self.on_lost is not None:
            self.on_lost()

    def trouble(self, reason: str) -> None:
        """Warn, the first time, and note that this history has, or may have, holes."""
        if self.degraded:
            return
        self.degraded = True
        if self.on_trouble is not None:
            self.on_trouble()
        degraded = self.fact(ev.RecordDegraded, reason=reason)
        self.progress = apply(self.progress, degraded)
        self._kept.append(degraded)
        self._warn(f"recording is in trouble, the build goes on: {reason}")

    def _which(self, attempt: Attempt) -> dict[str, Any]:
        began = self._began.pop((attempt.state, attempt.attempt), None)
        duration = None if began is None else round(time.monotonic() - began, 3)
        return {"state": attempt.state, "name": attempt.name, "attempt": attempt.attempt, "duration": duration}


def now_ms() -> int:
    """The wall clock, in milliseconds since 1970 (UTC)."""
    return time.time_ns() // 1_000_000
