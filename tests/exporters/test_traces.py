"""A build as a trace: spans in order and inside each other, the same ids each time, received by a real collector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from tests.collector import collector
from tests.histories import (
    T0,
    completes,
    decides,
    ends,
    fails,
    histories,
    history,
    holds,
    releases,
    restarts,
    reuses,
    waits,
)
from tests.transcripts import Shell
from toolkit.exporters.traces import Span, spans

trace_service: Any = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")

if TYPE_CHECKING:
    from pathlib import Path

    from toolkit.core import events as ev

HOLDER = "builder1/boot/1/1"
LIFE = (
    completes(5, name="kickstart"), fails(10, "net.timeout", error="lost", exit_code=28), decides(10, "retry", wait=30),
    waits(30), fails(10, "net.timeout", error="lost"), holds(10), ends("failed", 28), releases(),
    restarts(holder=HOLDER), reuses(5), completes(10), completes(100), ends("completed", 0),
)  # fmt: skip


def told(*steps: Any) -> list[Span]:
    return spans(history(*steps, holder=HOLDER, target="green"))


def result(each: Span) -> str | None:
    return next((each.attributes[name] for name in each.attributes if name.endswith(".result")), None)


def test_a_life() -> None:
    """A span for the build, each run, attempt, wait and hold, with its times, parent, result and what went wrong."""
    found = told(*LIFE)
    names = {each.span_id: each.name for each in found}
    lines = [
        (each.name, names.get(each.parent_id or 0), (each.begin_ms - T0) / 1000, (each.end_ms - each.begin_ms) / 1000,
         each.failed, result(each))
        for each in found
    ]  # fmt: skip
    whole = lines[0][3]

    assert lines[0] == ("BUILD golden-image", None, 0.0, whole, None, "success")
    assert [line[:2] + line[3:] for line in lines[1:]] == [
        ("run 1", "BUILD golden-image", lines[1][3], "exit code 28", "failure"),
        ("run 2", "BUILD golden-image", lines[2][3], None, "success"),
        ("5 kickstart", "run 1", 60.0, None, "success"),
        ("10", "run 1", 60.0, "lost", "failure"),
        ("wait before retry", "run 1", 30.0, None, None),
        ("10", "run 1", 60.0, "lost", "failure"),
        ("10", "run 2", 60.0, None, "success"),
        ("100", "run 2", 60.0, None, "success"),
        ("held for a person", "BUILD golden-image", lines[9][3], None, None),
    ]
    failed = found[4].attributes
    assert {name: failed[name] for name in ("error.type", "build_state.signature", "process.exit.code")} == {
        "error.type": "network", "build_state.signature": "net.timeout", "process.exit.code": 28,
    }  # fmt: skip
    assert failed["cicd.pipeline.name"] == "golden-image"
    assert failed["cicd.pipeline.run.id"] == "b-0001"
    assert failed["cicd.pipeline.task.run.id"] == "b-0001/1/10/1"
    assert found[0].attributes["build_state.target"] == "green"


def test_what_runs_is_no_trace_yet() -> None:
    """Only what is over has an end; a build without a run has nothing to show."""
    assert told(completes(5)) == []
    assert spans([]) == []


def test_a_hold_that_is_said_twice_is_one() -> None:
    """Holding what is held begins nothing new; each hold lasts until somebody lets the build go on."""
    found = told(fails(5), holds(5), holds(5), ends("failed"), releases(), holds(5), waits(60), releases())
    assert [each.name for each in found].count("held for a person") == 2


@given(histories())
def test_any_history_is_a_tree_of_times(events: list[ev.Event]) -> None:
    """Whatever happened: one trace, one root, ids that differ and come again, no end before its beginning."""
    found = spans(events)
    assert found == spans(events)
    ids = [each.span_id for each in found]
    assert len(set(ids)) == len(ids)
    assert len({each.trace_id for each in found}) <= 1
    assert [each.parent_id for each in found if each.parent_id is None] == [None] * bool(found)
    assert all(each.parent_id is None or each.parent_id in ids for each in found)
    assert all(each.begin_ms <= each.end_ms for each in found)
    assert all(0 < each.span_id < 1 << 64 and 0 < each.trace_id < 1 << 128 for each in found)


def project(folder: Path) -> Shell:
    shell = Shell(folder)
    (folder / "toolkit.toml").write_text('phase = "track-only"\n\n[pipeline]\nname = "golden-image"\n')
    script = shell.script(
        "build.sh", "#!/bin/sh\necho '::state 5 started kickstart::'\necho 'E: no disk is left'\nexit 3\n"
    )
    shell.run("run", "--", script)
    return shell


def test_a_collector_receives_the_trace(tmp_path: Path) -> None:
    """Over HTTP arrives what was recorded: names, kinds, parents, times, status and attributes."""
    shell = project(tmp_path)
    with collector() as (address, received):
        assert shell.run("export", "--otlp", address, "--build", "b-0001") == (0, "sent 3 spans of 1 build\n", "")
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_EXPORTER_OTLP_HEADERS": "a=b"}
        assert shell.run("export", "--otlp", "env", **variables) == (0, "sent 3 spans of 1 build\n", "")
    assert [each.path for each in received] == ["/v1/traces"] * 2
    assert received[1].headers["a"] == "b"
    first, second = (trace_service.ExportTraceServiceRequest.FromString(each.body) for each in received)
    assert first == second
    (resource,) = first.resource_spans
    assert {each.key: each.value.string_value for each in resource.resource.attributes}["service.name"] == (
        "build-state-toolkit"
    )
    build, run, attempt = resource.scope_spans[0].spans
    assert [each.name for each in (build, run, attempt)] == ["BUILD golden-image", "run 1", "5 kickstart"]
    assert (run.parent_span_id, attempt.parent_span_id) == (build.span_id, run.span_id)
    assert {each.trace_id for each in (build, run, attempt)} == {build.trace_id}
    assert (build.kind, attempt.kind) == (2, 1)  # server, internal
    assert (attempt.status.code, attempt.status.message) == (2, "E: no disk is left")
    attributes = {each.key: each.value for each in attempt.attributes}
    assert attributes["cicd.pipeline.task.name"].string_value == "5 kickstart"
    assert attributes["cicd.pipeline.task.run.result"].string_value == "failure"
    started = shell.json("status")["stateHistory"][0]["timestamp"]
    assert started.startswith("20")
    assert attempt.start_time_unix_nano % 1_000_000 == 0
    assert build.start_time_unix_nano <= attempt.start_time_unix_nano <= attempt.end_time_unix_nano


def test_a_collector_that_is_away_is_said(tmp_path: Path) -> None:
    """Refused, unreachable, or no address at all: an error with a hint, and no traceback."""
    shell = project(tmp_path)
    with collector(400) as (address, _):
        code, out, error = shell.run("export", "--otlp", address)
        assert (code, out) == (5, "")
        assert error.splitlines()[0] == f"error: {address} did not take the traces; 0 spans had been taken before"
    assert shell.run("export", "--otlp", "collector:4318")[::2] == (
        2, "error: 'collector:4318' is no collector's address\nhint: Write http://HOST:4318, or env.\n",
    )  # fmt: skip
    assert shell.run("export", "--otlp", "http://127.0.0.1:1", "--build", "b-0009")[0] == 4
