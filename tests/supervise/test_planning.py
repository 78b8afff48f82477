"""A plan says what a run would do, for the reason that the run would give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phases import phase
from tests.histories import completes, fails, history, interrupts, restarts
from tests.supervise.projects import completed, project_in
from toolkit.core import events as ev
from toolkit.core.action import Reuse, Run, Stop
from toolkit.core.pipeline import StateConfig
from toolkit.core.policy import Policy
from toolkit.core.progress import apply
from toolkit.core.situation import Diagnosis, Situation, Validity
from toolkit.core.span import Span, span_of
from toolkit.errors import NotFound, Refused, UsageError
from toolkit.store import open_store
from toolkit.supervise.planning import Experience, learn, plan
from toolkit.supervise.selecting import Selection, narrowed, selection

if TYPE_CHECKING:
    from pathlib import Path

    from toolkit.core.progress import Progress
    from toolkit.project import Project
    from toolkit.supervise.planning import Plan

FULL_RESUME = phase("full-resume")
CODES = (5, 20, 40, 70)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Four states, each made from a file of its own."""
    for code in CODES:
        (tmp_path / f"{code}.cfg").write_text("as it was")
    return project_in(tmp_path, *(StateConfig(code=code, name=f"s{code}", inputs=(f"{code}.cfg",)) for code in CODES))


def planned(project: Project, progress: Progress | None, **how: Any) -> Plan:
    return plan(progress, project, FULL_RESUME, **how)


def actions(told: Plan) -> dict[int, str]:
    return {each.code: each.action for each in told.states}


def reasons(told: Plan) -> dict[int, str]:
    return {each.code: each.why for each in told.states}


def test_the_failed_state_and_what_follows_it(project: Project) -> None:
    """What completed is reused, what failed runs, and so does what was never reached."""
    told = planned(project, completed(project, completes(5), completes(20), fails(40)))

    assert actions(told) == {5: "reuse", 20: "reuse", 40: "run", 70: "run"}
    assert reasons(told)[20] == "completed in attempt 1: inputs unchanged"
    assert reasons(told)[40] == "it has not completed in this build"
    assert told.entry is not None
    assert told.entry.code == 40


def test_a_changed_state_invalidates_what_follows_it_not_what_precedes_it(project: Project, tmp_path: Path) -> None:
    """The change is named where it is, and what comes after says whom it follows."""
    progress = completed(project, completes(5), completes(20), completes(40), fails(70))
    (tmp_path / "20.cfg").write_text("changed")

    assert reasons(planned(project, progress)) == {
        5: "completed in attempt 1: inputs unchanged",
        20: "inputs: 20.cfg changed",
        40: "state 20 before it ran again",
        70: "it has not completed in this build",
    }


def test_a_state_that_the_corrected_script_inserts(project: Project) -> None:
    """A new state in the middle runs, and with it what was made without it."""
    told = planned(project, completed(project, completes(5), completes(40), fails(70)))

    assert actions(told) == {5: "reuse", 20: "run", 40: "run", 70: "run"}


def test_a_new_build(project: Project) -> None:
    """Before anything has begun, everything runs."""
    told = planned(project, None)

    assert set(actions(told).values()) == {"run"}
    assert told.build is None


def test_degraded_builds_and_those_that_may_not_resume_start_over(project: Project) -> None:
    """Where the record may have holes, or where it is forbidden, nothing is reused, and the plan says why."""
    progress = completed(project, completes(5), fails(20))
    degraded = apply(progress, ev.RecordDegraded(build=progress.build, ts_ms=0, reason="disk full"))
    release = progress.but(labels={"kind": "release"})
    strict = project.but(pipeline=project.pipeline.but(never_resume=("kind=release",)))

    assert reasons(planned(project, degraded))[5] == "the record of this build may have holes"
    assert reasons(planned(strict, release))[5] == "this build always runs from its first state on"
    assert actions(planned(strict, progress))[5] == "reuse"


