"""Prometheus metrics: what a collector reads from the file is what the history holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from analysis.history import History
from tests.analysis.lives import Recorded
from tests.histories import completes, ends, fails, history, holds, restarts
from tests.transcripts import Shell

parser: Any = pytest.importorskip("prometheus_client.parser", reason="the extra `metrics` reads its own text")

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = 'a"b\\c\nd\x1b{}'


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Give each sample by its name and the values of its labels, in the order of the labels' names."""
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in parser.text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_what_is_counted(tmp_path: Path) -> None:
    """Builds, held ones, attempts, failures by class and durations; labels survive whatever a name holds."""
    from analysis.metrics import exposition

    facts = [
        *history(completes(5), fails(9, "net.timeout"), ends("failed"), restarts(), completes(5), completes(9),
                 ends("completed"), build="b-1", holder="h/1/1/1"),
        *history(fails(5, "test.assert", failure_class="test"), holds(5), ends("failed"), build="b-2",
                 holder="h/1/1/1"),
        *history(completes(5), ends("completed"), build="b-3", pipeline=HOSTILE, holder="h/1/1/1"),
    ]  # fmt: skip
    with History.open(Recorded(facts), tmp_path / "cache") as opened:
        found = samples(exposition(opened).decode())

    pipeline = "golden-image"
    assert found["build_state_builds", pipeline, "completed"] == 1
    assert found["build_state_builds", pipeline, "failed"] == 1
    assert found["build_state_builds_held", pipeline] == 1
    assert found["build_state_builds_completed_after_retry", pipeline] == 1
    assert found["build_state_attempts_total", pipeline, "5", "completed"] == 2
    assert found["build_state_failures_total", "network", pipeline, "9"] == 1
    assert found["build_state_failures_total", "test", pipeline, "5"] == 1
    assert found["build_state_attempt_duration_seconds_count", pipeline, "5"] == 2
    assert found["build_state_attempt_duration_seconds_sum", pipeline, "5"] == 120
    assert found["build_state_attempt_duration_seconds_bucket", "30.0", pipeline, "5"] == 0
    assert found["build_state_attempt_duration_seconds_bucket", "60.0", pipeline, "5"] == 2
    assert found["build_state_attempt_duration_seconds_bucket", "+Inf", pipeline, "5"] == 2
    assert found["build_state_builds", 'a"b\\c d\ufffd{}', "completed"] == 1


def test_an_empty_history_has_metrics(tmp_path: Path) -> None:
    """Nothing recorded is no error: each metric is announced and has no sample."""
    from analysis.metrics import exposition

    with History.open(Recorded([]), tmp_path / "cache") as opened:
        text = exposition(opened).decode()
    assert samples(text) == {}
    assert "# TYPE build_state_failures_total counter" in text


def test_the_file_is_written_whole(tmp_path: Path) -> None:
    """The file appears complete and nothing else is left behind; one that cannot be written is said."""
    shell = Shell(tmp_path)
    shell.run("run", "--", "true")
    (tmp_path / "out").mkdir()
    assert shell.run("export", "--prometheus", "out/builds.prom") == (0, "", "")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["builds.prom"]
    assert sum(samples((tmp_path / "out" / "builds.prom").read_text()).values()) > 0
    code, _, error = shell.run("export", "--prometheus", "none/builds.prom")
    assert (code, error.splitlines()[0]) == (2, "error: cannot write none/builds.prom: No such file or directory")
