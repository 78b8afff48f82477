"""The state helper in real shells, talking to a real wire whose other end answers as each test says."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from toolkit.supervise import shell_helper
from toolkit.supervise.wire import Request, Wire

if TYPE_CHECKING:
    from pathlib import Path

SHELLS = [["dash"], ["bash"], ["zsh"], ["busybox", "sh"]]
Answer = Callable[[Request, Wire], str]

pytestmark = pytest.mark.parametrize(
    "shell",
    [
        pytest.param(each, id=each[0], marks=pytest.mark.skipif(shutil.which(each[0]) is None, reason="not installed"))
        for each in SHELLS
    ],
)


@contextmanager
def supervisor(folder: Path, answer: Answer) -> Iterator[tuple[dict[str, str], list[Request]]]:
    """Serve a wire; gives the environment of a build and the requests that arrive."""
    wire = Wire(str(folder))
    asked: list[Request] = []
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            if not select.select([wire.requests_fd], [], [], 0.02)[0]:
                continue
            for line in os.read(wire.requests_fd, 65536).splitlines():
                request = wire.parse(line)
                if request is not None:
                    asked.append(request)
                    wire.answer(request, answer(request, wire))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield {**os.environ, "TOOLKIT_WIRE": wire.address}, asked
    finally:
        over.set()
        thread.join()
        wire.close()


def run(shell: list[str], script: str, environment: dict[str, str]) -> tuple[int, str, str]:
    """Run a script with the helper in it; gives exit code, stdout and stderr."""
    text = f". {shell_helper()}\n{script}"
    ended = subprocess.run(
        [*shell, "-c", text], env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    return ended.returncode, ended.stdout, ended.stderr


def tracked(request: Request, _: Wire) -> str:
    """Answer as track-only does."""
    return "run 1" if request.verb == "begin" else f"done {request.text if request.verb == 'end' else 0}"


def told(asked: list[Request]) -> list[tuple[str, str, str]]:
    """Give what was asked, without who asked."""
    return [(each.verb, each.code, each.text) for each in asked]


def test_steps_run_and_are_told(shell: list[str], tmp_path: Path) -> None:
    """A step runs once, in the script's own shell, and both its ends are told."""
    with supervisor(tmp_path, tracked) as (environment, asked):
        script = 'set -eu\nf() { kept="set by $1"; echo out; }\nstate 5 kickstart -- f me\necho "$kept"'
        assert run(shell, script, environment) == (0, "out\nset by me\n", "")
    assert told(asked) == [("begin", "5", "kickstart"), ("end", "5", "0")]


def test_without_a_supervisor_a_step_just_runs(shell: list[str], tmp_path: Path) -> None:
    """Outside `toolkit run`, or when the supervisor is gone, steps run as if the helper were not there."""
    script = "state 5 x -- echo one\nstate 6 x -- sh -c 'exit 7'\necho $?"
    gone = {**os.environ, "TOOLKIT_WIRE": f"1:200:{tmp_path}"}
    assert run(shell, script, {**os.environ, "TOOLKIT_WIRE": ""}) == (0, "one\n7\n", "")
    assert run(shell, script, gone) == (0, "one\n7\n", "")


def test_errexit_ends_the_script_inside_the_step(shell: list[str], tmp_path: Path) -> None:
    """Under `set -e` a failing step ends the script where it would without us, even in the middle of a function."""
    with supervisor(tmp_path, tracked) as (environment, asked):
        script = "set -e\nf() { false; echo not reached; }\nstate 20 base -- f\necho not reached either"
        assert run(shell, script, environment)[:2] == (1, "")
    assert told(asked) == [("begin", "20", "base")]


def test_exit_codes_come_through(shell: list[str], tmp_path: Path) -> None:
    """Without `set -e` the step's exit code is the helper's, and the script goes on."""
    with supervisor(tmp_path, tracked) as (environment, asked):
        assert run(shell, "state 9 -- sh -c 'exit 42'; echo $?; state 10 -- true", environment) == (0, "42\n", "")
    assert ("end", "9", "42") in told(asked)


def test_a_step_whose_end_is_not_understood_has_run(shell: list[str], tmp_path: Path) -> None:
    """A supervisor that makes nothing of an end does not make the step run again."""

    def puzzled(request: Request, _: Wire) -> str:
        return "run 1" if request.verb == "begin" else "bad what is that"

    with supervisor(tmp_path, puzzled) as (environment, _):
        assert run(shell, "state 9 -- sh -c 'echo once; exit 42'; echo $?", environment) == (0, "once\n42\n", "")


