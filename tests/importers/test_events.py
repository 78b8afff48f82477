"""Interchange events come in whole or not at all, and come out as they went in."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.core.interchange import interchange
from toolkit.core.moments import rfc3339
from toolkit.core.progress import fold
from toolkit.errors import BadInput
from toolkit.importers.events import read_events
from toolkit.store import open_store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from toolkit.core import events as ev

START = 1_772_000_000_000

Told = tuple[int, str]
"""A state and its status, as a story is told here."""


def lines(*told: Told, build: str = "b-1", every: int = 1000, **more: Any) -> list[dict[str, Any]]:
    return [
        {"build": build, "state": state, "status": status, "ts": rfc3339(START + place * every), **more}
        for place, (state, status) in enumerate(told)
    ]


def jsonl(rows: Sequence[dict[str, Any]]) -> io.BytesIO:
    return io.BytesIO("".join(json.dumps(row) + "\n" for row in rows).encode())


def facts(rows: Sequence[dict[str, Any]]) -> list[ev.Event]:
    [(_, told)] = read_events(jsonl(rows), "history.jsonl")
    return list(told)


def numbers(rows: Sequence[dict[str, Any]]) -> list[tuple[int, str, int, int]]:
    return [(line["state"], line["status"], line["run"], line.get("attempt", 0)) for line in interchange(facts(rows))]


def test_a_start_over_is_a_new_run() -> None:
    """Who starts over begins a new run at the first state; the attempts go on counting."""
    told = lines((5, "started"), (5, "completed"), (10, "started"), (10, "failed"), (5, "started"), (5, "completed"))

    assert numbers(told) == [
        (5, "started", 1, 1), (5, "completed", 1, 1), (10, "started", 1, 1), (10, "failed", 1, 1),
        (5, "started", 2, 2), (5, "completed", 2, 2),
    ]  # fmt: skip


def test_the_same_state_after_its_failure_is_a_retry_in_place() -> None:
    """A failed state that begins again stays in its run."""
    told = lines((5, "started"), (5, "failed"), (5, "started"), (5, "completed"), (10, "started"))

    assert [run for _, _, run, _ in numbers(told)] == [1, 1, 1, 1, 1]
    assert fold(facts(told)).status == "in_progress"


def test_a_state_that_begins_again_without_having_ended_was_cut_short() -> None:
    """A beginning after a beginning is a new run, and what was open before it is interrupted."""
    progress = fold(facts(lines((5, "started"), (5, "started"), (5, "completed"))))

    assert [(each.run, each.status) for each in progress.attempts] == [(1, "interrupted"), (2, "completed")]


def test_an_end_without_a_beginning_began_as_long_before_as_it_lasted() -> None:
    """Systems that tell only ends lose nothing."""
    progress = fold(facts(lines((5, "completed"), (10, "failed"), duration=0.4)))

    assert [(each.started_ms, each.ended_ms) for each in progress.attempts] == [
        (START - 400, START), (START + 600, START + 1000),
    ]  # fmt: skip


def test_how_long_an_end_alone_took_is_unknown() -> None:
    """Of an end without a beginning and without a duration nobody knows how long it took: that is not 0 seconds."""
    rows = [{"build": "b", "state": 5, "status": "failed", "ts": "2026-03-01T10:15:00Z"}]
    [(_, facts)] = read_events(jsonl(rows), "h")

    assert fold(facts).attempts[0].duration is None
    assert "duration" not in list(interchange(facts))[-1]


def test_told_numbers_that_cannot_be_are_counted_anew() -> None:
    """Attempts that begin at 1 in each run are numbered through, as everywhere in the toolkit."""
    told = lines((5, "started"), (5, "failed"), run=1, attempt=1) + lines(
        (5, "started"), (5, "completed"), run=2, attempt=1
    )

    assert numbers(told) == [(5, "started", 1, 1), (5, "failed", 1, 1), (5, "started", 2, 2), (5, "completed", 2, 2)]


def test_another_attempt_within_a_run_after_a_completion_is_not_lost() -> None:
    """A run that says it did a completed state again is believed, with a reset on record."""
    told = lines((5, "started"), (5, "completed"), (5, "started"), (5, "failed"), run=1)
    progress = fold(facts(told))

    assert [each.status for each in progress.attempts] == ["completed", "failed"]
    assert progress.status == "failed"


def test_a_failed_build_stays_failed_when_cleaned_up() -> None:
    """Steps after the failed one do not make a build green."""
    assert fold(facts(lines((10, "started"), (10, "failed"), (90, "started"), (90, "completed")))).status == "failed"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"build": "b"', "h:2: is not JSON (EOF while parsing an object at line 1 column 13)"),
        ("[1]", "h:2: must be a JSON object"),
        ('{"build": "b", "state": 5, "status": "started"}', "h:2: ts: is missing"),
        ('{"build": "", "state": 5, "status": "started", "ts": "2026-03-01T10:15:00Z"}',
         "h:2: build: string should have at least 1 character, not ''"),
        ('{"build": "b", "state": -5, "status": "started", "ts": "2026-03-01T10:15:00Z"}',
         "h:2: state: should be greater than or equal to 0, not -5"),
        ('{"build": "b", "state": 5, "status": "begun", "ts": "2026-03-01T10:15:00Z"}',
         "h:2: status: should be 'started', 'completed', 'failed', 'interrupted', 'skipped' or 'reused', not 'begun'"),
        ('{"build": "b", "state": 5, "status": "started", "ts": "2026-03-01T10:15:00"}',
         "h:2: ts: must carry its zone, such as 2026-03-01T10:15:00.000Z, not '2026-03-01T10:15:00'"),
        ('{"build": "b", "state": 5, "status": "started", "ts": 1772000000}',
         "h:2: ts: must be RFC 3339 text, such as 2026-03-01T10:15:00.000Z, not 1772000000"),
        ('{"build": "b", "state": 5, "status": "failed", "ts": "2026-03-01T10:15:00Z", "duration": -1}',
         "h:2: duration: should be greater than or equal to 0, not -1"),
    ],
)  # fmt: skip
def test_a_fault_is_named_by_file_line_and_key(line: str, told: str) -> None:
    """Whoever made the file finds the place and learns what is wanted there."""
    good = json.dumps(lines((5, "started"))[0])

    with pytest.raises(BadInput) as refused:
        list(read_events(io.BytesIO(f"{good}\n{line}\n".encode()), "h"))

    assert str(refused.value) == told


def test_many_faults_are_told_at_once() -> None:
    """Twenty faults are named, the others counted, and nothing is given before all are known."""
    given_first = read_events(jsonl([*lines((5, "started")), *lines(*[(5, "begun")] * 30)]), "h.jsonl")

    with pytest.raises(BadInput, match=r"30 faults in h\.jsonl") as refused:
        next(given_first)

    assert str(refused.value).count("\n") == 21
    assert str(refused.value).endswith("… and 10 more")


def test_nothing_of_a_faulty_file_is_kept(tmp_path: Path) -> None:
    """All or nothing, whatever came before the fault."""
    store = open_store(f"sqlite:///{tmp_path}/history.db")
    rows = [*lines((5, "started"), (5, "completed")), {"build": "b-2", "state": "five", "status": "started", "ts": "?"}]

    with pytest.raises(BadInput):
        store.import_builds(read_events(jsonl(rows), "h"))

    assert store.builds() == []
    store.close()


def test_a_pipe_is_as_good_as_a_file() -> None:
    """What cannot be read twice is set aside first."""

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    rows = lines((5, "started"), (5, "completed"))

    assert list(read_events(Pipe(jsonl(rows).getvalue()), "-")) == list(read_events(jsonl(rows), "-"))


steps = st.sampled_from(["completes", "fails", "interrupted", "unfinished"])


@st.composite
def stories(draw: st.DrawFn, *, sound_beginning: bool = False) -> list[dict[str, Any]]:
    """Invent what a well-behaved exporter writes: builds of several runs, each through the states in order.

    With a `sound_beginning` the first state always completes, so that its return tells a new run from a retry.
    """
    rows: list[dict[str, Any]] = []
    clock = START
    for build in draw(st.lists(st.sampled_from(["b-1", "b-2", "ü/3"]), min_size=1, unique=True)):
        attempts: dict[int, int] = {}
        seq = 0
        for run in range(1, draw(st.integers(1, 3)) + 1):
            for state in (5, 10, 20):
                what = "completes" if sound_beginning and state == 5 else draw(steps)
                attempt = attempts[state] = attempts.get(state, 0) + 1
                about = {"build": build, "pipeline": "green", "run": run, "state": state, "name": f"s{state}",
                         "attempt": attempt, "host": "h1", "schema": 1}  # fmt: skip
                clock += draw(st.integers(0, 5000))
                seq += 1
                rows.append({**about, "status": "started", "ts": rfc3339(clock), "seq": seq})
                if what == "unfinished":
                    break
                lasted = draw(st.integers(0, 5000))
                clock += lasted
                seq += 1
                end = {**about, "ts": rfc3339(clock), "seq": seq, "duration": lasted / 1000}
                if what == "completes":
                    rows.append({**end, "status": "completed"})
                    continue
                if what == "interrupted":
                    rows.append({**end, "status": "interrupted", "error": "reboot"})
                else:
                    decision = {"action": "start-over", "reason": "no rule", "phase": "track-only"}
                    told = {"error": "Network timeout", "class": "network", "signature": "net.timeout", "exit_code": 28}
                    rows.append({**end, "status": "failed", **told, "decision": decision})
                break
    return rows


@given(stories())
def test_what_is_exported_was_imported(rows: list[dict[str, Any]]) -> None:
    """The export of an import is the import, line by line and key by key."""
    exported = [line for _, told in read_events(jsonl(rows), "h") for line in interchange(told)]

    assert sorted(exported, key=lambda line: (line["build"], line["seq"])) == sorted(
        rows, key=lambda line: (line["build"], line["seq"])
    )


@given(stories(sound_beginning=True))
def test_runs_and_attempts_can_be_told_from_the_order(rows: list[dict[str, Any]]) -> None:
    """Lines stripped of their numbers get the same ones back, as long as a run is known by its first state."""
    bare = [{key: value for key, value in row.items() if key not in {"run", "attempt", "seq"}} for row in rows]

    retold = {build: list(interchange(told)) for build, told in read_events(jsonl(bare), "h")}

    for build, told in read_events(jsonl(rows), "h"):
        assert retold[build] == list(interchange(told))


@given(stories())
def test_importing_twice_changes_nothing(rows: list[dict[str, Any]]) -> None:
    """The same file gives the same facts, so the store knows them the second time."""
    assert list(read_events(jsonl(rows), "h")) == list(read_events(jsonl(rows), "h"))