def test_seconds(project: Project) -> None:
    """What a plan costs is what its states used to take, with range and n; what nobody knows is said to be unknown."""
    experience = Experience(
        seconds={5: span_of([600.0] * 9), 20: span_of([50.0, 60.0, 80.0]), 40: span_of([30.0])}, names={}
    )
    told = planned(project, completed(project, completes(5), fails(20)), experience=experience)

    assert told.expected == Span(median=90.0, low=82.0, high=106.0, n=1)
    assert told.expected.text == "1m 30s (n=1)"
    assert told.start_over is not None
    assert (told.start_over.median, told.start_over.n, told.unknown) == (690.0, 1, (70,))
    assert told.shape["states"][0] == {
        "code": 5, "name": "s5", "action": "reuse", "why": "completed in attempt 1: inputs unchanged",
        "expected_seconds": 600.0, "expected": {"median": 600.0, "low": 600.0, "high": 600.0, "n": 9},
    }  # fmt: skip
    assert told.shape["expected"] == {"median": 90.0, "low": 82.0, "high": 106.0, "n": 1}
    assert planned(project, None).expected is None


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30))
def test_a_span_lies_among_what_it_sums_up(durations: list[float]) -> None:
    """Median and range are in order, within what was recorded, and say how much that was."""
    told = span_of(durations)

    assert min(durations) - 0.001 <= told.low <= told.median <= told.high <= max(durations) + 0.001
    assert f"n={len(durations)})" in told.text


def test_experience_comes_from_the_last_builds(tmp_path: Path) -> None:
    """Medians of what completed, in the pipeline's last builds; its states are those of the last good one."""
    store = open_store(f"sqlite:///{tmp_path}/history.db")
    for number, minutes in enumerate((1, 3, 2), 1):
        words = (completes(5, "kickstart"), fails(20), completes(20, "base"), completes(100 if number == 2 else 20))
        told = history(*words[: 4 if number == 2 else 2], build=f"b-000{number}", pace_ms=minutes * 60_000)
        store.import_builds([(f"b-000{number}", told)])
    store.import_builds([("other", history(completes(5), build="other", pipeline="another", pace_ms=999_000))])
    learnt = learn(store, "golden-image")
    store.close()

    assert {code: (each.median, each.n) for code, each in learnt.seconds.items()} == {
        5: (120.0, 3), 20: (180.0, 1), 100: (180.0, 1),
    }  # fmt: skip
    assert learnt.seconds[5].text == "2m (1m 12s to 2m 48s, n=3)"
    assert learnt.names == {5: "kickstart", 20: "base", 100: None}


def test_states_that_only_the_script_knows(tmp_path: Path) -> None:
    """A project that configures no states plans those that its builds told of."""
    project = project_in(tmp_path)
    progress = completed(project, completes(5, "kickstart"), fails(20), restarts(), fails(0, name="start"))

    assert actions(planned(project, progress, experience=Experience(names={100: "done"}))) == {
        5: "reuse", 20: "run", 100: "run",
    }  # fmt: skip


def test_a_start_that_the_script_tells_of_is_planned(tmp_path: Path) -> None:
    """State 0 stands for a run that told of nothing; one of the script's own is a state like any other."""
    project = project_in(tmp_path)
    told = completed(project, completes(0, "start"), completes(5, "kickstart"), fails(20))

    assert actions(planned(project, told)) == {0: "reuse", 5: "reuse", 20: "run"}
    names = {0: "start", 5: "kickstart"}
    assert actions(planned(project, None, experience=Experience(names=names))) == {0: "run", 5: "run"}


# ---------------------------------------------------------------- --from, --through, --only


def test_from_runs_what_would_be_reused(project: Project) -> None:
    """From the state asked for on, everything runs, valid or not; what comes before is reused."""
    told = planned(project, completed(project, *map(completes, CODES)), asked=selection(CODES, from_=40))

    assert reasons(told) == {
        5: "completed in attempt 1: inputs unchanged",
        20: "completed in attempt 1: inputs unchanged",
        40: "asked for",
        70: "asked for",
    }


