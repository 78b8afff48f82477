"""Build records in the design document's shape come in as one object, a list, or one a line."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from toolkit.core.interchange import build_record
from toolkit.core.progress import fold
from toolkit.errors import BadInput
from toolkit.importers import kind_of
from toolkit.importers.records import read_records

RECORD: dict[str, Any] = {
    "build": "b-0007", "pipeline": "golden-image", "currentState": 5, "status": "failed", "held": False,
    "phase": "selective-retry",
    "stateHistory": [
        {"state": 5, "status": "failed", "error": "Network timeout", "timestamp": "2026-03-01T10:15:00.000Z",
         "attempt": 1},
        {"state": 5, "status": "started", "timestamp": "2026-03-01T10:17:00.000Z", "attempt": 2},
        {"state": 5, "status": "completed", "timestamp": "2026-03-01T10:27:00.000Z", "attempt": 2},
        {"state": 10, "status": "in_progress", "timestamp": "2026-03-01T10:27:00.000Z"},
        {"state": 20, "status": "pending", "timestamp": "2026-03-01T10:27:00.000Z"},
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [json.dumps(RECORD), json.dumps(RECORD, indent=1), json.dumps([RECORD]), json.dumps(RECORD) + "\n"],
    ids=["a line", "laid out", "a list", "with its line end"],
)
def test_the_design_documents_record_is_understood(text: str) -> None:
    """The failure, its retry and what came after it are there, in order and with their attempts."""
    [(build, facts)] = read_records(io.BytesIO(text.encode()), "record.json")
    progress = fold(facts)

    assert build == "b-0007"
    assert [(each.state, each.attempt, each.status, each.error) for each in progress.attempts] == [
        (5, 1, "failed", "Network timeout"), (5, 2, "completed", None), (10, 1, "in_progress", None),
    ]  # fmt: skip
    assert (progress.pipeline, progress.phase, progress.run, progress.status) == (
        "golden-image", "selective-retry", 1, "in_progress",
    )  # fmt: skip


def test_what_we_show_of_a_build_can_be_imported() -> None:
    """The record that `toolkit status` prints tells the same history when it is read back."""
    [(_, facts)] = read_records(io.BytesIO(json.dumps(RECORD).encode()), "r")
    shown = build_record(fold(facts))
    [(_, again)] = read_records(io.BytesIO(json.dumps(shown).encode()), "r")

    assert build_record(fold(again)) == shown


def test_several_records_a_line_each() -> None:
    """One object a line is several builds, and a fault names its line."""
    lines = [json.dumps({**RECORD, "build": f"b-{number}"}) for number in range(3)]
    good = list(read_records(io.BytesIO("\n".join(lines).encode()), "r"))
    lines[1] = json.dumps({**RECORD, "stateHistory": [{"state": 5, "status": "failed"}]})

    with pytest.raises(BadInput) as refused:
        list(read_records(io.BytesIO("\n".join(lines).encode()), "r.jsonl"))

    assert [build for build, _ in good] == ["b-0", "b-1", "b-2"]
    assert str(refused.value) == "r.jsonl:2: stateHistory.0.timestamp: is missing"


def test_a_file_says_what_it_is() -> None:
    """Events, records and logs are told apart by how they begin."""
    assert kind_of(b'{"build": "b", "state": 5, "status": "started"}\n') == "events"
    assert kind_of(json.dumps(RECORD, indent=1).encode()) == "records"
    assert kind_of(b"[1] building\n") == "log"
    assert kind_of(b"Starting install, retrieving file\n") == "log"
