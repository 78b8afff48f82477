"""Real builds under selective-retry and full-resume: retried in place, held for people, gone on with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.transcripts import Shell

HELPER = 'eval "$(toolkit shell)"\nset -e\n'
TIMES_OUT = "echo 'curl: (28) Connection timed out after 3000 ms' >&2; exit 28"
SOON = """
[strategies.soon]
max_attempts = 3
on = ["transient"]
wait = "100ms"
jitter = false
"""


def configure(shell: Shell, phase: str, states: str) -> None:
    """Write a project with a strategy that waits little."""
    (shell.folder / "toolkit.toml").write_text(f'phase = "{phase}"\n{SOON}\n{states}')


def test_a_transient_failure_is_retried_in_place(shell: Shell) -> None:
    """Under selective-retry only the failed step runs again, with the variables that it found the first time."""
    configure(shell, "selective-retry", '[[states]]\ncode = 5\nname = "kickstart"\nstrategy = "soon"\n')
    build = shell.script(
        "build.sh",
        "#!/bin/bash\n" + HELPER + "n=0\nstate 0 start -- echo once\n"
        'kick() { n=$((n+1)); echo "attempt $TOOLKIT_ATTEMPT, n $n"; '
        f'[ "$TOOLKIT_ATTEMPT" = 3 ] || {{ {TIMES_OUT}; }}; }}\n'
        "state 5 kickstart -- kick\necho after $n\n",
    )
    code, out, _ = shell.run("run", "--", build)
    assert (code, out) == (0, "once\nattempt 1, n 1\nattempt 2, n 1\nattempt 3, n 1\nafter 1\n")
    lines = shell.json("history")["events"]
    decisions = [each["decision"]["action"] for each in lines if each["status"] == "failed"]
    assert decisions == ["retry", "retry"]
    assert shell.json("builds")["builds"][0]["runs"] == 1


def test_a_persistent_failure_waits_for_a_person(shell: Shell) -> None:
    """A failure that only a person can help holds the build; it is released and goes on."""
    configure(shell, "selective-retry", '[[states]]\ncode = 70\nname = "tests"\nstrategy = "manual"\n')
    build = shell.script(
        "build.sh",
        "#!/bin/bash\n" + HELPER + "state 70 tests -- sh -c '[ -e fixed ] || { echo FAILED test_boot; exit 1; }'\n",
    )
    assert shell.run("run", "--", build)[0] == 1
    assert shell.json("builds", "--held")["builds"][0]["build"] == "b-0001"
    code, _, error = shell.run("run", "--", build)
    assert code == 6
    assert "is held" in error
    (shell.folder / "fixed").touch()
    assert shell.run("release", "-m", "fixed by hand")[0] == 0
    assert shell.run("run", "--", build)[0] == 0
    assert shell.json("status")["status"] == "completed"


def test_a_reset_cleans_up_and_may_forbid(shell: Shell) -> None:
    """`reset` runs before a retry in place; when it fails there is none."""
    state = (
        '[[states]]\ncode = 5\nrun = "echo try; touch mess; [ -e ok ] || { %s; }"\nstrategy = "soon"\nreset = "%s"\n'
    )
    configure(shell, "selective-retry", state % (TIMES_OUT, "rm mess && touch ok"))
    assert shell.run("run")[:2] == (0, "try\ntry\n")
    (shell.folder / "ok").unlink()
    configure(shell, "selective-retry", state % (TIMES_OUT, "exit 1"))
    assert shell.run("run")[:2] == (28, "try\n")


def test_verify_is_believed_and_not_the_exit_code(shell: Shell) -> None:
    """A state that ends well without having done its work has failed."""
    configure(shell, "selective-retry", '[[states]]\ncode = 10\nrun = "true"\nverify = "test -e image"\n')
    assert shell.run("run")[0] != 0
    assert shell.json("status")["status"] == "failed"


def test_a_hang_is_caught_by_stall(shell: Shell) -> None:
    """A state that says nothing new for too long is ended, classed as stall, and not believed."""
    configure(
        shell, "selective-retry", '[[states]]\ncode = 5\nrun = "while :; do echo .; sleep 0.2; done"\nstall = "1s"\n'
    )
    code, _, _ = shell.run("run")
    assert code != 0
    assert shell.json("why")["failures"][-1]["class"] == "stall"


def test_full_resume_goes_on_at_the_failed_state(shell: Shell) -> None:
    """What completed and still holds is reused, with its values; only the failed state and what follows runs."""
    configure(
        shell, "full-resume", '[[states]]\ncode = 5\ninputs = ["ks.cfg"]\noutputs = ["image"]\n[[states]]\ncode = 20\n'
    )  # fmt: skip
    (shell.folder / "ks.cfg").write_text("lang en\n")
    build = shell.script(
        "build.sh",
        "#!/bin/bash\n" + HELPER + "kick() { echo installing; cp ks.cfg image; state_output ID=42; }\n"
        "state 5 kickstart -- kick\nstate 20 base -- sh -c 'echo configuring; [ -e fixed ] || exit 9'\necho done $ID\n",
    )
    assert shell.run("run", "--", build)[:2] == (9, "installing\nconfiguring\n")
    plan = {each["code"]: each["action"] for each in shell.json("plan")["states"]}
    assert plan == {5: "reuse", 20: "run"}
    (shell.folder / "fixed").touch()
    assert shell.run("release")[0] in {0, 6}
    assert shell.run("run", "--", build)[:2] == (0, "configuring\ndone 42\n")
    assert (5, "reused", None) in shell.statuses("b-0001")


def test_changed_inputs_run_again(shell: Shell) -> None:
    """A state whose inputs changed runs again, and so does what follows it."""
    configure(shell, "full-resume", '[[states]]\ncode = 5\ninputs = ["ks.cfg"]\n[[states]]\ncode = 20\n')
    (shell.folder / "ks.cfg").write_text("lang en\n")
    build = shell.script(
        "build.sh",
        "#!/bin/bash\n" + HELPER + "state 5 kickstart -- echo installing\nstate 20 base -- echo configuring\n"
        "state 30 last -- sh -c '[ -e fixed ] || exit 9'\n",
    )
    assert shell.run("run", "--", build)[:2] == (9, "installing\nconfiguring\n")
    (shell.folder / "ks.cfg").write_text("lang de\n")
    (shell.folder / "fixed").touch()
    shell.run("release")
    assert shell.run("run", "--", build)[:2] == (0, "installing\nconfiguring\n")


def test_marker_scripts_are_entered_at_the_failed_state(shell: Shell) -> None:
    """A script that only prints markers is entered through its own door, `resume_command`."""
    configure(shell, "full-resume", '[pipeline]\nresume_command = "./build.sh {state}"\n')
    build = shell.script(
        "build.sh",
        "#!/bin/bash\nfrom=${1:-0}\n"
        'step() { echo "::state $1 started::"; eval "$2" || exit 9; echo "::state $1 completed::"; }\n'
        '[ "$from" -gt 5 ] || step 5 "echo installing"\nstep 20 "echo configuring; [ -e fixed ]"\n',
    )
    assert shell.run("run", "--", build)[0] == 9
    (shell.folder / "fixed").touch()
    shell.run("release")
    code, out, _ = shell.run("run", "--", build)
    assert code == 0
    assert "installing" not in out


def test_we_start_over_ourselves_when_told(shell: Shell) -> None:
    """With `restarts` a failure that is to start over does so by itself, as another run of the same build."""
    configure(shell, "selective-retry", "[pipeline]\nrestarts = 2\n")
    build = shell.script(
        "build.sh", "#!/bin/bash\n" + HELPER + "state 5 x -- sh -c 'echo x | tee -a tries; [ $(wc -l < tries) = 3 ]'\n"
    )
    assert shell.run("run", "--", build) == (0, "x\nx\nx\n", "")
    assert shell.json("builds")["builds"][0]["runs"] == 3
