"""When a completed state holds, and the field that says it does not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.histories import T0, completes, fails, history, interrupts, restarts
from tests.supervise.projects import completed, project_in
from toolkit.core import events as ev
from toolkit.core.pipeline import StateConfig
from toolkit.core.progress import Progress, apply, fold
from toolkit.core.situation import Validity
from toolkit.supervise.checkpoints import save
from toolkit.supervise.holder import this_process
from toolkit.supervise.validity import restore_point, validity

if TYPE_CHECKING:
    from pathlib import Path

    from toolkit.project import Project

HOLDS = True


def state(code: int = 5, **fields: Any) -> StateConfig:
    return StateConfig(code=code, **fields)


def asked(progress: Progress, project: Project, code: int = 5, **when: Any) -> tuple[bool, str]:
    """Ask, and give the answer as a pair."""
    answer = validity(progress, project.state(code), project, **when)
    assert answer is not None
    return answer.ok, answer.why


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project folder with an input and an output in it."""
    (tmp_path / "ks.cfg").write_text("lang en_US\n")
    (tmp_path / "green.qcow2").write_text("a disk\n")
    return tmp_path


def test_what_never_completed_is_not_judged(folder: Path) -> None:
    """There is nothing to say about a state that failed or was never reached."""
    project = project_in(folder, state(5), state(20))
    progress = completed(project, fails(5))

    assert validity(progress, project.state(5), project) is None
    assert validity(progress, project.state(20), project) is None


def test_unchanged_is_valid(folder: Path) -> None:
    """A state whose inputs and outputs are what they were holds, and says that this is why."""
    project = project_in(folder, state(inputs=("ks.cfg",), outputs=("green.qcow2",), verify="true", revalidate="true"))

    assert asked(completed(project), project) == (
        HOLDS, "completed in attempt 1: inputs and outputs unchanged, `verify` passes, `revalidate` passes",
    )  # fmt: skip


def test_each_field_that_changed_is_named(folder: Path) -> None:
    """Inputs and outputs are told field by field, file by file."""
    project = project_in(folder, state(inputs=("ks.cfg", "env:RELEASE"), outputs=("green.qcow2",)))
    progress = completed(project)
    (folder / "ks.cfg").write_text("lang de_DE\n")
    (folder / "green.qcow2").unlink()

    assert asked(progress, project) == (not HOLDS, "inputs: ks.cfg changed; outputs: green.qcow2 missing")


def test_outputs_that_were_never_recorded_prove_nothing(folder: Path) -> None:
    """A state that completed under another phase, without a fingerprint, runs again where it declares outputs."""
    project = project_in(folder, state(outputs=("green.qcow2",)))
    progress = fold(history(completes(5), host=os.uname().nodename))

    assert asked(progress, project) == (not HOLDS, "outputs: none were recorded")


@pytest.mark.parametrize("field", ["verify", "revalidate"])
def test_probes(folder: Path, field: str) -> None:
    """A probe that fails is quoted, with its exit code and the last thing it said; secrets are not."""
    project = project_in(folder, state().but(**{field: "echo looking; echo token=${MY_TOKEN-none} >&2; exit 3"}))
    progress = completed(project)

    assert asked(progress, project) == (
        not HOLDS, f"{field}: `echo looking; echo token=${{MY_TOKEN-none}} >&2; exit 3` ended with 3: token=none",
    )  # fmt: skip


