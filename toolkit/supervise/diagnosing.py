"""Turns a failed attempt and its log into the fact that says what kind of failure it was."""

from __future__ import annotations

import os
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

from toolkit.core import events as ev
from toolkit.errors import ToolkitError
from toolkit.supervise.ledger import SAID_NOTHING, SAID_SO, now_ms

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from toolkit.core.failure import Failure
    from toolkit.core.progress import Attempt, Progress
    from toolkit.core.rules import Rule
    from toolkit.store import Store

Ending = Literal["timeout", "stall"]

SUCCESSES_COMPARED = 3
"""Logs of so many of the latest successes of the same state tell which lines are always there."""
BUILDS_LOOKED_AT = 20
MOST_EVIDENCE = 20


class Diagnostician:
    """Knows the project's failure rules and where the logs of earlier attempts are."""

    def __init__(self, own: Sequence[Rule], store: Store, logs: str) -> None:
        """Classify with `own` rules before the built-in ones; `logs` is the folder that holds a folder per build."""
        self._store = store
        self._own = tuple(own)
        self._logs = logs
        self._classifier: Any = None

    def diagnose(self, progress: Progress, attempt: Attempt, *, ended_by: Ending | None = None) -> ev.FailureDiagnosed:
        """Read the attempt's log and say what failed; where there is no log, less is known, and that is no error.

        What the build said of the failure, or we who did not believe that it ended well, is its error, whatever stands
        in the log beside it.
        """
        from toolkit.core.lastwords import is_trailer

        told = _told(attempt)
        found = self._classified(progress, attempt, "", ended_by)
        if told and not any(told in each.text for each in found.evidence):
            found = self._classified(progress, attempt, told, ended_by)
        silent = not found.evidence or (found.rule is None and is_trailer(found.evidence[0].text.encode()))
        only_told = told or (attempt.error is not None and attempt.exit_code is attempt.signal is None and silent)
        return ev.FailureDiagnosed(
            build=progress.build, ts_ms=now_ms(), run=attempt.run, state=attempt.state, name=attempt.name,
            attempt=attempt.attempt, failure_class=found.failure_class, signature=found.signature, rule=found.rule,
            confidence=round(found.confidence, 3), error=None if ended_by or only_told else found.summary or None,
            template=found.template,
            evidence=tuple((each.line, each.text) for each in found.evidence[:MOST_EVIDENCE]),
            retry_after=found.retry_after,
        )  # fmt: skip

    def _classified(self, progress: Progress, attempt: Attempt, told: str, ended_by: Ending | None) -> Failure:
        from toolkit.core.failure import Classifier

        if self._classifier is None:
            self._classifier = Classifier(self._own)
        output = self._output(progress.build, attempt.state, attempt.attempt)
        found: Failure = self._classifier.classify(
            chain(output, [f"\n{told}\n".encode(errors="replace")]) if told else output,
            exit_code=attempt.exit_code, signal=attempt.signal, state=attempt.state,
            familiar=self._familiar(progress, attempt), ended_by=ended_by,
        )  # fmt: skip
        return found

    def _output(self, build: str, state: int, attempt: int) -> Iterator[bytes]:
        from toolkit.supervise.logs import find_logs, read_log

        for path in find_logs(os.path.join(self._logs, build), state=state, attempt=attempt):
            yield from read_log(path)

    def _familiar(self, progress: Progress, attempt: Attempt) -> frozenset[int]:
        """Shapes of the lines that the latest successes of the same state printed too."""
        from toolkit.core.failure import familiar_lines

        shapes: frozenset[int] = frozenset()
        for build, number in self._successes(progress, attempt.state):
            shapes |= familiar_lines(self._output(build, attempt.state, number))
        return shapes

    def _successes(self, progress: Progress, state: int) -> list[tuple[str, int]]:
        """The latest builds of the pipeline that came through the state, and the attempts that did."""
        found: list[tuple[str, int]] = []
        try:
            for row in reversed(self._store.builds(pipeline=progress.pipeline, limit=BUILDS_LOOKED_AT)):
                came_through = self._store.progress(row.build).completions.get(state)
                if came_through is not None:
                    found.append((row.build, came_through.attempt))
                if len(found) == SUCCESSES_COMPARED:
                    break
        except ToolkitError:
            return found
        return found


def _told(attempt: Attempt) -> str:
    """Give what was said of a failure in words of its own; empty when its end is all that was said."""
    if attempt.signal is not None or attempt.exit_code or attempt.error in {None, SAID_SO, SAID_NOTHING}:
        return ""
    return attempt.error or ""
