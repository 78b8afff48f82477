"""A log that a build left behind becomes facts, by the markers in it.

Times come from stamps at the beginning of lines (ISO 8601, with or without brackets, UTC where no zone stands); a log
without any happened when its file was last written, and its durations stay unknown.
"""

from __future__ import annotations

import re
import tempfile
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING, Any, Final, Self

from toolkit.core import events as ev
from toolkit.core.markers import Marker, MarkerScanner
from toolkit.core.moments import parse_rfc3339
from toolkit.errors import BadInput
from toolkit.importers.numbering import facts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from toolkit.core.failure import Classifier
    from toolkit.core.pipeline import StateConfig

_READ: Final = 1 << 20
_IN_MEMORY: Final = 8 << 20
_STAMP: Final = re.compile(
    rb"^[\[(]?(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))? ?(Z|[+-]\d\d:?\d\d)?[\])]?(?=[\s:,]|$)",
    re.MULTILINE,
)
_LOOK: Final = 64 << 10
"""So far from a marker a stamp is looked for, in bytes."""
BY_HAND: Final = 130
"""What a shell says of a process that Ctrl-C ended: a person's doing, and no failure."""
CUT_OFF: Final = "the log ends here and does not say how"


def read_log(  # noqa: PLR0913 - what a log does not say has to be said
    log: IO[bytes],
    name: str,
    *,
    build: str,
    written_ms: int,
    states: Iterable[StateConfig] = (),
    pipeline: str | None = None,
    target: str | None = None,
    host: str | None = None,
    exit_code: int | None = None,
    classifier: Classifier | None = None,
) -> tuple[str, Sequence[ev.Event]]:
    """Give the build that a log tells of, and its facts.

    `written_ms` is when the log was last written; `exit_code` how the build ended, None when nobody knows. Failures are
    classified from the output of their attempt. BadInput when there is no marker in the log.
    """
    reader = _Reader(MarkerScanner(states), exit_code, classifier)
    with reader:
        while data := log.read(_READ):
            reader.feed(data)
        reader.end()
    if not reader.rows:
        hint = "Configure `marker` for the states in toolkit.toml, or propose some with `toolkit init --from-log`."
        raise BadInput(f"{name}: no state marker in the log", hint=hint)
    about = {"pipeline": pipeline, "target": target, "host": host}
    stamped = reader.clock is not None
    rows = [{**row, **about, "seq": place} for place, row in enumerate(reader.rows)]
    if not stamped:
        rows = [{**row, "ts_ms": written_ms} for row in rows]
    return build, _with_diagnoses(facts_of(build, rows), reader.diagnoses)


class _Reader:
    """Walks through the log from marker to marker."""

    def __init__(self, scanner: MarkerScanner, exit_code: int | None, classifier: Classifier | None) -> None:
        self.scanner = scanner
        self.exit_code = exit_code
        self.classifier = classifier
        self.rows: list[dict[str, Any]] = []
        self.diagnoses: dict[int, dict[str, Any]] = {}
        """By the place of the failure among all failures."""
        self.clock: int | None = None
        """The last stamp that was read; None before the first."""
        self.failures = 0
        self.open: list[int] = []
        self.unstamped: list[int] = []
        self.stack = ExitStack()
        self.output: IO[bytes] = self.stack.enter_context(tempfile.SpooledTemporaryFile(_IN_MEMORY))  # noqa: SIM115 - it is: the stack

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def feed(self, data: bytes) -> None:
        for piece in self.scanner.feed(1, data):
            self._take(piece.data, piece.marker)

    def end(self) -> None:
        for piece in self.scanner.flush(1):
            self._take(piece.data, piece.marker)
        for state in list(self.open):
            if self.exit_code is None:
                self._tell(state, "interrupted", CUT_OFF)
            elif self.exit_code == 0:
                self._tell(state, "completed")
            elif self.exit_code == BY_HAND:
                self._tell(state, "interrupted", "somebody interrupted the build")
            else:
                self._tell(state, "failed", exit_code=self.exit_code)

    def _take(self, data: bytes, marker: Marker | None) -> None:
        self._read_clock(data)
        if marker is None:
            self.output.write(data)
        elif marker.status == "started":
            for state in list(self.open):
                self._tell(state, "completed")
            self._tell(marker.code, "started", name=marker.name)
            self.output.write(data)
        else:
            if marker.code not in self.open:
                self._tell(marker.code, "started", name=marker.name)
            self._tell(marker.code, marker.status, marker.reason, exit_code=marker.exit_code)

    def _read_clock(self, data: bytes) -> None:
        """Take the last stamp of a piece for what comes after it, and its first for what still waits for one."""
        first = _STAMP.search(data, 0, _LOOK)
        if first is not None and self.unstamped:
            for place in self.unstamped:
                self.rows[place]["ts_ms"] = _moment(first) or 0
            self.unstamped.clear()
        begin = max(0, data.rfind(b"\n", 0, max(0, len(data) - _LOOK)) + 1) if len(data) > _LOOK else 0
        stamps = [moment for found in _STAMP.finditer(data[begin:]) if (moment := _moment(found)) is not None]
        if stamps:
            self.clock = max(stamps[-1], self.clock or 0)

    def _tell(self, state: int, status: str, error: str | None = None, **more: Any) -> None:  # noqa: ANN401 - as in a line
        if status == "failed":
            error = self._diagnose(state, error, more.get("exit_code"))
        if self.clock is None:
            self.unstamped.append(len(self.rows))
        self.rows.append({"state": state, "status": status, "ts_ms": self.clock or 0, "error": error, **more})
        (self.open.append if status == "started" else self.open.remove)(state)
        self.output.seek(0)
        self.output.truncate()

    def _diagnose(self, state: int, error: str | None, exit_code: int | None) -> str | None:
        self.failures += 1
        if self.classifier is None:
            return error
        self.output.seek(0)
        failure = self.classifier.classify(iter(lambda: self.output.read(_READ), b""), exit_code=exit_code, state=state)
        self.diagnoses[self.failures] = {
            "failure_class": failure.failure_class, "signature": failure.signature, "rule": failure.rule,
            "confidence": failure.confidence, "template": failure.template, "retry_after": failure.retry_after,
            "evidence": tuple((line.line, line.text) for line in failure.evidence), "error": error or failure.summary,
        }  # fmt: skip
        return error or failure.summary


def _moment(stamp: re.Match[bytes]) -> int | None:
    day, clock, fraction, zone = (part.decode() if part else "" for part in stamp.groups())
    zone = zone if not zone or zone == "Z" or ":" in zone else f"{zone[:3]}:{zone[3:]}"
    try:
        return parse_rfc3339(f"{day}T{clock}.{(fraction or '0')[:6]}{zone or 'Z'}")
    except ValueError:
        return None


def _with_diagnoses(facts: Sequence[ev.Event], diagnoses: dict[int, dict[str, Any]]) -> list[ev.Event]:
    told: list[ev.Event] = []
    failures = 0
    for fact in facts:
        told.append(fact)
        if isinstance(fact, ev.AttemptFailed):
            failures += 1
            if failures in diagnoses:
                told.append(
                    ev.FailureDiagnosed(
                        build=fact.build,
                        ts_ms=fact.ts_ms,
                        run=fact.run,
                        state=fact.state,
                        name=fact.name,
                        attempt=fact.attempt,
                        **diagnoses[failures],
                    )
                )
    return told