def test_a_name_has_any_number_of_words(shell: list[str], tmp_path: Path) -> None:
    """What stands before the first `--` is the name; what stands behind it is the step, dashes included."""
    script = """set -eu
state 1 -- echo a
state 2 two -- echo b
state 3 two words -- echo c -- d
state 4 a:-- --: 'in  quotes' -- echo e
state 5 '' -- echo f
state 6 -- echo -- g"""
    with supervisor(tmp_path, tracked) as (environment, asked):
        assert run(shell, script, environment) == (0, "a\nb\nc -- d\ne\nf\n-- g\n", "")
    names = [each.text for each in asked if each.verb == "begin"]
    assert names == ["", "two", "two words", "a:-- --: in  quotes", "", ""]


def test_a_state_without_a_step_is_refused(shell: list[str], tmp_path: Path) -> None:
    """Without a command, or without the dashes before it, nothing begins, and the helper says how it is used."""
    usage = "state: usage: state CODE [NAME] -- COMMAND [ARGUMENT]...\n"
    with supervisor(tmp_path, tracked) as (environment, asked):
        for wrong in (
            "state",
            "state 5",
            "state 5 --",
            "state 5 a --",
            "state 5 a b --",
            "state 5 echo a",
            "state -- a",
        ):
            assert run(shell, f"{wrong}; echo $?", environment) == (0, "2\n", usage)
    assert not asked


def test_stdin_belongs_to_the_step(shell: list[str], tmp_path: Path) -> None:
    """A step reads the script's own standard input."""
    with supervisor(tmp_path, tracked) as (environment, _):
        assert run(shell, "printf 'a b\\n' | state 5 x -- cat", environment) == (0, "a b\n", "")


def test_tracing_shows_the_step_and_nothing_of_ours(shell: list[str], tmp_path: Path) -> None:
    """Under `set -x` the helper's own commands stay out of the trace and the step's stay in."""
    with supervisor(tmp_path, tracked) as (environment, _):
        code, out, error = run(shell, "set -x\nstate 5 x -- echo hi\nset +x", environment)
    assert (code, out) == (0, "hi\n")
    assert "echo hi" in error
    assert not any(ours in error for ours in ("__tk", "return", "case"))


def test_a_step_may_turn_tracing_on_and_off(shell: list[str], tmp_path: Path) -> None:
    """What a step that is a function does to tracing is still so after it, as it is without us."""
    script = "on() { set -x; }\noff() { { set +x; } 2>/dev/null; }\n%s on\necho 1\n%s off\necho 2\n"
    _, _, alone = run(shell, script % ("", ""), {})
    with supervisor(tmp_path, tracked) as (environment, _):
        code, out, error = run(shell, script % ("state 5 x --", "state 6 x --"), environment)

    assert (code, out) == (0, "1\n2\n")
    told = [[line for line in trace.splitlines() if "echo" in line] for trace in (error, alone)]
    assert told[0] == told[1]
    assert not any(ours in error for ours in ("__tk", "return", "case"))


def test_retry_under_errexit_starts_from_the_same_variables(shell: list[str], tmp_path: Path) -> None:
    """A guarded step is tried again with what the first attempt found; what the last one set stays set."""

    def answer(request: Request, _: Wire) -> str:
        if request.verb == "begin":
            return "run 1 guard - -"
        return "again 2 guard network -" if request.text != "0" else "done 0"

    script = """set -e
count=0
mkdir -p sub
step() { count=$((count + 1)); echo "try $TOOLKIT_ATTEMPT of $TOOLKIT_STATE after '$TOOLKIT_LAST_CLASS': $count"
  [ "$TOOLKIT_ATTEMPT" = 2 ]; kept="it's
two lines"; cd sub; }
state 5 kickstart -- step
echo "$count $kept ${PWD##*/}"
case $- in *e*) echo still;; esac"""
    with supervisor(tmp_path, answer) as (environment, _):
        told_out = "try 1 of 5 after '': 1\ntry 2 of 5 after 'network': 1\n1 it's\ntwo lines sub\nstill\n"
        assert run(shell, f"cd {tmp_path}\n{script}", environment) == (0, told_out, "")


def test_another_command_on_retry(shell: list[str], tmp_path: Path) -> None:
    """A retry may execute another command, which sees the script's functions."""

    def answer(request: Request, _: Wire) -> str:
        if request.verb == "begin":
            return "run 1"
        return "again 2 - dirty limited web" if request.text != "0" else "done 0"

    with supervisor(tmp_path, answer) as (environment, _):
        script = "limited() { echo only $1; }\nstate 20 base -- false\necho $?"
        assert run(shell, script, environment) == (0, "only web\n0\n", "")


