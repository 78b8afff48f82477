"""What a report says is what happened, counted once, with its uncertainty."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import database
from analysis.findings import find
from analysis.findings_states import spreads
from analysis.history import History
from tests.analysis.lives import Recorded
from tests.histories import T0, completes, decides, fails, history, holds, interrupts, releases, restarts, waits
from toolkit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from analysis.findings_model import Findings
    from toolkit.core import events as ev

HOUR = 60 * 60_000
NOW = datetime.fromtimestamp(T0 / 1000 + 10 * 86_400, UTC)


@contextmanager
def opened(tmp_path: Path, *builds: Sequence[ev.Event]) -> Iterator[History]:
    with History.open(Recorded([fact for build in builds for fact in build]), tmp_path / "cache") as found:
        yield found


def told(tmp_path: Path, *builds: Sequence[ev.Event], **asked: Any) -> Findings:
    with opened(tmp_path, *builds) as found:
        return find(found, now=NOW, **asked)


def hourly(*steps: Any, number: int = 1, **more: Any) -> list[ev.Event]:
    """Tell of a build in which every attempt takes an hour."""
    return history(*steps, build=f"b-{number}", pace_ms=HOUR, start_ms=T0 + number * 1000, **more)


GREEN = (completes(5, "kickstart"), completes(10, "base"), completes(100, "done"))
START_OVER = (
    completes(5, "kickstart"), fails(10, "net.timeout", "Network timeout", name="base"), waits(7200), restarts(), *GREEN
)  # fmt: skip


def test_a_start_over_costs_what_failed_and_what_was_repeated(tmp_path: Path) -> None:
    """The hour of the failed attempt and the hour done again are both lost, and charged to the state that failed."""
    found = told(tmp_path, hourly(*START_OVER))

    assert (found.totals.hours, found.totals.hours_failed, found.totals.hours_repeated) == (5, 1, 1)
    assert (found.totals.hours_waited, found.totals.lost_share, found.totals.start_overs) == (2, 0.4, 1)
    assert {state.code: state.hours_lost for state in found.states} == {5: 0, 10: 2, 100: 0}
    assert found.headline[0] == (
        "Failures cost 2h of 5h machine time (40%): 1h in 1 failed attempt, 1h in work that was done before."
    )


def test_green_at_once_after_a_retry_and_after_a_start_over_are_three_things(tmp_path: Path) -> None:
    """A build that came green later does not hide behind one that was green at once."""
    in_place = (completes(5), fails(10, "net.timeout"), completes(10))
    outcomes = told(
        tmp_path, hourly(*GREEN), hourly(*in_place, number=2), hourly(*START_OVER, number=3),
        hourly(fails(5), number=4), hourly(completes(5), interrupts(10), number=5),
    ).outcomes  # fmt: skip

    assert (outcomes.builds, outcomes.completed_first, outcomes.completed_in_place) == (5, 1, 1)
    assert (outcomes.completed_after_start_over, outcomes.failed, outcomes.interrupted) == (1, 1, 1)


def test_running_a_green_build_again_repeats_nothing(tmp_path: Path) -> None:
    """A nightly run of what was green is no start-over: nothing failed, so nothing was lost."""
    found = told(tmp_path, hourly(*GREEN, restarts(), *GREEN))

    assert (found.totals.hours_lost, found.totals.start_overs, found.outcomes.completed_first) == (0, 0, 1)
    assert found.headline == ("1 build, no failures, 6h of work.",)


def test_an_interruption_is_no_failure(tmp_path: Path) -> None:
    """What a reboot cut short is told apart: it lowers no rate and is charged to no state."""
    found = told(tmp_path, hourly(completes(5), interrupts(10, "reboot"), restarts(), *GREEN))

    assert (found.totals.failures, found.totals.hours_interrupted, found.totals.hours_lost) == (0, 1, 0)
    assert [state.failure_rate.hits for state in found.states] == [0, 0, 0]


def test_the_funnel_and_the_rates_say_what_they_were_counted_from(tmp_path: Path) -> None:
    """Each share comes with its n and an interval around it."""
    found = told(tmp_path, *(hourly(*GREEN, number=number) for number in range(3)), hourly(*START_OVER, number=4))
    base = found.states[1]

    assert [(state.code, state.builds, state.reached) for state in found.states] == [(5, 4, 1), (10, 4, 1), (100, 4, 1)]
    assert (base.failure_rate.hits, base.failure_rate.n) == (1, 5)
    assert base.failure_rate.share is not None
    assert base.failure_rate.share.low < 0.2 < base.failure_rate.share.high
    assert (base.recovery.hits, base.recovery.n) == (1, 1)
    assert (base.duration.n, base.duration.p50) == (4, 3600)


def test_signatures_tell_where_when_and_how_often(tmp_path: Path) -> None:
    """The most frequent failure stands first, with its share, states, hosts, last time, and a line that proves it."""
    dns = fails(5, "net.dns", "Could not resolve host: mirror")
    found = told(
        tmp_path, hourly(*START_OVER, number=1), hourly(*START_OVER, number=2, host="builder2"), hourly(dns, number=3)
    )
    first, second = found.signatures

    assert (first.signature, first.failures, first.share, first.builds) == ("net.timeout", 2, 2 / 3, 2)
    assert (first.states, first.hosts, first.failure_class, first.group) == (
        (10,), ("builder1", "builder2"), "network", "transient",
    )  # fmt: skip
    assert (first.example, first.example_state, first.title) == ("b-2", 10, "Network timeout")
    assert [line.text for line in second.evidence] == ["Could not resolve host: mirror"]
    assert sum(first.weeks) == 2
    assert len(first.weeks) == len(found.weeks)


def test_a_failure_of_one_host_only_is_the_hosts(tmp_path: Path) -> None:
    """Failures that stay on one machine while others do the same work point at the machine."""
    broken = [hourly(fails(5, "disk.full", failure_class="resource"), number=n, host="bad") for n in range(6)]
    good = [hourly(*GREEN, number=n, host="good") for n in range(10, 30)]
    found = told(tmp_path, *broken, *good)

    assert found.signatures[0].host_bound
    assert [(host.host, host.suspicious) for host in found.hosts] == [("bad", True), ("good", False)]


def test_a_wait_inside_a_run_is_drawn_with_its_reason(tmp_path: Path) -> None:
    """Between a failure and the retry in place lies the wait, and why it was made stands beside it."""
    retried = (
        completes(5), fails(10, "net.timeout"), decides(10, "retry", reason="net.timeout passes"), waits(1800),
        completes(10), completes(100),
    )  # fmt: skip
    worst = told(tmp_path, hourly(*retried)).worst

    assert worst is not None
    steps = [(step.state, step.begins, step.ends, step.then) for step in worst.lanes[0].steps]
    assert steps[:3] == [(5, 0, 1, None), (10, 1, 2, "retry: net.timeout passes"), (10, 2.5, 3.5, None)]


def test_the_worst_build_is_drawn_as_it_was_and_as_it_might_have_been(tmp_path: Path) -> None:
    """Runs below each other, waits and holds between them, and the same work without what was repeated."""
    held = (
        completes(5), fails(10, "net.timeout"), holds(10), waits(3600), releases(), waits(3600), restarts(),
        completes(5), completes(10),
    )  # fmt: skip
    worst = told(tmp_path, hourly(*GREEN), hourly(*held, number=2)).worst

    assert worst is not None
    assert (worst.build, [lane.run for lane in worst.lanes]) == ("b-2", [1, 2])
    assert (worst.lanes[1].waited_before, worst.lanes[1].held_before) == (2, 1)
    assert [(step.state, step.what, step.begins, step.repeated) for step in worst.lanes[1].steps] == [
        (5, "completed", 0, True), (10, "completed", 1, False),
    ]  # fmt: skip
    assert [step.state for step in worst.without.steps] == [5, 10, 10]
    assert (worst.hours_run, worst.without.hours) == (4, 3)


def test_filters_leave_out_whole_builds(tmp_path: Path) -> None:
    """Period, pipeline and target choose builds; what is chosen is counted whole."""
    old = history(*GREEN, build="old", start_ms=T0 - 40 * 86_400_000)
    other = history(fails(5), build="other", pipeline="silver", target="vm")
    builds = (old, other, hourly(*START_OVER))

    assert told(tmp_path, *builds).outcomes.builds == 3
    assert told(tmp_path, *builds, since="30d").outcomes.builds == 2
    assert told(tmp_path, *builds, since="2026-03-01T10:00:01Z").outcomes.builds == 1
    assert told(tmp_path, *builds, pipeline="silver").totals.failures == 1
    assert told(tmp_path, *builds, target="vm").scope.pipelines == ("silver",)
    with pytest.raises(UsageError, match="'soon'"):
        told(tmp_path, *builds, since="soon")


def test_two_periods_stand_side_by_side(tmp_path: Path) -> None:
    """`30d..60d` sets the last thirty days beside the thirty before them."""
    old = [history(*START_OVER, build=f"old-{n}", start_ms=T0 - 35 * 86_400_000) for n in range(2)]
    comparison = told(tmp_path, *old, hourly(*GREEN), compare="30d..60d").comparison

    assert comparison is not None
    assert (comparison.before.builds, comparison.now.builds) == (2, 1)
    assert (comparison.before.failures_per_100_builds, comparison.now.failures_per_100_builds) == (100, 0)
    with pytest.raises(UsageError, match="no period"):
        told(tmp_path, hourly(*GREEN), compare="30d")


def test_the_cube_adds_up_to_the_totals(tmp_path: Path) -> None:
    """Whatever is filtered by, the parts come to the whole."""
    builds = [hourly(*START_OVER, number=n, host=f"h{n}", target=f"t{n % 3}") for n in range(40)]
    found = told(tmp_path, *builds, hourly(*GREEN, number=50))
    columns = found.cube.attempts

    assert sum(columns["attempts"]) == found.totals.attempts
    assert sum(columns["failures"]) == found.totals.failures
    assert sum(columns["hours"]) == pytest.approx(found.totals.hours)
    assert sum(columns["lost"]) == pytest.approx(found.totals.hours_lost)
    assert sum(found.cube.builds["builds"]) == 41
    assert not found.cube.complete, "hosts beyond the most frequent are told together"
    assert {len(column) for column in columns.values()} == {len(columns["state"])}


def test_what_takes_whole_builds_is_told_of_the_latest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the history, so many builds are looked at one by one, and it is said; the rest is counted of all."""
    builds = [*(hourly(*START_OVER, number=n) for n in range(5)), hourly(fails(5, "net.dns"), number=9), hourly(*GREEN)]
    whole = told(tmp_path, *builds)
    monkeypatch.setattr("analysis.findings_failures.MOST_FOLDED", 2)
    found = told(tmp_path, *builds)

    assert (whole.quality.folded, found.quality.folded, found.quality.folded_of) == (6, 2, 6)
    assert [(kind.failures, kind.recovery.n) for kind in whole.signatures] == [(5, 5), (1, 0)]
    assert [(kind.failures, kind.recovery.n) for kind in found.signatures] == [(5, 1), (1, 0)]
    assert (found.quality.censored.hits, found.quality.censored.n) == (1, 2)
    assert found.totals == whole.totals
    assert "of the latest 2 of 6 builds that had any" in found.quality.notes[-1]
    assert not any("the latest" in note for note in whole.quality.notes)


