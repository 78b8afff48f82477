"""A phase on trial: its shadow while builds are only tracked, then a share of the builds, and the way back."""

from __future__ import annotations

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
    phases = {build: shell.json("status", build)["phase"] for build in builds}
    assert [build for build in builds if phases[build] == "selective-retry"] == new
