"""Supervision as the runner sees it: what it hears, what it can ask for, and what trouble cannot do."""

# ruff: noqa: E501 - a scene is a line of shell, and broken lines would be another scene

from __future__ import annotations

import errno
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

RUN = Path(__file__).with_name("run.py")


def run(
    folder: Path, script: str, *, stdin: bytes = b"", **asked: Any
) -> tuple[subprocess.CompletedProcess[bytes], dict[str, Any]]:
    """Supervise `bash -c script`; give what came out and what the runner was told."""
    report = folder / "report"
    command = asked.pop("command", ["bash", "-c", script])
    process = subprocess.run(
        [sys.executable, "-I", RUN, report, json.dumps(asked), *command],
        cwd=folder, input=stdin, capture_output=True, check=False, timeout=60, start_new_session=True,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    return process, json.loads(report.read_text())


def said(told: dict[str, Any], what: str) -> str:
    return "".join(text for kind, text in told["heard"] if kind == what)


def is_gone(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_what_is_heard(tmp_path: Path) -> None:
    """The recorder hears what the build wrote, by stream, and how it ended."""
    process, told = run(tmp_path, "echo out; echo err >&2; exit 3")
    ended = told["ended"][0]

    assert (process.stdout, process.stderr) == (b"out\n", b"err\n")
    assert (said(told, "output 1"), said(told, "output 2")) == ("out\n", "err\n")
    assert (ended["exit_code"], ended["signal"], ended["cause"], ended["stopped_by"]) == (3, None, None, None)
    assert ended["recorded"]
    assert 0 < ended["seconds"] < 30
    assert abs(ended["wall"] - time.time()) < 60


def test_output_into_a_file_is_heard(tmp_path: Path) -> None:
    """What goes past us into a file is heard too, from where the build began."""
    (tmp_path / "log").write_text("before\n")
    with (tmp_path / "log").open("a") as log:
        report = tmp_path / "report"
        subprocess.run(
            [sys.executable, "-I", RUN, report, "{}", "sh", "-c", "echo one; echo two >&2; sleep 0.7; echo three"],
            stdout=log, stderr=log, check=True,
        )  # fmt: skip
    told = json.loads(report.read_text())

    assert said(told, "output 1") == "one\ntwo\nthree\n"
    assert (tmp_path / "log").read_text() == "before\none\ntwo\nthree\n"


def test_requests_come_in_their_place(tmp_path: Path) -> None:
    """A request on the wire is heard after all that was written before it, and before what is written after its answer."""
    script = "for i in 1 2 3 4 5; do seq 1 2000; echo err$i >&2; echo state $i > w; sleep 0.1; done"
    _, told = run(tmp_path, script, wire=f"{tmp_path}/w")
    output = seen = 0
    for kind, _ in told["heard"]:
        output += kind == "output 2"
        if kind == "request":
            seen += 1
            assert output == seen
    assert said(told, "request") == "state 1state 2state 3state 4state 5"
    assert told["announced"] == 5


def test_requests_do_not_wait_for_the_end_of_a_flood(tmp_path: Path) -> None:
    """A recorder that never comes to the end of what is printed reads the wire all the same."""
    flood = "(i=0; while [ $i -lt 400 ]; do echo $i; sleep 0.001; i=$((i + 1)); done) &"
    script = f"{flood} for i in 1 2 3; do sleep 0.1; echo state $i > w; done; wait"
    _, told = run(tmp_path, script, wire=f"{tmp_path}/w", slow=0.005)
    kinds = [kind for kind, _ in told["heard"]]
    last = len(kinds) - 1 - kinds[::-1].index("request")

    assert said(told, "request") == "state 1state 2state 3"
    assert kinds[last:].count("output 1") > 20


def test_requests_are_read_though_the_recorder_hangs(tmp_path: Path) -> None:
    """Where nothing comes from the recorder any more, the wire is read without it: whoever waits can be answered."""
    script = "echo x; sleep 0.1; echo state 1 > w; sleep 2; echo state 2 > w; sleep 0.1"
    _, told = run(tmp_path, script, wire=f"{tmp_path}/w", hangs=True, patience=0.1)

    assert told["announced"] == 2


def test_the_same_descriptors_for_another_attempt(tmp_path: Path) -> None:
    """A retry reads on where the attempt before it stopped reading, and writes to where that wrote."""
    process, told = run(tmp_path, "read x; echo got $x", stdin=b"1\n2\n3\n", times=3)

    assert process.stdout == b"got 1\ngot 2\ngot 3\n"
    assert len(told["ended"]) == 3


def test_in_another_folder(tmp_path: Path) -> None:
    """A command can be run elsewhere, where its own path counts as well, and we stay where we are."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "here.sh").write_text("#!/bin/sh\npwd\n")
    (tmp_path / "d" / "here.sh").chmod(0o755)
    process, _ = run(tmp_path, "", command=["./here.sh"], cwd=f"{tmp_path}/d", times=2)

    assert process.stdout.decode() == f"{tmp_path}/d\n" * 2


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("./missing", ["cannot run './missing': No such file or directory", 127]),
        ("no-such-command", ["cannot run 'no-such-command': command not found", 127]),
        ("./plain", ["cannot run './plain': Permission denied", 126]),
        ("./folder", ["cannot run './folder': Is a directory", 126]),
        ("./orphan", ["cannot run './orphan': its interpreter is missing", 127]),
    ],
)
def test_what_cannot_be_run(command: str, told: list[Any], tmp_path: Path) -> None:
    """A command that cannot be started is refused with the reason and the shell's exit code, and nothing was heard."""
    (tmp_path / "plain").write_text("echo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "orphan").write_text("#!/no/such/thing\n")
    (tmp_path / "orphan").chmod(0o755)
    _, seen = run(tmp_path, "", command=[command])

    assert (seen["refused"], seen["heard"], seen["ended"]) == (told, [], [])


FAMILY = "echo $$ > p; sleep 60 & echo $! >> p; (sleep 60 & echo $! >> p); sh -c 'trap \"\" TERM; echo $$ >> p; echo limit > w; sleep 60; sleep 60'"


def test_a_timeout_ends_the_whole_family(tmp_path: Path) -> None:
    """What takes too long is asked to end, then killed, orphans and the stubborn included, and nobody else."""
    bystander = subprocess.Popen(["sleep", "600"])
    _, told = run(tmp_path, FAMILY, wire=f"{tmp_path}/w", timeout=1.0, extra={"TOOLKIT_MARK": f"{tmp_path}"})
    pids = (tmp_path / "p").read_text().split()
    still = bystander.poll()
    bystander.kill()
    bystander.wait()

    assert told["ended"][0]["cause"] == "timeout"
    assert told["ended"][0]["signal"] == 9
    assert 1.4 < told["seconds"] < 50
    assert len(pids) == 4
    assert [pid for pid in pids if not is_gone(pid)] == []
    assert still is None


def test_a_build_that_ends_in_time_is_left_alone(tmp_path: Path) -> None:
    """A build that obeys the first signal ends with its own exit code, and its cause is told all the same."""
    script = "trap 'echo cleaned; exit 7' TERM; echo up; sleep 60 & echo limit > w; wait"
    process, told = run(tmp_path, script, wire=f"{tmp_path}/w", timeout=0.6, grace=50)

    assert process.stdout == b"up\ncleaned\n"
    assert (told["ended"][0]["exit_code"], told["ended"][0]["cause"]) == (7, "timeout")
    assert told["seconds"] < 40


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        ("sleep 20", "stall"),
        ("while :; do printf .; sleep 0.1; done", "stall"),
        (r"while :; do for c in '|' / - '\\'; do printf '\r%s working' $c; sleep 0.1; done; done", "stall"),
        ("while :; do echo waiting for the host; sleep 0.1; done", "stall"),
        (r"for i in $(seq 1 200); do printf '\r 45%% of 12 MB at %d kB/s' $i; sleep 0.1; done", "stall"),
        ("for i in $(seq 1 50); do echo unpacking part $i; sleep 0.1; done", None),
        pytest.param("for i in $(seq 1 17); do printf 'step %s... ' $i; sleep 0.3; done", None, marks=pytest.mark.long),
    ],
)
def test_stalls(script: str, cause: str | None, tmp_path: Path) -> None:
    """Dots, spinners, redrawn bars and repeated lines are no progress; new lines are."""
    stall = 1.0 if cause else 4.0  # on a busy machine the next line may take its time
    _, told = run(tmp_path, script, limit={"timeout": 100.0, "stall": stall, "grace": 1.0})

    assert told["ended"][0]["cause"] == cause


def test_no_limit_unless_asked_for(tmp_path: Path) -> None:
    """A silent build is never ended by itself; a limit counts from when it is set, also by a request on the wire."""
    _, quiet = run(tmp_path, "sleep 1.5")
    _, told = run(tmp_path, "sleep 0.8; echo limit > w; sleep 30", wire=f"{tmp_path}/w", timeout=0.5)

    assert quiet["ended"][0]["cause"] is None
    assert told["ended"][0]["cause"] == "timeout"
    assert told["ended"][0]["seconds"] > 1.2


def test_ended_on_the_first_fatal_line(tmp_path: Path) -> None:
    """The recorder can end a build at once for what it heard."""
    _, told = run(tmp_path, "echo fine; sleep 0.2; echo kernel panic; sleep 60", fatal="panic")

    assert told["ended"][0]["cause"] == "fatal"
    assert told["seconds"] < 40


@pytest.mark.long
def test_time_stopped_does_not_count(tmp_path: Path) -> None:
    """A build that was stopped from outside is not timed out for it."""
    script = "(sleep 5; kill -CONT $PPID) & kill -STOP $$; sleep 0.4; echo on"
    process, told = run(tmp_path, script, limit={"timeout": 4.0, "stall": 4.0, "grace": 0.3})

    assert process.stdout == b"on\n"
    assert told["ended"][0]["cause"] is None


def test_a_stop_is_told(tmp_path: Path) -> None:
    """A signal that asked the build to end is told, so that its end counts as interrupted; one that it outlives too."""
    process = subprocess.Popen(
        [sys.executable, "-I", RUN, tmp_path / "report", "{}", "bash", "-c", "echo up; sleep 60"],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.terminate()
    process.wait()
    process.stdout.close()
    ended = json.loads((tmp_path / "report").read_text())["ended"][0]

    assert (ended["signal"], ended["cause"], ended["stopped_by"]) == (15, "stopped", 15)


TROUBLES = {
    "no space": {"errno": errno.ENOSPC},
    "input/output error": {"errno": errno.EIO},
    "read-only": {"errno": errno.EROFS},
    "quota": {"errno": errno.EDQUOT},
    "a bug": {"raises": True},
    "hangs": {"hangs": True, "patience": 0.5},
    "slow": {"slow": 0.05, "capacity": 1 << 18, "patience": 20.0},
}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES.keys())
def test_trouble_of_the_recorder_is_not_the_builds(trouble: dict[str, Any], tmp_path: Path) -> None:
    """Whatever becomes of recording, the build's output and end are the same, and nobody waits long."""
    script = "seq 1 300000; echo err >&2; exit 5"
    process, told = run(tmp_path, script, **trouble)
    expected = subprocess.run(["bash", "-c", script], capture_output=True, check=False)

    assert (process.stdout, process.stderr) == (expected.stdout, expected.stderr)
    assert told["ended"][0]["exit_code"] == 5
    assert told["seconds"] < 60
    assert told["ended"][0]["recorded"] is not trouble.get("hangs", False)


def test_one_trouble_is_told_once(tmp_path: Path) -> None:
    """The same failure, again and again, is one trouble."""
    _, told = run(tmp_path, "for i in 1 2 3 4; do echo $i; sleep 0.05; done", errno=errno.ENOSPC)

    assert [what for kind, what in told["heard"] if kind == "trouble"] == ["[Errno 28] No space left on device"]


def test_a_recorder_that_hangs_costs_a_flood_nothing(tmp_path: Path) -> None:
    """With nobody recording any more, output beyond the queue is left out, and flows on at full speed."""
    began = time.monotonic()
    process, told = run(tmp_path, "head -c 50000000 /dev/zero", hangs=True, capacity=1 << 20, patience=0.2)

    assert len(process.stdout) == 50_000_000
    assert not told["ended"][0]["recorded"]
    assert time.monotonic() - began < 60


def test_a_recorder_that_works_gets_everything(tmp_path: Path) -> None:
    """A recorder a little slower than a flood is waited for a little, and hears it all."""
    _, told = run(tmp_path, "head -c 20000000 /dev/zero | tr '\\0' x", slow=0.001, capacity=1 << 21)

    assert told["bytes"] == 20_000_000
    assert said(told, "trouble") == ""


@pytest.mark.long
def test_a_hundred_megabytes_in_one_line(tmp_path: Path) -> None:
    """A line may be as long as it likes."""
    process, told = run(tmp_path, "head -c 100000000 /dev/zero | tr '\\0' x; echo")

    assert len(process.stdout) == 100_000_001
    assert process.stdout.strip(b"x") == b"\n"
    assert told["ended"][0]["exit_code"] == 0


def test_nothing_of_ours_stays(tmp_path: Path) -> None:
    """After a build no process of ours is left, not even for one that left background children with other outputs."""
    run(tmp_path, "sleep 1 > /dev/null 2>&1 & echo x")
    running = subprocess.run(["ps", "-eo", "args="], capture_output=True, text=True, check=True).stdout

    assert str(tmp_path / "report") not in running


def test_too_little_to_stand_on(tmp_path: Path) -> None:
    """Where there are too few descriptors for us, we say so and run nothing."""
    limited = f"ulimit -n 9; exec {sys.executable} -I {RUN} report '{{}}' sh -c 'echo ran > ran' | cat"
    ended = subprocess.run(["bash", "-c", limited], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert "CannotSupervise: cannot stand in front of 'sh': Too many open files" in ended.stderr
    assert not (tmp_path / "ran").exists()