def test_what_was_studied_is_said(tmp_path: Path) -> None:
    """Advice from part of the builds says so."""
    builds = [hourly(*GREEN, number=number) for number in range(3)]

    assert "learnt from the latest 2 of 3 builds" in told(tmp_path, *builds, studied=2).quality.notes[-1]
    assert not any("learnt" in note for note in told(tmp_path, *builds, studied=3).quality.notes)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 1e7) | st.integers(0, 5).map(float), min_size=1, max_size=40))
def test_the_middle_of_many_values_is_known_to_four_digits(values: list[float]) -> None:
    """Counting rounded values costs a fixed amount of memory, and no figure that a report shows."""
    con = database.connect()
    con.execute("create table rows as select unnest($values) as value", {"values": values})
    found = spreads(con, "rows", (), "value", 60)[()]

    assert found.n == len(values)
    assert found.mean == pytest.approx(sum(values) / len(values) / 60)
    assert (found.p10, found.p50, found.p90) == pytest.approx(np.quantile(values, [0.1, 0.5, 0.9]) / 60, rel=1e-3)


def test_an_empty_history_is_no_error(tmp_path: Path) -> None:
    """The report before the first build says so."""
    found = told(tmp_path)

    assert found.headline == ("No builds are recorded in this period.",)
    assert (found.states, found.signatures, found.worst, found.outcomes.builds) == ((), (), None, 0)


def test_findings_are_plain_data(tmp_path: Path) -> None:
    """The JSON report holds everything that the value holds."""
    found = told(tmp_path, hourly(*START_OVER))

    assert type(found).model_validate_json(found.model_dump_json()) == found
