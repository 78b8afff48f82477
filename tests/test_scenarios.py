"""Real builds, read from their logs alone: what failed is understood, and each phase decides as expected.

`expected.json` holds the truth, because we provoked it. A careful reader of the log may say something else now and
then; what it may say stands there as `acceptable`.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from phases import phase
from toolkit.core import events as ev
from toolkit.core.failure import Classifier
from toolkit.core.interchange import interchange
from toolkit.core.pipeline import StateConfig
from toolkit.core.policy import Policy
from toolkit.core.progress import Attempt, Progress, fold
from toolkit.core.situation import Situation, after_failure
from toolkit.importers.events import read_events
from toolkit.importers.rawlog import read_log

SAMPLES: Final = Path(__file__).resolve().parent.parent / "sample_logs"
SCENARIOS: Final = sorted(
    path.parent for path in SAMPLES.glob("*/expected.json") if path.with_name("build.log").exists()
)
CLASSIFIER: Final = Classifier()

scenarios = pytest.mark.parametrize("folder", SCENARIOS, ids=lambda folder: folder.name)


@cache
def expected(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "expected.json").read_text())
    return found


@cache
def facts(folder: Path) -> tuple[ev.Event, ...]:
    """Give what the importer makes of a scenario's log, told only how its last run ended."""
    truth = expected(folder)
    with (folder / "build.log").open("rb") as log:
        _, told = read_log(
            log, "build.log", build=truth["build"], written_ms=1_772_359_200_000, pipeline=truth["pipeline"],
            exit_code=truth["runs"][-1]["exit_code"], classifier=CLASSIFIER,
        )  # fmt: skip
    return tuple(told)


def failed(progress: Progress) -> list[Attempt]:
    return [each for each in progress.attempts if each.status == "failed"]


def places(progress: Progress) -> list[tuple[int, int, str | None, int, int | None]]:
    return [(each.run, each.state, each.name, each.attempt, each.exit_code) for each in failed(progress)]


def after(folder: Path, failure: dict[str, Any]) -> tuple[Situation, Attempt]:
    """Give the situation in which a failure leaves its build, and the attempt as it was understood."""
    at = (failure["run"], failure["state"], failure["attempt"])
    known: list[ev.Event] = []
    for fact in facts(folder):
        if isinstance(fact, ev.RunStarted) and fact.run > failure["run"]:
            break
        known.append(fact)
    progress = fold(known)
    attempt = next(each for each in failed(progress) if (each.run, each.state, each.attempt) == at)
    state = StateConfig(code=failure["state"], name=failure["name"], strategy=failure["strategy"])
    return after_failure(progress, state, now_ms=progress.updated_ms or 0), attempt


def decisions(situation: Situation) -> dict[str, str]:
    return {
        name: phase(name)(situation, Policy()).name for name in ("track-only", "selective-retry", "full-resume")
    }  # fmt: skip


@scenarios
def test_a_log_ends_where_its_build_did(folder: Path) -> None:
    """The markers tell final state, status and number of runs, also of a build that was cancelled."""
    truth, progress = expected(folder), fold(facts(folder))

    assert (progress.status, progress.current, progress.run) == (
        truth["status"],
        truth["currentState"],
        len(truth["runs"]),
    )


@scenarios
def test_what_failed_is_found(folder: Path) -> None:
    """Each failure has its run, state, attempt and exit code, and there are no others."""
    truth = expected(folder)["failures"]
    told = [(each["run"], each["state"], each["name"], each["attempt"], each["exit_code"]) for each in truth]

    assert places(fold(facts(folder))) == told


@scenarios
def test_what_failed_is_understood(folder: Path) -> None:
    """Class and signature are the truth, or what a careful reader of the log would say."""
    for failure, attempt in zip(expected(folder)["failures"], failed(fold(facts(folder))), strict=True):
        acceptable = failure["acceptable"]

        assert attempt.failure_class in acceptable["classes"]
        assert attempt.signature in acceptable["signatures"] or attempt.failure_class == "unknown"
        assert attempt.evidence[0][1].strip()


@scenarios
def test_the_proof_is_at_hand(folder: Path) -> None:
    """The line that proves a failure is among those that a person is shown."""
    for failure, attempt in zip(expected(folder)["failures"], failed(fold(facts(folder))), strict=True):
        shown = [text for _, text in attempt.evidence]

        assert any(failure["evidence"]["text"] in text for text in shown), shown


@scenarios
def test_recorded_events_tell_the_same_as_the_log(folder: Path) -> None:
    """Who imports the events of a build gets the attempts that are read from its log."""
    ((build, recorded),) = read_events(folder / "events.jsonl", "events.jsonl")
    read = fold(facts(folder))
    told = [(each["state"], each["status"]) for each in interchange(recorded)]

    assert build == read.build
    assert told == [(each["state"], each["status"]) for each in interchange(facts(folder))]
    assert (fold(recorded).status, fold(recorded).current, places(fold(recorded))) == (
        read.status,
        read.current,
        places(read),
    )


@scenarios
def test_each_phase_decides_as_expected(folder: Path) -> None:
    """Decisions follow from the truth; and from what was understood, wherever that is of the truth's group."""
    for failure in expected(folder)["failures"]:
        situation, attempt = after(folder, failure)
        assert situation.failure is not None
        truth = situation.but(failure=situation.failure.but(failure_class=failure["class"]))

        assert decisions(truth) == failure["decisions"]
        if situation.failure.group == failure["group"]:
            assert decisions(situation) == failure["decisions"], attempt.signature


@scenarios
def test_nothing_is_retried_that_should_not_be(folder: Path) -> None:
    """Where a log misleads, it misleads towards caution: nobody retries in place what the truth would not."""
    for failure in expected(folder)["failures"]:
        situation, _ = after(folder, failure)
        for name, decided in decisions(situation).items():
            assert decided != "retry" or failure["decisions"][name] == "retry"


def test_there_are_scenarios() -> None:
    """A test over no folders would promise nothing."""
    assert len(SCENARIOS) >= 20
    assert sum(len(expected(folder)["failures"]) for folder in SCENARIOS) >= 20
