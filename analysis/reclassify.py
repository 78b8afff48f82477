"""Classifies recorded failures again, with the rules that there are now, from what is still known of each."""

from __future__ import annotations

import json
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

import polars as pl

from analysis.attempts import tidy
from toolkit.core.classes import GROUP_OF
from toolkit.core.failure import Classifier, familiar_lines
from toolkit.core.moments import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from toolkit.core.failure import Failure
    from toolkit.core.judging import Ending
    from toolkit.core.rules import Rule

Basis = Literal["log", "evidence", "error", "end"]
"""What a failure was judged by: its captured log, the lines once kept of it, its message, or only how it ended."""

ENDINGS: Final[Mapping[str | None, Ending]] = {"toolkit.timeout": "timeout", "toolkit.stall": "stall"}
SUCCESSES_COMPARED: Final = 3
_FAMILIAR_KEPT: Final = 64
_MESSAGE_CHARS: Final = 4000


class Logs(Protocol):
    """Where captured output is found."""

    def size(self, build: str, state: int, attempt: int) -> int:
        """Give the bytes that an attempt's log takes on disk; 0 where none was captured."""

    def read(self, build: str, state: int, attempt: int) -> Iterator[bytes]:
        """Give what an attempt printed, in pieces."""


class NoLogs:
    """For whoever wants to be quick: recorded words alone."""

    def size(self, build: str, state: int, attempt: int) -> int:  # noqa: ARG002 - the protocol
        return 0

    def read(self, build: str, state: int, attempt: int) -> Iterator[bytes]:  # noqa: ARG002 - the protocol
        yield from ()


@dataclass(frozen=True, slots=True)
class Named:
    """What a failure is called; None where nobody said."""

    failure_class: str | None
    signature: str | None
    rule: str | None

    def shape(self) -> dict[str, Any]:
        group = None if self.failure_class is None else GROUP_OF.get(self.failure_class, "uncertain")
        return {"class": self.failure_class, "group": group, "signature": self.signature, "rule": self.rule}


@dataclass(frozen=True, slots=True)
class Again:
    """A recorded failure: what it was called then, and what the rules of now call it. `ts_ms` is when it ended."""

    build: str
    pipeline: str
    state: int
    name: str | None
    run: int
    attempt: int
    ts_ms: int | None
    host: str | None
    recorded: Named
    present: Named
    template: str
    evidence: tuple[int | None, str]
    """Line number, where one is known, and text of the most telling line."""
    basis: Basis

    @property
    def changed(self) -> bool:
        """The present rules give it another class or signature."""
        return (self.present.failure_class, self.present.signature) != (
            self.recorded.failure_class,
            self.recorded.signature,
        )

    def shape(self) -> dict[str, Any]:
        """Give it as JSON-ready values."""
        return {
            "build": self.build, "pipeline": self.pipeline or None, "run": self.run, "state": self.state,
            "name": self.name, "attempt": self.attempt, "ts": None if self.ts_ms is None else rfc3339(self.ts_ms),
            "host": self.host, "recorded": self.recorded.shape(), "present": self.present.shape(), "basis": self.basis,
            "evidence": {"line": self.evidence[0], "text": self.evidence[1]},
        }  # fmt: skip


def reclassify(attempts: pl.DataFrame, own: Sequence[Rule], logs: Logs) -> list[Again]:
    """Judge every failed attempt (`tables.ATTEMPTS`) by `own` rules and the built-in ones, in the order they happened.

    A captured log is read as it was when the build was live, without what earlier successes printed too. Where there is
    none, less is known than when the failure was recorded: there only a rule that speaks changes what was said.
    """
    from toolkit.core.rules import BUILT_IN

    told = tidy(attempts).sort("over", "build", "state", "attempt", nulls_last=True)
    judge = _Judge(own, frozenset(rule.id for rule in (*own, *BUILT_IN)), logs, _Successes(told, logs))
    return [judge.again(row) for row in told.filter(pl.col("status") == "failed").iter_rows(named=True)]