def test_probes_know_the_project_and_not_the_wire(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe runs in the project's folder, and cannot take itself for a step of the build."""
    monkeypatch.setenv("TOOLKIT_WIRE", "1:2:/nowhere")
    probe = '[ -e ks.cfg ] && [ -z "${TOOLKIT_WIRE-}" ] && [ "$TOOLKIT_STATE" = 5 ]'
    project = project_in(folder, state(revalidate=probe))

    assert asked(completed(project), project)[0] is HOLDS


def test_secrets_stay_out_of_what_probes_say(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a probe prints is recorded as a reason, so it is cleaned like a log."""
    monkeypatch.setenv("MY_TOKEN", "s3cr3t-s3cr3t")
    project = project_in(folder, state(revalidate='echo "refused $MY_TOKEN"; false'))

    assert "s3cr3t" not in asked(completed(project), project)[1]


def test_a_cheap_no_spares_the_probes(folder: Path) -> None:
    """Probes may cost much; they are not run to find out what is known already."""
    project = project_in(folder, state(inputs=("ks.cfg",), verify="touch probed"))
    progress = completed(project)
    (folder / "ks.cfg").write_text("changed")

    assert asked(progress, project) == (not HOLDS, "inputs: ks.cfg changed")
    assert not (folder / "probed").exists()


def test_max_age(folder: Path) -> None:
    """What completed too long ago does not hold, whatever its content."""
    project = project_in(folder, state(max_age=3600.0))
    progress = completed(project)

    assert asked(progress, project, now_ms=T0 + 3_600_000)[0] is HOLDS
    assert asked(progress, project, now_ms=T0 + 7_260_000) == (
        not HOLDS, "max_age: it completed 2h ago, and holds for 1h",
    )  # fmt: skip


def test_a_later_attempt_that_did_not_complete(folder: Path) -> None:
    """A state that was begun again and left half done is not what it was when it completed."""
    project = project_in(folder, state(5))

    failed = completed(project, completes(5), restarts(), fails(5))
    assert asked(failed, project) == (not HOLDS, "attempt 2 at it came later and failed")
    interrupted = completed(project, completes(5), restarts(), interrupts(5))
    assert asked(interrupted, project) == (not HOLDS, "attempt 2 at it came later and was interrupted")


def test_what_ran_before_it_in_a_later_run(folder: Path) -> None:
    """A state made from what an earlier one made before it ran again does not hold, however many runs ago that was."""
    project = project_in(folder, state(5), state(20))
    progress = completed(
        project, completes(5), completes(20), fails(30), restarts(), completes(5), interrupts(20), restarts()
    )
    first = completed(project, completes(5), completes(20), fails(30), restarts(), completes(5), restarts(), fails(40))

    assert asked(progress, project, 5)[0] is HOLDS
    assert asked(progress, project, 20)[0] is not HOLDS
    assert asked(first, project, 20) == (not HOLDS, "state 5 before it ran since")


def test_a_run_that_died_before_its_first_state_changes_nothing(folder: Path) -> None:
    """A script with a syntax error, run and corrected, leaves every completed state as it was."""
    project = project_in(folder, state(5), state(20))
    progress = completed(project, completes(5), completes(20), fails(30), restarts(), fails(0, name="start"))

    assert asked(progress, project, 20)[0] is HOLDS


def test_a_state_that_is_entered_twice_in_a_run_runs_twice(folder: Path) -> None:
    """A build may go through a state several times; only a later run may leave out what an earlier one did."""
    project = project_in(folder, state(5))
    progress = fold(history(completes(5), host=os.uname().nodename, holder=this_process()))

    assert asked(progress, project) == (not HOLDS, "the build entered it again in the same run")


def test_what_completed_elsewhere_needs_a_proof_here(folder: Path) -> None:
    """On another machine a state holds only by what it declares about its result."""
    bare, proven = project_in(folder, state(5)), project_in(folder, state(5, revalidate="true"))
    progress = fold(history(completes(5), host="builder9"))

    assert asked(progress, bare) == (
        not HOLDS, "host: it completed on builder9, and nothing that it declares proves it here",
    )  # fmt: skip
    assert asked(progress, proven)[0] is HOLDS


def test_done_by_hand(folder: Path) -> None:
    """What a person declared done holds, until an earlier state runs again or it is attempted after all."""
    project = project_in(folder, state(5), state(20, inputs=("ks.cfg",)))
    progress = completed(project, completes(5), fails(20))
    skip = ev.StateSkipped(build=progress.build, ts_ms=T0 + 200_000, run=1, state=20, reason="checked on the VM")
    skipped = apply(progress, skip)

    assert asked(skipped, project, 20) == (HOLDS, "done by hand: checked on the VM")
    again = [
        ev.RunStarted(build=progress.build, ts_ms=T0 + 300_000, run=2),
        ev.AttemptStarted(build=progress.build, ts_ms=T0 + 300_000, run=2, state=5, attempt=2),
    ]
    assert asked(fold(again, skipped), project, 20) == (not HOLDS, "state 5 before it ran since")
    attempted = ev.AttemptStarted(build=progress.build, ts_ms=T0 + 300_000, run=2, state=20, attempt=2)
    assert validity(fold([again[0], attempted], skipped), project.state(20), project) is None


def test_a_file_that_went_on_to_a_later_state(folder: Path) -> None:
    """Where a later state declares the same output, what it left is what counts, for both."""
    project = project_in(folder, state(5, outputs=("green.qcow2",)), state(20, outputs=("green.qcow2",)))
    early = completed(project, completes(5))
    (folder / "green.qcow2").write_text("a disk, provisioned\n")
    assert asked(early, project, 5) == (not HOLDS, "outputs: green.qcow2 changed")

    late = completed(project, completes(20))
    both = early.but(completions={**early.completions, **late.completions}, counts={5: 1, 20: 1})
    assert asked(both, project, 5)[0] is HOLDS
    assert asked(both, project, 20)[0] is HOLDS
    (folder / "green.qcow2").write_text("a disk, half tested\n")
    assert [asked(both, project, code)[0] for code in (5, 20)] == [not HOLDS, not HOLDS]


KEEPS = {"checkpoint": "cp green.qcow2 $TOOLKIT_CHECKPOINT/", "restore": "cp $TOOLKIT_CHECKPOINT/green.qcow2 ."}


def test_a_checkpoint_gives_outputs_back(folder: Path) -> None:
    """Outputs that something half done spoilt do not matter where a checkpoint holds them; what came after it does."""
    project = project_in(folder, state(5, outputs=("green.qcow2",), **KEEPS), state(10))
    progress = completed(project)
    assert save(project.state(5), project, progress.build, 1) == ""
    assert asked(progress, project, 10)[0] is HOLDS
    (folder / "green.qcow2").write_text("half provisioned")

    assert asked(progress, project, 5) == (HOLDS, "completed in attempt 1: its checkpoint gives its outputs back")
    assert asked(progress, project, 10) == (
        not HOLDS, "checkpoint: the build goes back to that of state 5, which is from before it",
    )  # fmt: skip
    point = restore_point(progress, project.state(5), project)
    assert point is not None
    assert (point.state, point.attempt) == (5, 1)
    assert restore_point(progress, project.state(10), project) is None


def test_answers_compare_as_values(folder: Path) -> None:
    """Asking changes nothing: the same question has the same answer."""
    project = project_in(folder, state(inputs=("ks.cfg",)))
    progress = completed(project)
    first = validity(progress, project.state(5), project)

    assert (
        first
        == validity(progress, project.state(5), project)
        == Validity(ok=True, why="completed in attempt 1: inputs unchanged")
    )
