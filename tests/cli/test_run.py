"""`toolkit run` in track-only: the build is what it was, and its history can be read."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.transcripts import Shell

SECRET = "hunter2-hunter2"  # noqa: S105 - it is the test's own
BUILD = """#!/bin/bash
command -v toolkit >/dev/null && eval "$(toolkit shell)"
set -e
echo preparing
state 5 kickstart -- echo installing
base() { echo configuring; [ -e mirror-is-up ] || { echo 'curl: (28) Connection timed out' >&2; return 28; }; }
state 20 base -- base
state 100 done -- echo ready
"""


def test_a_failed_build_and_its_start_over(shell: Shell) -> None:
    """A wrapped build fails as it would bare, is started over by hand, and both runs are one build."""
    build = shell.script("build.sh", BUILD)
    assert shell.run("run", "--", build) == (
        28,
        "preparing\ninstalling\nconfiguring\n",
        "curl: (28) Connection timed out\n",
    )
    (shell.folder / "mirror-is-up").touch()
    assert shell.run("run", "--", build) == (0, "preparing\ninstalling\nconfiguring\nready\n", "")
    builds = shell.json("builds")["builds"]
    assert [(each["build"], each["status"], each["runs"], each["currentState"]) for each in builds] == [
        ("b-0001", "completed", 2, 100)
    ]
    assert shell.statuses("b-0001") == [
        (5, "started", 1), (5, "completed", 1), (20, "started", 1), (20, "failed", 1),
        (5, "started", 2), (5, "completed", 2), (20, "started", 2), (20, "completed", 2),
        (100, "started", 1), (100, "completed", 1),
    ]  # fmt: skip
    assert (
        shell.run("logs", "b-0001", "--state", "20", "--attempt", "1")[1]
        == "configuring\ncurl: (28) Connection timed out\n"
    )
    why = shell.json("why", "b-0001")["failures"]
    assert [(each["class"], each["signature"], each["exit_code"]) for each in why] == [("network", "net.timeout", 28)]


def test_a_green_build_is_not_continued(shell: Shell) -> None:
    """After success the next run is a new build; `--build new` and another target always are."""
    assert shell.run("run", "--", "true")[0] == 0
    assert shell.run("run", "--", "false")[0] == 1
    assert shell.run("run", "--build", "new", "--", "false")[0] == 1
    assert shell.run("run", "--target", "web", "--", "false")[0] == 1
    assert shell.run("run", "--", "true")[0] == 0
    told = [(each["build"], each["target"], each["status"], each["runs"]) for each in shell.json("builds")["builds"]]
    assert told == [
        ("b-0001", None, "completed", 1),
        ("b-0002", None, "failed", 1),
        ("b-0003", None, "completed", 2),
        ("b-0004", "web", "failed", 1),
    ]


def test_a_build_that_names_no_state(shell: Shell) -> None:
    """A build without states is state 0 alone, with its exit code."""
    assert shell.run("run", "--", "sh", "-c", "exit 7")[0] == 7
    record = shell.json("status")
    assert (record["currentState"], record["status"], record["exitCode"]) == (0, "failed", 7)


def test_markers_in_the_output(shell: Shell) -> None:
    """A script that only prints markers is tracked, and its log is cut at them."""
    first = "::state 5 started kickstart::\\nA\\n::state 5 completed::\\n"
    lines = first + "::state 10 started::\\nB\\n::state 10 failed - no mirror::\\n"
    assert shell.run("run", "--", "sh", "-c", f"printf '{lines}'; exit 3")[0] == 3
    assert shell.statuses("b-0001") == [(5, "started", 1), (5, "completed", 1), (10, "started", 1), (10, "failed", 1)]
    assert shell.json("status")["stateHistory"][-1]["error"] == "no mirror"
    assert "B\n" in shell.run("logs", "--state", "10")[1]


def test_logs_as_one_document(shell: Shell) -> None:
    """What was printed is one JSON document, attempt by attempt, whatever bytes it holds."""
    script = (
        r"""echo ::state 5 started::; printf 'a "b" \\ \033[1m\377 \303\244\n'; echo ::state 10 started::; echo c"""
    )
    command = [sys.executable, "-m", "toolkit", "run", "--", "sh", "-c", script]
    subprocess.run(command, cwd=shell.folder, env=shell.environment, stdout=subprocess.PIPE, check=True)
    told = shell.json("logs")

    assert told["build"] == "b-0001"
    assert [(each["run"], each["state"], each["attempt"]) for each in told["logs"]][-2:] == [(1, 5, 1), (1, 10, 1)]
    assert 'a "b" \\ \033[1m\ufffd ä\n' in told["logs"][-2]["output"]
    assert [each["output"] for each in shell.json("logs", "--state", "10")["logs"]] == [told["logs"][-1]["output"]]


def test_configured_markers(shell: Shell) -> None:
    """A configured expression starts its state and completes the one before it."""
    (shell.folder / "toolkit.toml").write_text(
        "[[states]]\ncode = 5\nname = 'kickstart'\nmarker = '^Starting install'\n"
        "[[states]]\ncode = 10\nname = 'green'\nmarker = '^Image written'\n"
    )
    assert shell.run("run", "--", "sh", "-c", "echo 'Starting install, x'; echo 'Image written'")[0] == 0
    assert shell.statuses("b-0001") == [
        (5, "started", 1),
        (5, "completed", 1),
        (10, "started", 1),
        (10, "completed", 1),
    ]


def test_states_from_any_language(shell: Shell) -> None:
    """`toolkit state` tells of states from a program that is no shell script."""
    program = (
        "import subprocess as s; t = lambda *a: s.run(['toolkit', 'state', *a], check=True);"
        "t('start', '5', '--name', 'kickstart'); t('complete', '5');"
        "t('start', '20'); t('fail', '20', '--error', 'no disk')"
    )
    assert shell.run("run", "--", sys.executable, "-c", program) == (0, "", "")
    assert shell.statuses("b-0001") == [(5, "started", 1), (5, "completed", 1), (20, "started", 1), (20, "failed", 1)]
    assert shell.json("status")["status"] == "failed"


def test_the_pipelines_own_commands(shell: Shell) -> None:
    """Without a command the states' `run` entries are executed in order, until one fails."""
    (shell.folder / "toolkit.toml").write_text(
        "[[states]]\ncode = 5\nrun = 'echo five $TOOLKIT_STATE'\n[[states]]\ncode = 10\nrun = 'exit 4'\n"
        "[[states]]\ncode = 20\nrun = 'echo never'\n"
    )
    assert shell.run("run") == (4, "five 5\n", "")
    assert shell.statuses("b-0001") == [(5, "started", 1), (5, "completed", 1), (10, "started", 1), (10, "failed", 1)]


