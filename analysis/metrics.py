"""The history as Prometheus metrics, in the text format that a node's collector picks up from a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from toolkit.core.visible import safe

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl
    from prometheus_client import Metric

    from analysis.history import History

BUCKETS: Final = (10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800)
"""Seconds."""

BUILDS: Final = """
select coalesce(pipeline, '') as pipeline, status, count(*) as n from builds group by all order by all
"""
OPEN: Final = """
select coalesce(pipeline, '') as pipeline,
    count(*) filter (held) as held,
    count(*) filter (status = 'in_progress') as running,
    count(*) filter (completed_after_retry) as after_retry,
    max(epoch(ended)) filter (status = 'completed') as last_completed
from builds group by all order by all
"""
ATTEMPTS: Final = """
select coalesce(pipeline, '') as pipeline, state, coalesce(any_value(name), '') as name, status, count(*) as n
from attempts where attempt is not null and status <> 'in_progress' group by pipeline, state, status order by all
"""
FAILURES: Final = """
select coalesce(pipeline, '') as pipeline, state, coalesce(class, 'unknown') as class, count(*) as n
from attempts where status = 'failed' group by all order by all
"""
DURATIONS: Final = """
select coalesce(pipeline, '') as pipeline, state, count(*) as n, sum(duration) as seconds, {buckets}
from attempts where status = 'completed' and duration is not null group by all order by all
"""


def exposition(history: History) -> bytes:
    """Give the metrics as text."""
    registry = CollectorRegistry()
    registry.register(_Collected(history))
    return generate_latest(registry)


class _Collected:
    """Asks the history when it is asked."""

    def __init__(self, history: History) -> None:
        self._history = history

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        """Give each family of metrics."""
        # A failed build may be completed later: their numbers go down as well.
        builds = GaugeMetricFamily("build_state_builds", "Builds by how they stand.", labels=["pipeline", "status"])
        for row in self._rows(BUILDS):
            builds.add_metric([_label(row["pipeline"]), row["status"]], row["n"])
        yield builds
        yield from self._open()
        attempts = CounterMetricFamily(
            "build_state_attempts", "Executions of states.", labels=["pipeline", "state", "status"]
        )
        for row in self._rows(ATTEMPTS):
            attempts.add_metric([_label(row["pipeline"]), str(row["state"]), row["status"]], row["n"])
        yield attempts
        failures = CounterMetricFamily(
            "build_state_failures", "Failed executions by class.", labels=["pipeline", "state", "class"]
        )
        for row in self._rows(FAILURES):
            failures.add_metric([_label(row["pipeline"]), str(row["state"]), row["class"]], row["n"])
        yield failures
        yield self._durations()

    def _open(self) -> Iterator[Metric]:
        told = {
            "held": GaugeMetricFamily("build_state_builds_held", "Builds that wait for a person.", labels=["pipeline"]),
            "running": GaugeMetricFamily("build_state_builds_running", "Builds that run.", labels=["pipeline"]),
            "after_retry": GaugeMetricFamily(
                "build_state_builds_completed_after_retry", "Completed, but not at once.", labels=["pipeline"]
            ),
            "last_completed": GaugeMetricFamily(
                "build_state_last_completed_timestamp_seconds", "When a build was last completed.", labels=["pipeline"]
            ),
        }
        for row in self._rows(OPEN):
            for name, family in told.items():
                if row[name] is not None:
                    family.add_metric([_label(row["pipeline"])], row[name])
        yield from told.values()

    def _durations(self) -> Metric:
        family = HistogramMetricFamily(
            "build_state_attempt_duration_seconds", "How long completed attempts took.", labels=["pipeline", "state"]
        )
        columns = ", ".join(f"count(*) filter (duration <= {limit}) as le_{limit}" for limit in BUCKETS)
        for row in self._rows(DURATIONS.format(buckets=columns)):
            buckets = [(str(float(limit)), row[f"le_{limit}"]) for limit in BUCKETS]
            family.add_metric(
                [_label(row["pipeline"]), str(row["state"])], [*buckets, ("+Inf", row["n"])], row["seconds"]
            )
        return family

    def _rows(self, query: str) -> Iterator[dict[str, Any]]:
        frame: pl.DataFrame = self._history.frame(query)
        yield from frame.iter_rows(named=True)


def _label(text: object) -> str:
    return safe(str(text))
