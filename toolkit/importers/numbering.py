"""A build's interchange lines become facts: put in order, given runs and attempts where these are missing.

The same rules stand as a query in `analysis/sql/number.sql`, for files that are analysed without being imported; a test
holds the two together.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from toolkit.core import events as ev
from toolkit.importers.lines import ordered

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ENDS = frozenset({"completed", "failed", "interrupted"})
SETTLED = frozenset({"reused", "skipped"})


class Numbered:
    """One line, with its run and attempt; `opens` when it is the first that is told of its attempt."""

    __slots__ = ("attempt", "opens", "row", "run")

    def __init__(self, row: Mapping[str, Any], run: int, attempt: int | None, *, opens: bool) -> None:
        """Take the line and what was found out about it."""
        self.row, self.run, self.attempt, self.opens = row, run, attempt, opens

    @property
    def started_ms(self) -> int:
        """When the attempt began: for an end without a beginning, so much earlier as it lasted."""
        row = self.row
        if self.opens and row["status"] != "started":
            return int(row["ts_ms"] - round(1000 * (row.get("duration") or 0)))
        return int(row["ts_ms"])


def facts_of(build: str, rows: Sequence[Mapping[str, Any]]) -> list[ev.Event]:
    """Give the facts that a build's lines tell, in order.

    Each line is a mapping in the interchange shape, with `ts_ms` (milliseconds since 1970, UTC) for `ts`.
    """
    lines = number(rows)
    facts: list[ev.Event] = [
        ev.BuildBegun(
            build=build,
            ts_ms=min(row["ts_ms"] for row in rows),
            pipeline=_first(lines, "pipeline"),
            target=_first(lines, "target"),
        )
    ]
    run = 0
    completed: set[int] = set()
    for place, line in enumerate(lines):
        if line.run != run:
            within = [each for each in lines[place:] if each.run == line.run]
            facts.append(_run_started(build, line, within, first=run == 0))
            run, completed = line.run, set()
        state = line.row["state"]
        if line.opens and state in completed:
            reason = "the history tells of another attempt after it completed"
            facts.append(
                ev.StateReset(build=build, ts_ms=line.started_ms, run=run, state=state, reason=reason, by="import")
            )
        (completed.add if line.row["status"] in {"completed", *SETTLED} else completed.discard)(state)
        facts.extend(_told(build, line))
    return facts


def number(rows: Sequence[Mapping[str, Any]]) -> list[Numbered]:
    """Give each line its run and attempt.

    Numbers that were told are kept when they are sound: runs when every line of the build has one, attempts when every
    line of the state has one and none begins or ends twice. Otherwise they go by order: what begins is a new attempt,
    and it begins a new run when its state lies before the one begun last, or is that one, completed or never ended.
    A line that merely repeats the one before it is left out.
    """
    rows = _once(ordered(rows))
    runs_told = all(row.get("run") is not None for row in rows)
    sound = _sound_attempts(rows)
    begun = {(row["state"], row.get("attempt")) for row in rows if row["status"] == "started"}
    run, last_opened = 1, None
    before: dict[int, str] = {}
    """The last line of a state's attempts."""
    settled: dict[int, str] = {}
    """The same, with `reused` among them."""
    count: Counter[int] = Counter()
    numbered = []
    for row in rows:
        state, status = row["state"], row["status"]
        if status == "started":
            opens = True
        elif status not in ENDS:
            opens = False
        elif state in sound:
            opens = (state, row["attempt"]) not in begun
        else:
            opens = before.get(state) != "started"
        if opens or status == "reused":
            again = state == last_opened and settled.get(state) in {"completed", "started", "reused"}
            if last_opened is not None and (state < last_opened or again):
                run += 1
            last_opened = state
        count[state] += opens
        attempt = None if status in SETTLED else row["attempt"] if state in sound else count[state]
        if status not in SETTLED:
            before[state] = status
        if status != "skipped":
            settled[state] = status
        numbered.append(Numbered(row, row["run"] if runs_told else run, attempt, opens=opens))
    return numbered


def _once(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    keys = ("state", "status", "ts_ms", "run", "attempt", "error")
    kept: list[Mapping[str, Any]] = []
    for row in rows:
        if not kept or any(row.get(key) != kept[-1].get(key) for key in keys):
            kept.append(row)
    return kept


def _sound_attempts(rows: Sequence[Mapping[str, Any]]) -> set[int]:
    told = [row for row in rows if row["status"] not in SETTLED]
    ends = Counter((row["state"], row.get("attempt"), row["status"] in ENDS) for row in told)
    unsound = {state for (state, attempt, _), times in ends.items() if attempt is None or times > 1}
    return {row["state"] for row in told} - unsound


def _first(lines: Sequence[Numbered], key: str) -> Any:  # noqa: ANN401 - whatever the key holds
    return next((line.row[key] for line in lines if line.row.get(key) is not None), None)


def _run_started(build: str, line: Numbered, within: Sequence[Numbered], *, first: bool) -> ev.RunStarted:
    reason: ev.RunReason = "first" if first else "resume" if line.row["status"] == "reused" else "start-over"
    return ev.RunStarted(
        build=build,
        ts_ms=line.started_ms,
        run=line.run,
        reason=reason,
        host=_first(within, "host"),
        phase=_first(within, "phase"),
    )


def _told(build: str, line: Numbered) -> list[ev.Event]:
    row, status = line.row, line.row["status"]
    about: dict[str, Any] = {"build": build, "run": line.run, "state": row["state"], "name": row.get("name")}
    if status in SETTLED:
        kind = ev.StateReused if status == "reused" else ev.StateSkipped
        more: dict[str, Any] = {"inputs": row.get("inputs")} if status == "reused" else {}
        return [kind(**about, ts_ms=row["ts_ms"], reason=row.get("error"), **more)]
    about["attempt"] = line.attempt
    facts: list[ev.Event] = []
    if line.opens:
        given: dict[str, Any] = {key: row.get(key) for key in ("phase", "host", "inputs")}
        facts.append(ev.AttemptStarted(**about, ts_ms=line.started_ms, **given))
    about |= {"ts_ms": row["ts_ms"], "duration": row.get("duration")}
    if status == "completed":
        facts.append(ev.AttemptCompleted(**about))
    elif status == "interrupted":
        facts.append(ev.AttemptInterrupted(**about, reason=row.get("error")))
    elif status == "failed":
        given = {key: row.get(key) for key in ("error", "exit_code", "signal", "signature", "rule")}
        facts.append(ev.AttemptFailed(**about, failure_class=row.get("class"), **given))
        if (decision := row.get("decision")) is not None:
            facts.append(_decided(build, line, decision))
    return facts


def _decided(build: str, line: Numbered, decision: Mapping[str, Any]) -> ev.Decided:
    row = line.row
    return ev.Decided(
        build=build,
        ts_ms=row["ts_ms"],
        run=line.run,
        state=row["state"],
        name=row.get("name"),
        attempt=line.attempt or 1,
        phase=decision.get("phase") or row.get("phase") or "track-only",
        action=decision["action"],
        reason=decision.get("reason") or "",
        rule=decision.get("rule"),
        wait=decision.get("wait"),
        shadow=row.get("shadow") or {},
    )
