"""Classifies recorded failures again, with the rules that there are now, from what is still known of each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from analysis.database import script
from toolkit.core.classes import GROUP_OF
from toolkit.core.failure import Classifier, familiar_lines
from toolkit.core.moments import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import duckdb

    from toolkit.core.failure import Failure
    from toolkit.core.judging import Ending
    from toolkit.core.rules import Rule

Basis = Literal["log", "evidence", "error", "end"]
"""What a failure was judged by: its captured log, the lines once kept of it, its message, or only how it ended."""

ENDINGS: Final[Mapping[str | None, Ending]] = {"toolkit.timeout": "timeout", "toolkit.stall": "stall"}
SUCCESSES_COMPARED: Final = 3
_FAMILIAR_KEPT: Final = 64
_MESSAGE_CHARS: Final = 4000
_AT_ONCE: Final = 2000
_MOST_KEPT: Final = 10_000


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


def ended(con: duckdb.DuckDBPyConnection) -> Iterator[Mapping[str, Any]]:
    """Give what `reclassify` wants of a history with its attempts, some at a time."""
    cursor = con.cursor()
    cursor.execute(script("ended"))
    names = [each[0] for each in cursor.description or ()]
    while rows := cursor.fetchmany(_AT_ONCE):
        yield from (dict(zip(names, row, strict=True)) for row in rows)


def reclassify(told: Iterable[Mapping[str, Any]], own: Sequence[Rule], logs: Logs) -> Iterator[Again]:
    """Judge every failed attempt by `own` rules and the built-in ones, in the order in which they and successes ended.

    A captured log is read as it was when the build was live, without what earlier successes printed too. Where there is
    none, less is known than when the failure was recorded: there only a rule that speaks changes what was said. However
    long the history, little of it is held at a time.
    """
    from toolkit.core.rules import BUILT_IN

    successes = _Successes(logs)
    judge = _Judge(own, frozenset(rule.id for rule in (*own, *BUILT_IN)), logs, successes)
    for row in told:
        if row["status"] == "failed":
            yield judge.again(row)
        else:
            successes.add(row)


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
            attempt=row["attempt"] or 1, ts_ms=row["over"],
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
            if len(self._judged) >= _MOST_KEPT:
                self._judged.clear()
            self._judged[key] = self._classifier.classify(said.encode(), **end)
        return basis, self._judged[key]


class _Successes:
    """The latest successes of each state so far, one of a build, and what they printed."""

    def __init__(self, logs: Logs) -> None:
        self._logs = logs
        self._latest: dict[tuple[str, int], dict[str, int]] = {}
        self._shapes = lru_cache(_FAMILIAR_KEPT)(self._printed)

    def add(self, row: Mapping[str, Any]) -> None:
        """Take the next one."""
        latest = self._latest.setdefault((row["pipeline"], row["state"]), {})
        latest.pop(row["build"], None)
        latest[row["build"]] = row["attempt"] or 1
        if len(latest) > SUCCESSES_COMPARED:
            del latest[next(iter(latest))]

    def familiar(self, row: Mapping[str, Any]) -> frozenset[int]:
        """Give the shapes of the lines that the last successes before a failure printed too."""
        latest = self._latest.get((row["pipeline"], row["state"]), {})
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


def changed_by(again: Iterable[Again], rules: Sequence[str]) -> tuple[dict[str, int], int]:
    """Count, for each of the own `rules` that no recorded failure knows yet, the failures that it would change.

    Gives the number of all failures beside that.
    """
    changed = dict.fromkeys(rules, 0)
    failures = 0
    for each in again:
        failures += 1
        changed.pop(each.recorded.rule or "", None)
        if each.changed and each.present.rule in changed:
            changed[each.present.rule] += 1
    return changed, failures
