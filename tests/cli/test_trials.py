"""A phase on trial: its shadow while builds are only tracked, then a share of the builds, and the way back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from phases.rollout import arm_of

if TYPE_CHECKING:
    from tests.transcripts import Shell

TIMES_OUT = "echo 'curl: (28) Connection timed out after 3000 ms' >&2; exit 28"
SOON = '[strategies.quick]\nwait = "0s"\njitter = false\n'


def test_a_tracked_failure_tells_what_the_other_phases_would_have_done(shell: Shell) -> None:
    """Phase 1 lets the failure through and writes down the decisions of phases 2 and 3 beside it."""
    (shell.folder / "toolkit.toml").write_text('[[states]]\ncode = 5\nstrategy = "expensive"\n')
    build = shell.script("build.sh", f'#!/bin/sh\n. "$TOOLKIT_SHELL"\nstate 5 kickstart -- sh -c "{TIMES_OUT}"\n')

    assert shell.run("run", "--", build)[0] == 28

    failed = shell.json("history")["events"][-1]
    assert (failed["status"], failed["decision"]["action"]) == ("failed", "stop")
    assert {phase: told["action"] for phase, told in failed["shadow"].items()} == {
        "selective-retry": "retry",
        "full-resume": "retry",
    }
    assert "full-resume      would retry" in shell.run("why")[1]


def test_a_share_of_the_builds_follows_the_new_phase(shell: Shell) -> None:
    """Each build follows the phase of its arm, which its name alone decides; the record says which."""
    (shell.folder / "toolkit.toml").write_text(
        f'phase = "selective-retry"\nshare = 0.5\n[rest]\nphase = "track-only"\n{SOON}'
        '[[states]]\ncode = 5\nstrategy = "quick"\nrun = "[ $TOOLKIT_ATTEMPT = 2 ] || { %s; }"\n' % TIMES_OUT
    )
    builds = [f"b-{number}" for number in range(1, 9)]
    new = [build for build in builds if arm_of(build, 0.5) == "new"]

    ended = {build: shell.run("run", "--build", build)[0] for build in builds}

    assert 0 < len(new) < len(builds)
    assert [build for build in builds if ended[build] == 0] == new
    told = shell.json("sql", "select distinct build, phase from attempts order by build")["rows"]
    assert [each["build"] for each in told] == builds
    assert [each["build"] for each in told if each["phase"] == "selective-retry"] == new


def recorded(shell: Shell, *, builds: int, harmed: str) -> None:
    """Import builds of a trial on half of them: an hour each, and five for most of the harmed arm."""
    lines = []
    for number in range(builds):
        build, begun = f"old-{number:03}", datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=8 * number)
        arm = arm_of(build, 0.5)
        hours = 5 if arm == harmed and number % 5 else 1
        phase = "selective-retry" if arm == "new" else "track-only"
        for status, ts in (("started", begun), ("completed", begun + timedelta(hours=hours, minutes=number % 7))):
            told = {"build": build, "pipeline": "trial", "state": 5, "status": status, "phase": phase}
            lines.append(json.dumps({**told, "ts": ts.isoformat().replace("+00:00", "Z")}))
    (shell.folder / "old.jsonl").write_text("\n".join(lines) + "\n")
    assert shell.run("import", "old.jsonl")[0] == 0


TRIAL = """phase = "selective-retry"   # on trial
share = 0.5
[rest]
phase = "track-only"
[pipeline]
name = "trial"
[[states]]
code = 5
run = "true"
"""


def test_a_harmful_phase_takes_itself_back(shell: Shell) -> None:
    """When the next build ends, toolkit.toml is as before the trial, and the record says why, with the evidence."""
    (shell.folder / "toolkit.toml").write_text(
        f'{TRIAL}[notify]\ncommand = "cat >> told; echo $TOOLKIT_TITLE >> told"\n'
    )
    recorded(shell, builds=80, harmed="new")
    arms = shell.json("phase", "show")["arms"]
    assert (arms["verdict"], arms["new"]["phase"], arms["old"]["phase"]) == ("worse", "selective-retry", "track-only")

    assert shell.run("run")[:2] == (0, "")

    shown = shell.json("phase", "show")
    assert (shown["phase"], shown["share"], shown["by"], shown["arms"]) == (
        "track-only",
        1.0,
        "the trial's guard",
        None,
    )
    (change,) = shell.json("phase", "history")["changes"]
    assert (change["phase"], change["before"], change["rolled_back"]) == ("track-only", "selective-retry", True)
    assert change["evidence"]["worse"] >= 20
    assert "the new phase is worse" in change["why"]
    told = (shell.folder / "told").read_text()
    assert "selective-retry is taken back to track-only" in told
    assert change["why"] in told


def test_a_fresh_checkout_does_not_begin_a_trial_again_that_was_taken_back(shell: Shell) -> None:
    """Where toolkit.toml still describes the trial, the record wins: all builds follow the old phase."""
    (shell.folder / "toolkit.toml").write_text(TRIAL)
    recorded(shell, builds=80, harmed="new")
    shell.run("run")
    (shell.folder / "toolkit.toml").write_text(TRIAL)
    build = next(f"b-{number}" for number in range(9) if arm_of(f"b-{number}", 0.5) == "new")

    shell.run("run", "--build", build)

    assert shell.json("status", build)["phase"] == "track-only"
    assert len(shell.json("phase", "history")["changes"]) == 1


def test_a_helpful_phase_stays_and_is_said_to_help(shell: Shell) -> None:
    """A trial that goes well goes on; `phase show` and the report have the figures of both arms."""
    (shell.folder / "toolkit.toml").write_text(TRIAL)
    recorded(shell, builds=80, harmed="old")

    shell.run("run")

    shown = shell.json("phase", "show")
    assert (shown["phase"], shown["arms"]["verdict"]) == ("selective-retry", "better")
    assert shown["arms"] == shell.json("report")["arms"]
    assert "better: " in shell.run("phase", "show")[1]