def test_nested_runs_belong_to_the_outer_build(shell: Shell) -> None:
    """A wrapped script inside a wrapped build adds its states to that build, unless it asks for one of its own."""
    inner = shell.script("inner.sh", '. "$TOOLKIT_SHELL"\nstate 30 inner -- echo inner\n')
    outer = shell.script("outer.sh", f'. "$TOOLKIT_SHELL"\nstate 10 outer -- toolkit run -- sh {inner}\n')
    assert shell.run("run", "--", "sh", outer) == (0, "inner\n", "")
    assert [each["build"] for each in shell.json("builds")["builds"]] == ["b-0001"]
    own = shell.script("own.sh", f"toolkit run --build new -- sh {inner}\n")
    assert shell.run("run", "--build", "new", "--", "sh", own) == (0, "inner\n", "")
    assert [each["build"] for each in shell.json("builds")["builds"]] == ["b-0001", "b-0002", "b-0003"]


def test_a_graceful_stop_is_interrupted(shell: Shell) -> None:
    """A build that is asked to stop is interrupted, not failed, and the wrapper dies of the same signal."""
    running = subprocess.Popen(
        [sys.executable, "-m", "toolkit", "run", "--", "sh", "-c", "echo up; exec sleep 60"],
        cwd=shell.folder, env=shell.environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with running:
        assert running.stdout is not None
        assert running.stdout.readline() == "up\n"
        running.terminate()
        assert running.wait(60) == -signal.SIGTERM
    assert shell.json("status")["status"] == "interrupted"


def test_a_killed_supervisor_is_found_out(shell: Shell) -> None:
    """After kill -9 of the supervisor the next command records that the build was interrupted."""
    script = shell.script("build.sh", '. "$TOOLKIT_SHELL"\nstate 5 long -- sh -c "echo up; exec sleep 60"\n')
    running = subprocess.Popen(
        [sys.executable, "-m", "toolkit", "run", "--", "sh", script],
        cwd=shell.folder, env=shell.environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with running:
        assert running.stdout is not None
        assert running.stdout.readline() == "up\n"
        running.kill()
        running.wait(60)
    assert shell.json("status")["status"] == "interrupted"
    assert shell.statuses("b-0001") == [(5, "started", 1), (5, "interrupted", 1)]


def test_parallel_runs_are_builds_of_their_own(shell: Shell) -> None:
    """Eight builds at once in one project lose nothing and get in nobody's way."""
    script = shell.script("build.sh", '. "$TOOLKIT_SHELL"\nfor i in 1 2 3 4 5; do state $i x -- true; done\n')
    command = [sys.executable, "-m", "toolkit", "run", "--build", "new", "--", "sh", script]
    running = [subprocess.Popen(command, cwd=shell.folder, env=shell.environment) for _ in range(8)]
    assert [each.wait(60) for each in running] == [0] * 8
    builds = shell.json("builds")["builds"]
    assert len(builds) == 8
    for each in builds:
        assert [state for state, status, _ in shell.statuses(each["build"]) if status == "completed"] == [1, 2, 3, 4, 5]


def test_a_run_is_over_when_its_supervisor_has_written_down_why(shell: Shell) -> None:
    """While somebody still records or tells what a failure was, the next run is a build of its own or waits."""
    notify = "touch told; until [ -e go ]; do sleep 0.05; done"
    (shell.folder / "toolkit.toml").write_text(f'[notify]\ncommand = "{notify}"\n')
    command = [sys.executable, "-m", "toolkit", "run", "--", "false"]
    first = subprocess.Popen(command, cwd=shell.folder, env=shell.environment, stderr=subprocess.PIPE, text=True)
    while not (shell.folder / "told").exists():
        assert first.poll() is None
        time.sleep(0.01)
    first.send_signal(signal.SIGSTOP)
    assert shell.run("run", "--", "true") == (0, "", "")
    command = [sys.executable, "-m", "toolkit", "run", "--build", "b-0001", "--", "true"]
    second = subprocess.Popen(command, cwd=shell.folder, env=shell.environment, stderr=subprocess.PIPE, text=True)
    assert second.stderr is not None
    waits = f"waiting for process {first.pid} on {os.uname().nodename}, which still tells what became of build b-0001"
    assert second.stderr.readline() == f"toolkit: warning: {waits}\n"
    (shell.folder / "go").touch()
    first.send_signal(signal.SIGCONT)
    assert (first.communicate(timeout=60)[1], first.returncode) == ("", 1)
    assert (second.communicate(timeout=60)[1], second.returncode) == ("", 0)
    builds = {each["build"]: (each["runs"], each["status"]) for each in shell.json("builds")["builds"]}
    assert builds == {"b-0001": (2, "completed"), "b-0002": (1, "completed")}


def test_an_unusable_store_costs_one_warning(shell: Shell) -> None:
    """In track-only a store that cannot be opened costs one line on stderr; the build runs as it would without us."""
    (shell.folder / ".toolkit").write_text("not a folder")
    code, out, error = shell.run("run", "--", "sh", "-c", "echo built; exit 3")
    assert (code, out) == (3, "built\n")
    assert re.fullmatch(r"toolkit: warning: recording is in trouble, [^\n]+\n", error)


def test_a_store_that_vanishes_degrades_the_build(shell: Shell) -> None:
    """When the history is deleted under a running build, the build ends as it would, after one warning."""
    script = shell.script("build.sh", '. "$TOOLKIT_SHELL"\nstate 5 a -- rm -rf .toolkit\nstate 10 b -- echo built\n')
    code, out, error = shell.run("run", "--", "sh", script)
    assert (code, out) == (0, "built\n")
    assert len(error.splitlines()) <= 1


def test_refusals_before_the_child_starts(shell: Shell) -> None:
    """What cannot be run is refused before anything has happened, in words."""
    hint = "hint: Nothing was run. Check the spelling, the PATH and the file's permissions.\n"
    error = f"error: cannot run './nothing-here': No such file or directory\n{hint}"
    assert shell.run("run", "--", "./nothing-here") == (127, "", error)
    assert shell.json("status")["exitCode"] == 127
    code, _, error = shell.run("run")
    assert code == 2
    assert "there is nothing to run" in error
    assert shell.run("run", "--label", "x", "--", "true")[0] == 2
    assert shell.run("run", "--phase", "4", "--", "true")[0] == 2


def test_the_environment_of_a_build(shell: Shell) -> None:
    """Only the documented variables are added."""
    bare = subprocess.run(
        ["env"], env=shell.environment, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    wrapped = shell.run("run", "--", "env")[1].splitlines()
    added = {line.partition("=")[0] for line in wrapped} - {line.partition("=")[0] for line in bare}
    assert added == {"TOOLKIT_BUILD", "TOOLKIT_RUN", "TOOLKIT_SHELL", "TOOLKIT_WIRE"}


def test_nothing_of_ours_is_left_behind(shell: Shell) -> None:
    """After a run only the history and the logs remain, readable by their owner alone."""
    shell.run("run", "--", "echo", "hello")
    kept = shell.folder / ".toolkit"
    assert list((kept / "run").iterdir()) == []
    for path in (kept, *kept.rglob("*")):
        if path.name != ".gitignore":
            assert path.stat().st_mode & 0o077 == 0, path


def test_a_secret_is_not_recorded(shell: Shell) -> None:
    """The value of a variable that looks secret reaches the caller but not the log nor the history."""
    code, out, _ = shell.run("run", "--", "sh", "-c", "echo token $API_TOKEN; exit 1", API_TOKEN=SECRET)
    assert (code, out) == (1, f"token {SECRET}\n")
    assert "hunter2" not in shell.run("logs")[1]
    assert "hunter2" not in shell.run("history", "--jsonl")[1]
    files = (path for path in (shell.folder / ".toolkit").rglob("*") if path.is_file())
    assert not any(b"hunter2" in path.read_bytes() for path in files)


def test_time_is_spent_on_the_build(shell: Shell) -> None:
    """Durations are those of the build itself."""
    began = time.monotonic()
    shell.run("run", "--", "sleep", "1")
    passed = time.monotonic() - began
    line = shell.json("history")["events"][-1]
    assert 1 <= line["duration"] <= passed
    assert Path(shell.folder / ".toolkit" / "history.db").exists()
    assert shell.folder.name == shell.json("status")["pipeline"]