def test_through_and_only_leave_out_the_rest(project: Project) -> None:
    """Behind the last state that was asked for, nothing is planned."""
    progress = completed(project, completes(5), fails(20))
    through = planned(project, progress, asked=selection(CODES, through=40))
    only = planned(project, progress, asked=selection(CODES, only=20))

    assert (actions(through), through.left_out) == ({5: "reuse", 20: "run", 40: "run"}, (70,))
    assert (actions(only), only.left_out) == ({5: "reuse", 20: "run"}, (40, 70))


def test_from_needs_what_comes_before(project: Project, tmp_path: Path) -> None:
    """Going on in the middle of what never was, or is no longer, is refused; by force only the former is."""
    progress = completed(project, completes(5), completes(20), fails(40))
    with pytest.raises(Refused, match="state 40 s40 before state 70 cannot be reused: it has not completed"):
        planned(project, progress, asked=selection(CODES, from_=70))
    with pytest.raises(Refused):
        planned(project, progress, asked=selection(CODES, from_=70, force=True))
    (tmp_path / "5.cfg").write_text("changed")
    with pytest.raises(Refused, match=r"state 5 s5 before state 40 cannot be reused: inputs: 5\.cfg changed"):
        planned(project, progress, asked=selection(CODES, from_=40))

    forced = planned(project, progress, asked=selection(CODES, from_=40, force=True))
    assert reasons(forced)[5] == "by force, although: inputs: 5.cfg changed"
    assert actions(forced) == {5: "reuse", 20: "reuse", 40: "run", 70: "run"}


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"only": 20, "from_": 5}, UsageError),
        ({"only": 20, "through": 40}, UsageError),
        ({"from_": 40, "through": 20}, UsageError),
        ({"force": True}, UsageError),
        ({"from_": 6}, NotFound),
        ({"through": 99}, NotFound),
    ],
)
def test_contradictions(asked: dict[str, Any], error: type[Exception]) -> None:
    """What makes no sense is said at once; a state that there is not is looked for among those that there are."""
    with pytest.raises(error):
        selection(CODES, **asked)
    if error is NotFound:
        assert selection((), **asked) == Selection(first=asked.get("from_"), last=asked.get("through"))


@given(
    code=st.sampled_from(CODES), first=st.sampled_from((None, *CODES)), last=st.sampled_from((None, *CODES)),
    force=st.booleans(), held=st.sampled_from((None, Validity(ok=True, why="same"), Validity(ok=False, why="other"))),
    failed=st.booleans(),
)  # fmt: skip
def test_a_narrowed_phase(  # noqa: PLR0917 - what is drawn
    code: int, first: int | None, last: int | None, force: bool, held: Validity | None, failed: bool
) -> None:
    """Asking for a part moves where a build goes on and stops; failures are met as ever, nothing unmade is reused."""
    situation = Situation(
        state=StateConfig(code=code), validity=held, failure=Diagnosis(signature="net.timeout") if failed else None
    )
    bare = FULL_RESUME(situation, Policy())
    action = narrowed(FULL_RESUME, Selection(first=first, last=last, force=force))(situation, Policy())

    if failed or (first is None and (last is None or code <= last)):
        assert action == bare
    elif last is not None and code > last:
        assert isinstance(action, Stop)
    elif first is not None and code >= first:
        assert isinstance(action, Run)
    else:
        assert isinstance(action, Reuse) == (held is not None and (held.ok or force))
        assert isinstance(action, Reuse | Stop)


STEPS = st.lists(
    st.sampled_from(CODES).flatmap(
        lambda code: st.sampled_from([completes(code), fails(code), interrupts(code), restarts()])
    ),
    max_size=12,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_nothing_is_reused_behind_what_runs(project: Project, steps: list[Any]) -> None:
    """Whatever happened so far: a plan reuses a beginning, runs the rest, and reuses only what once completed."""
    progress = completed(project, completes(5), *steps)
    told = planned(project, progress)
    order = [each.action for each in told.states]

    assert order == sorted(order)
    assert all(each.code in progress.completions for each in told.states if each.action == "reuse")
