"""The sample logs are true to themselves: log, events and expectations of each scenario agree, and name no machine."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from toolkit.core.classes import GROUP_OF
from toolkit.core.progress import fold
from toolkit.importers.events import read_events

SAMPLES = Path(__file__).resolve().parent.parent / "sample_logs"
SCENARIOS = sorted(path.parent for path in SAMPLES.glob("*/expected.json"))
LOGGED = [folder for folder in SCENARIOS if (folder / "build.log").exists()]
MARKER = re.compile(rb"^::state (\d+) (started|completed|failed)")
HOST = re.compile(rb"(?:https?|git|ssh)://([^\s/:'\"]+)")
OURS = re.compile(rb"[\w-]+\.example|localhost|127\.0\.0\.\d+|192\.0\.2\.\d+")
HOME = re.compile(rb"(?<![\w./-])/(?:root|home/(?!builder)[\w-]+)/")


def facts(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "expected.json").read_text())
    return found


def events(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def test_there_are_three_pipelines_and_a_history() -> None:
    """Successes and failures of at least three pipelines, and some weeks of one."""
    pipelines = {facts(folder)["pipeline"] for folder in LOGGED}

    assert len(pipelines) >= 3
    assert facts(SAMPLES / "history")["builds"] >= 60
    assert {facts(folder)["status"] for folder in LOGGED} == {"completed", "failed", "interrupted"}


@pytest.mark.parametrize("folder", SCENARIOS, ids=lambda folder: folder.name)
def test_events_can_be_imported_and_end_as_expected(folder: Path) -> None:
    """The importer takes every line, and the fold of a build ends where the expectations say."""
    expected = facts(folder)
    path = folder / "events.jsonl"
    builds = {build: fold(told) for build, told in read_events(path, path.name)}

    if "build" in expected:
        (progress,) = builds.values()
        assert (progress.build, progress.current) == (expected["build"], expected["currentState"])
        assert progress.run == len(expected["runs"])
        assert len([each for each in progress.attempts if each.status == "failed"]) == len(expected["failures"])
    else:
        assert len(builds) == expected["builds"]
        assert sum(progress.run for progress in builds.values()) == expected["runs"]


@pytest.mark.parametrize("folder", LOGGED, ids=lambda folder: folder.name)
def test_events_say_what_the_markers_say(folder: Path) -> None:
    """Each marker has its event, in order; only an end without a marker (a signal) has an event alone."""
    lines = (folder / "build.log").read_bytes().splitlines()
    marks = [(int(mark[1]), mark[2].decode()) for mark in map(MARKER.match, lines) if mark]
    told = [(event["state"], event["status"]) for event in events(folder)]

    assert told[: len(marks)] == marks
    assert all(status in {"failed", "interrupted"} for _, status in told[len(marks) :])


@pytest.mark.parametrize("folder", LOGGED, ids=lambda folder: folder.name)
def test_expectations_point_into_the_log(folder: Path) -> None:
    """Runs cover the log, and every failure's evidence stands where it is said to stand."""
    expected = facts(folder)
    lines = (folder / "build.log").read_bytes().decode(errors="replace").split("\n")

    assert [run["lines"][0] for run in expected["runs"]] == [1, *(run["lines"][1] + 1 for run in expected["runs"][:-1])]
    assert expected["runs"][-1]["lines"][1] == len(lines) - 1
    for failure in expected["failures"]:
        first, last = failure["lines"]
        assert lines[first - 1].startswith(f"::state {failure['state']} started")
        assert failure["class"] in failure["acceptable"]["classes"]
        for number in failure["evidence"]["lines"]:
            assert first <= number <= last
            assert failure["evidence"]["text"] in lines[number - 1]


@pytest.mark.parametrize("folder", SCENARIOS, ids=lambda folder: folder.name)
def test_decisions_climb_the_ladder(folder: Path) -> None:
    """Track-only lets every failure pass, and full-resume retries exactly when selective-retry does."""
    for failure in facts(folder)["failures"]:
        assert failure["group"] == GROUP_OF[failure["class"]]
        if "decisions" in failure:
            selective, full = failure["decisions"]["selective-retry"], failure["decisions"]["full-resume"]
            assert failure["decisions"]["track-only"] == "stop"
            assert (selective == "retry") == (full == "retry")


@pytest.mark.parametrize("path", sorted(SAMPLES.rglob("*")), ids=lambda path: str(path.relative_to(SAMPLES)))
def test_no_sample_names_the_machine_that_made_it(path: Path) -> None:
    """Every address is one of the sandbox's, no path leads into somebody's home; and no log is too long to be read."""
    if path.suffix not in {".log", ".jsonl", ".json"} or not path.is_file():
        return
    content = path.read_bytes()

    assert [host for host in HOST.findall(content) if not OURS.fullmatch(host)] == []
    assert HOME.search(content) is None
    assert path.suffix != ".log" or len(content) < 150_000
