"""Time-outs and stalls in real builds: the attempt is ended, its script's shell goes on, the phase decides."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.test_phases_live import configure

if TYPE_CHECKING:
    from tests.transcripts import Shell

RETRIED = 'strategy = "patient"\n[strategies.patient]\nmax_attempts = 2\non = ["timeout", "stall"]\nwait = "10ms"\n'
HELPER = 'eval "$(toolkit shell)"\n'


def limited(shell: Shell, limit: str, phase: str = "selective-retry") -> None:
    """Write a project whose state 5 is limited and retried once."""
    configure(shell, phase, f'[[states]]\ncode = 5\nname = "kickstart"\n{limit}\n{RETRIED}')


def failures(shell: Shell) -> list[tuple[int, str | None, str]]:
    """Give what failed: attempt, class, error."""
    return [
        (each["attempt"], each.get("class"), each["error"])
        for each in shell.json("history")["events"]
        if each["status"] == "failed"
    ]


def is_gone(pid: str) -> bool:
    """Tell whether a process ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


STEPS = {
    "a command": "state 5 kickstart -- sh -c '{body}'",
    "in a pipeline": "set -o pipefail\nstate 5 kickstart -- sh -c '{body}' | cat",
}
RARELY = {
    "a function, and set -e": "set -e\nkick() {{ {body}; }}\nstate 5 kickstart -- kick",
    "a function": "kick() {{ {body}; }}\nstate 5 kickstart -- kick",
    "in a subshell": "( state 5 kickstart -- sh -c '{body}' )",
}


@pytest.mark.parametrize(
    "step",
    [
        *(pytest.param(step, id=name) for name, step in STEPS.items()),
        *(pytest.param(step, id=name, marks=pytest.mark.long) for name, step in RARELY.items()),
    ],
)
@pytest.mark.parametrize(
    "shell_name", ["bash", *(pytest.param(each, marks=pytest.mark.long) for each in ("dash", "zsh"))]
)
def test_a_step_is_ended_and_tried_again_in_place(step: str, shell_name: str, shell: Shell) -> None:
    """A step that takes too long is ended with all it has started; the same shell then runs it again, and goes on."""
    if shell_name == "dash":
        step = step.replace("set -o pipefail\n", "")
    if step.endswith("| cat") and shell_name == "dash":
        pytest.skip("without pipefail there is nothing to see")
    limited(shell, 'timeout = "2s"')
    body = '[ "$TOOLKIT_ATTEMPT" = 2 ] || sleep 61 && echo attempt $TOOLKIT_ATTEMPT'
    after = "echo result $?\nkill -0 $helper && echo spared\nkill $helper\n"
    build = shell.script("build.sh", f"{HELPER}sleep 62 & helper=$!\n{step.format(body=body)}\n{after}")
    code, out, _ = shell.run("run", "--", shell_name, build)

    assert (code, out) == (0, "attempt 2\nresult 0\nspared\n")
    assert [(attempt, kind) for attempt, kind, _ in failures(shell)] == [(1, "timeout")]
    assert failures(shell)[0][2].startswith("timed out")
    assert shell.json("builds")["builds"][0]["runs"] == 1


def test_a_stalled_step_is_ended(shell: Shell) -> None:
    """A step that says nothing new for too long is ended as well, and what is not retried any more fails the script."""
    limited(shell, 'stall = "1s"')
    build = shell.script(
        "build.sh", f"{HELPER}set -e\nstate 5 kickstart -- sh -c 'while :; do echo .; sleep 0.1; done'\n"
    )
    code, _, _ = shell.run("run", "--", "bash", build)

    assert code == 143
    assert [(attempt, kind) for attempt, kind, _ in failures(shell)] == [(1, "stall"), (2, "stall")]


