"""What came of each failure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from analysis.attempts import understood
from analysis.episodes import episodes
from tests.analysis.frames import Telling, attempts
from toolkit.core.failure import Classifier

if TYPE_CHECKING:
    import polars as pl


def only(frame: pl.DataFrame) -> dict[str, Any]:
    told = episodes(frame)
    assert told.height == 1
    return told.row(0, named=True)


def test_a_start_over_tells_whether_the_failure_passed_and_what_the_way_back_cost() -> None:
    """After a start-over we know the gap, the wait in it, the states that ran again in it, and the outcome."""
    build = (
        Telling().completes(5, 1800).fails(20, lasts=90).starts_over(after=300).completes(5, 1700).completes(20, 400)
    )

    told = only(attempts(build))

    assert (told["next"], told["recovered"], told["censored"]) == ("start_over", True, None)
    assert (told["gap"], told["waited"], told["lead"]) == (2000, 300, 1700)
    assert (told["own"], told["next_duration"]) == (90, 400)


def test_a_retry_in_place_has_no_way_back() -> None:
    """What is tried again in the same run was waited for, and nothing else."""
    told = only(attempts(Telling().completes(5).fails(20).waits(45).completes(20)))

    assert (told["next"], told["recovered"], told["gap"], told["waited"], told["lead"]) == ("in_place", True, 45, 45, 0)


def test_a_run_that_reuses_what_was_complete_is_a_resume() -> None:
    """A resume goes on in what an earlier run left, so it is told apart from a start-over."""
    build = Telling().completes(5).fails(20).starts_over().reuses(5).completes(20)

    assert only(attempts(build))["next"] == "resume"


def test_a_run_that_begins_at_the_failed_state_is_a_resume() -> None:
    """Whoever enters the build at the failed state did not start over, even where nothing was recorded as reused."""
    assert only(attempts(Telling().completes(5).fails(20).starts_over().completes(20)))["next"] == "resume"


def test_the_first_state_can_only_be_started_over() -> None:
    """For the first state, a new run that begins there is a start-over."""
    assert only(attempts(Telling().fails(5).starts_over().completes(5)))["next"] == "start_over"


def test_what_is_never_tried_again_tells_nothing() -> None:
    """A build that was given up is censored, not failed for good."""
    told = only(attempts(Telling().completes(5).fails(20)))

    assert (told["next"], told["recovered"], told["censored"]) == ("never", None, "never")


def test_an_interrupted_attempt_is_no_outcome() -> None:
    """A reboot during the next attempt says nothing about the failure; the attempt after it does."""
    lost = Telling("lost").completes(5).fails(20).interrupted(20)
    later = Telling("later").completes(5).fails(20).interrupted(20).completes(20)

    told = episodes(attempts(lost, later)).sort("build")

    assert told["censored"].to_list() == [None, "interrupted"]
    assert told["recovered"].to_list() == [True, None]


def test_an_interrupted_attempt_never_counts_as_failed() -> None:
    """There are as many episodes as failed attempts."""
    assert episodes(
        attempts(Telling().completes(5).interrupted(20).starts_over().completes(5).completes(20))
    ).is_empty()


def test_changed_inputs_make_it_another_experiment() -> None:
    """A pass with other inputs proves that the change helped, not that another attempt does."""
    build = Telling().fails(20, inputs="a").completes(20, inputs="b")

    told = only(attempts(build))

    assert (told["changed_inputs"], told["recovered"], told["censored"]) == (True, True, "changed_inputs")


def test_a_state_done_by_hand_tells_nothing() -> None:
    """Who skips a state repaired it; another attempt proved nothing."""
    assert only(attempts(Telling().fails(20).skips(20)))["censored"] == "skipped"


def test_the_same_failure_is_told_from_another() -> None:
    """The next failure can be the same again or a new one."""
    build = Telling().fails(20, "net.timeout").fails(20, "net.timeout").fails(20, "disk.full").completes(20)

    assert episodes(attempts(build))["same_signature"].to_list() == [True, False, None]


def test_a_later_run_that_went_past_the_state_has_passed_it() -> None:
    """Steps change their names; a run that reached a later state was not stopped by this one."""
    told = only(attempts(Telling().completes(5).fails(20).starts_over().completes(5).completes(30)))

    assert (told["next"], told["recovered"]) == ("start_over", True)


def test_failures_in_one_outage_are_one_incident() -> None:
    """Builds that fail alike one after the other, with nobody passing in between, met one thing."""
    builds = [Telling(f"b-{number}", at=60.0 * number).fails(20) for number in range(5)]
    later = [Telling("good", at=900.0).completes(20, 60), Telling("bad", at=1200.0).fails(20)]

    told = episodes(attempts(builds, later)).sort("over")

    assert told["incident"].n_unique() == 2
    assert told["incident_size"].to_list() == [5, 5, 5, 5, 5, 1]


def test_messages_without_a_class_get_the_meaning_a_live_failure_gets() -> None:
    """What was imported with nothing but a message is read by the classifier that reads live failures."""
    line = "curl: (28) Connection timed out after 30001 milliseconds"
    told = only(attempts(Telling().fails(5, None, failure_class=None, error=line, exit_code=28)))
    live = Classifier().classify(line.encode(), exit_code=28)

    assert (told["class"], told["signature"]) == (live.failure_class, live.signature)


def test_a_class_that_the_history_names_is_kept() -> None:
    """We never overrule what was recorded."""
    frame = attempts(Telling().fails(5, None, failure_class="dirty", error="Connection timed out"))

    assert understood(frame)["class"].to_list() == ["dirty"]


@pytest.mark.parametrize("rows", [0, 1])
def test_a_history_without_failures_has_no_episodes(rows: int) -> None:
    """Empty and green histories are no special case."""
    assert episodes(attempts([Telling().completes(5)] * rows)).is_empty()