def test_a_reused_state_gives_its_values_again(shell: list[str], tmp_path: Path) -> None:
    """A state that is reused does not run, and sets again what it once gave with `state_output`."""

    def answer(request: Request, wire: Wire) -> str:
        wire.leave_values(request.slot, {"IMAGE_ID": "it's $HOME\n`x`"})
        return "reuse values"

    with supervisor(tmp_path, answer) as (environment, _):
        out = "it's $HOME\n`x`\n"
        assert run(shell, 'set -eu\nstate 5 x -- false\nprintf "%s\\n" "$IMAGE_ID"', environment) == (0, out, "")


def test_what_a_reused_state_did_not_set_keeps_its_value(shell: list[str], tmp_path: Path) -> None:
    """Handing over what a reused step did not set leaves the remembered value; elsewhere empty is empty."""
    script = """set -e
state 5 x -- false
state_output IMAGE_ID="$id"
state_output OTHER=new
echo "$IMAGE_ID $OTHER"
state 6 y -- true
state_output IMAGE_ID=
echo "$IMAGE_ID."
"""

    def answer(request: Request, wire: Wire) -> str:
        if request.code == "5":
            wire.leave_values(request.slot, {"IMAGE_ID": "42", "OTHER": "old"})
            return "reuse values"
        return f"run {request.code}" if request.verb == "begin" else "done 0"

    with supervisor(tmp_path, answer) as (environment, asked):
        assert run(shell, script, environment) == (0, "42 new\n.\n", "")
    assert [each.text for each in asked if each.verb == "output"] == ["OTHER=new", "IMAGE_ID="]


def test_stop_ends_the_script(shell: list[str], tmp_path: Path) -> None:
    """When a build has to stop, the script ends with the code it is given."""
    with supervisor(tmp_path, lambda *_: "stop 3") as (environment, _):
        assert run(shell, "state 5 x -- echo no; echo no", environment) == (3, "", "")


def test_outputs_of_any_shape(shell: list[str], tmp_path: Path) -> None:
    """Values come through whole: spaces, quotes, newlines, and longer than a FIFO takes at once."""
    with supervisor(tmp_path, tracked) as (environment, asked):
        script = (
            "state_output A='x  y'\"'\"'z'\nstate_output B='one\ntwo'\n"
            'C=1; while [ ${#C} -lt 9000 ]; do C=$C$C; done; state_output "L=$C"; echo "$A ${#L}"'
        )
        assert run(shell, script, environment) == (0, "x  y'z 16384\n", "")
    assert [each.text for each in asked] == ["A=x  y'z", "B=one\ntwo", "L=" + "1" * 16384]


def test_many_shells_at_once(shell: list[str], tmp_path: Path) -> None:
    """States in the background each get their own answer, also with more shells than answering lines over time."""

    def answer(request: Request, _: Wire) -> str:
        return f"run {request.code}" if request.verb == "begin" else f"done {request.text}"

    script = """i=1
while [ $i -le 40 ]; do
  ( state $i x -- sh -c '[ "$TOOLKIT_ATTEMPT" = "$TOOLKIT_STATE" ]' || echo wrong ) &
  [ $((i % 8)) -ne 0 ] || wait
  i=$((i + 1))
done
wait"""
    with supervisor(tmp_path, answer) as (environment, asked):
        assert run(shell, script, environment) == (0, "", "")
    assert len(asked) == 80


def test_a_supervisor_that_dies_lets_go(shell: list[str], tmp_path: Path) -> None:
    """A shell that waits for an answer when its supervisor is killed goes on as if nobody had been there."""
    program = (
        "import sys, time; from toolkit.supervise.wire import Wire; w = Wire(sys.argv[1]);"
        "print(w.address, flush=True); import os, select;"
        "select.select([w.requests_fd], [], []); os.kill(os.getpid(), 9)"
    )
    dying = subprocess.Popen(["python3", "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert dying.stdout is not None
    address = dying.stdout.readline().strip()
    try:
        script = "set -e\nstate 5 x -- echo still\nstate 6 x -- echo going"
        assert run(shell, script, {**os.environ, "TOOLKIT_WIRE": address}) == (0, "still\ngoing\n", "")
    finally:
        dying.wait(60)
        dying.stdout.close()