def test_everything_of_a_step_is_gone_before_it_is_tried_again(shell: Shell) -> None:
    """What ignores SIGTERM is killed, and what left its parent is found, before the next attempt begins."""
    limited(shell, 'timeout = "3s"\ngrace = "500ms"')
    stubborn = (
        'trap "" TERM; sleep 63 & echo $! >> pids; (sleep 64 & echo $! >> pids); echo $$ >> pids; sleep 65; sleep 66'
    )
    check = "for p in $(cat pids); do ps -o stat= -p $p | grep -v Z; done; echo all gone"
    build = shell.script(
        "build.sh",
        f"{HELPER}state 5 kickstart -- sh -c '[ $TOOLKIT_ATTEMPT = 1 ] || {{ {check}; exit 0; }}; {stubborn}'\n",
    )
    began = time.monotonic()
    code, out, _ = shell.run("run", "--", "bash", build)

    assert (code, out) == (0, "all gone\n")
    assert time.monotonic() - began < 60
    assert all(is_gone(pid) for pid in (shell.folder / "pids").read_text().split())


def test_a_step_that_says_goodbye_has_failed_all_the_same(shell: Shell) -> None:
    """An attempt that was ended is not believed when it then ends well."""
    configure(shell, "selective-retry", '[[states]]\ncode = 5\nname = "kickstart"\ntimeout = "1s"\n')
    build = shell.script(
        "build.sh",
        f"{HELPER}state 5 kickstart -- sh -c 'trap \"echo bye; exit 0\" TERM; sleep 67 & wait'\necho result $?\n",
    )
    _, out, _ = shell.run("run", "--", "bash", build)

    assert out == "bye\nresult 124\n"
    assert failures(shell) == [(1, "timeout", "timed out (exit code 0)")]


def test_a_limit_ends_with_its_state(shell: Shell) -> None:
    """What a script does after a state is not limited by it."""
    limited(shell, 'timeout = "3s"')
    build = shell.script("build.sh", f"{HELPER}state 5 kickstart -- true\nsleep 3.5\necho fine\n")

    assert shell.run("run", "--", "bash", build)[:2] == (0, "fine\n")


def test_states_side_by_side(shell: Shell) -> None:
    """Of two states at the same time, only the one that takes too long is ended."""
    configure(shell, "selective-retry", '[[states]]\ncode = 5\ntimeout = "1s"\n[[states]]\ncode = 6\ntimeout = "1m"\n')
    build = shell.script(
        "build.sh",
        f"{HELPER}state 5 slow -- sleep 68 &\nstate 6 steady -- sh -c 'sleep 2; echo steady'\nwait $!\necho $?\n",
    )
    _, out, _ = shell.run("run", "--", "bash", build)

    assert out == "steady\n143\n"
    ends = {(state, status) for state, status, _ in shell.statuses("b-0001")[2:]}
    assert ends == {(5, "failed"), (6, "completed")}


def test_a_loop_of_the_shells_own_ends_the_build(shell: Shell) -> None:
    """A step that is nothing but the shell itself cannot be ended alone: then the build is."""
    configure(shell, "selective-retry", '[[states]]\ncode = 5\ntimeout = "1s"\ngrace = "300ms"\n')
    build = shell.script("build.sh", f"{HELPER}spin() {{ while :; do :; done; }}\nstate 5 spin -- spin\necho never\n")
    code, out, _ = shell.run("run", "--", "bash", build)

    assert (code, out) == (-15, "")
    assert failures(shell)[0][1] == "timeout"


def test_limits_in_track_only_are_asked_for(shell: Shell) -> None:
    """While states are only tracked, limits are obeyed with `--limits` alone; then the failure passes through."""
    limited(shell, 'timeout = "1s"', phase="track-only")
    build = shell.script("build.sh", f"{HELPER}state 5 kickstart -- sleep 1.6\necho result $?\n")

    assert shell.run("run", "--", "bash", build)[1] == "result 0\n"
    assert shell.run("run", "--limits", "--", "bash", build)[1] == "result 143\n"
    assert [kind for _, kind, _ in failures(shell)] == ["timeout"]


def test_a_program_that_tells_its_states_is_ended_as_a_whole(shell: Shell) -> None:
    """Where no shell runs the step, a limit ends the build."""
    configure(shell, "selective-retry", '[[states]]\ncode = 5\ntimeout = "1s"\n')
    program = "import subprocess as s, time; s.run(['toolkit', 'state', 'start', '5']); time.sleep(60)"

    assert shell.run("run", "--", os.environ.get("PYTHON", "python3"), "-c", program)[0] == -15
    assert failures(shell)[0][1] == "timeout"