class _Judge:
    """Holds what one pass over a history needs; equal words are judged once."""

    def __init__(self, own: Sequence[Rule], known: frozenset[str], logs: Logs, successes: _Successes) -> None:
        self._classifier = Classifier(own)
        self._known = known
        self._logs = logs
        self._successes = successes
        self._judged: dict[tuple[Any, ...], Failure] = {}

    def again(self, row: Mapping[str, Any]) -> Again:
        basis, failure = self._classified(row)
        recorded = Named(row["class"], row["signature"], row["rule"])
        believed = self._believed(recorded, failure, basis)
        present = Named(failure.failure_class, failure.signature, failure.rule) if believed else recorded
        said = " ".join((row["error"] or "").split())
        template = failure.template if believed or not row["template"] else row["template"]
        return Again(
            build=row["build"], pipeline=row["pipeline"], state=row["state"], name=row["name"], run=row["run"],
            attempt=row["attempt"] or 1, ts_ms=None if row["over"] is None else round(row["over"].timestamp() * 1000),
            host=row["host"], recorded=recorded, present=present, template=template or said or failure.ending,
            evidence=_proof(failure, _evidence(row), basis) or (None, said or failure.ending), basis=basis,
        )  # fmt: skip

    def _believed(self, recorded: Named, failure: Failure, basis: Basis) -> bool:
        if recorded.failure_class is None:
            return True
        if (failure.rule, failure.failure_class) == (recorded.rule, recorded.failure_class):
            return recorded.signature is None  # the same rule, or still none: a template may only be told differently
        gone = recorded.rule is not None and recorded.rule not in self._known
        return basis == "log" or failure.rule is not None or gone

    def _classified(self, row: Mapping[str, Any]) -> tuple[Basis, Failure]:
        end = {
            "exit_code": row["exit_code"], "signal": row["signal"], "state": row["state"],
            "ended_by": ENDINGS.get(row["rule"]),
        }  # fmt: skip
        place = (row["build"], row["state"], row["attempt"] or 1)
        if self._logs.size(*place):
            familiar = self._successes.familiar(row)
            return "log", self._classifier.classify(self._logs.read(*place), familiar=familiar, **end)
        kept = [text for _, text in sorted(_evidence(row))]
        error = (row["error"] or "")[:_MESSAGE_CHARS]
        basis: Basis = "evidence" if kept else "error" if error else "end"
        said = "\n".join(kept or [error])
        key = (said, *end.values())
        if key not in self._judged:
            self._judged[key] = self._classifier.classify(said.encode(), **end)
        return basis, self._judged[key]


class _Successes:
    """The successes of each state, in order, and what they printed."""

    def __init__(self, told: pl.DataFrame, logs: Logs) -> None:
        self._logs = logs
        self._at: dict[tuple[str, int], list[tuple[Any, str, int]]] = {}
        good = told.filter((pl.col("status") == "completed") & pl.col("over").is_not_null())
        for row in good.select("pipeline", "state", "over", "build", "attempt").iter_rows():
            pipeline, state, over, build, attempt = row
            self._at.setdefault((pipeline, state), []).append((over, build, attempt or 1))
        self._shapes = lru_cache(_FAMILIAR_KEPT)(self._printed)

    def familiar(self, row: Mapping[str, Any]) -> frozenset[int]:
        """Give the shapes of the lines that the last successes before a failure printed too."""
        before = self._at.get((row["pipeline"], row["state"]), [])
        if row["over"] is not None:
            before = before[: bisect_left(before, (row["over"], "", 0))]
        latest: dict[str, int] = {}
        for _, build, attempt in reversed(before):
            latest.setdefault(build, attempt)
            if len(latest) == SUCCESSES_COMPARED:
                break
        return frozenset().union(*(self._shapes(build, row["state"], attempt) for build, attempt in latest.items()))

    def _printed(self, build: str, state: int, attempt: int) -> frozenset[int]:
        return familiar_lines(self._logs.read(build, state, attempt))


def _evidence(row: Mapping[str, Any]) -> list[tuple[int, str]]:
    return [(int(line), str(text)) for line, text in json.loads(row["evidence"] or "[]")]


def _proof(failure: Failure, kept: list[tuple[int, str]], basis: Basis) -> tuple[int | None, str] | None:
    """Give the most telling line, under the number that it has in the log."""
    if not failure.evidence:
        return kept[0] if kept else None
    best = failure.evidence[0]
    if basis == "log":
        return best.line, best.text.strip()
    line = next((line for line, text in kept if text.strip() == best.text.strip()), None)
    return line, best.text.strip()


def changed_by(again: Sequence[Again], rules: Sequence[str]) -> dict[str, int]:
    """Count, for each of the own `rules` that no recorded failure knows yet, the failures that it would change."""
    known = {each.recorded.rule for each in again}
    new = [rule for rule in rules if rule not in known]
    return {rule: sum(each.changed and each.present.rule == rule for each in again) for rule in new}
