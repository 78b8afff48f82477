"""Terminals: whatever is one stays one, keys and job control work, and the screen shows the same."""

# ruff: noqa: E501 - a scene is a line of shell, and broken lines would be another scene

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.supervise.bare import Screen, Step, both_on_screen

if TYPE_CHECKING:
    from collections.abc import Callable

WAITING = """$PYTHON -c '
import os, signal, time
signal.signal(signal.SIGINT, lambda *a: os.write(1, b"INT\\n"))
os.write(1, b"ready\\n")
for i in range(15): time.sleep(0.1)
os.write(1, b"over\\n")
'"""
SIZES = """$PYTHON -c '
import os, signal, time
told = []
signal.signal(signal.SIGWINCH, lambda *a: told.append(1))
print("ready", flush=True)
while not told: time.sleep(0.05)
time.sleep(0.2)
print([tuple(os.get_terminal_size(fd)) for fd in (0, 1, 2)])
'"""


def press(keys: bytes, after: float = 0.0) -> Callable[[Screen], None]:
    """Give an act that types after a moment, once the shell on the screen waits for what it has started.

    A shell that is not that far dies of a key that is meant for the build.
    """

    def act(screen: Screen) -> None:
        time.sleep(after)
        deadline = time.monotonic() + 2
        while Path(f"/proc/{screen.pid}/wchan").read_text() != "do_wait" and time.monotonic() < deadline:
            time.sleep(0.005)
        os.write(screen.master, keys)

    return act


def resize(screen: Screen) -> None:
    time.sleep(0.1)
    screen.resize(33, 99)


CASES: dict[str, tuple[str, list[Step]]] = {
    "a line": ("$W echo hello", []),
    "colours and bars": (r"$W printf '\033[31mred\033[0m\n10%%\r20%%\r100%%\n'", []),
    "bare carriage returns and newlines": (r"$W printf 'a\rb\r\nc\r\r\nd\n\n\r'", []),
    "both streams in order": ("$W sh -c 'for i in 1 2 3 4 5; do echo o$i; echo e$i >&2; done'", []),
    "much": ("$W seq 1 20000", []),
    "all three are terminals": ("$W sh -c 'test -t 0 && test -t 1 && test -t 2 && echo yes'", []),
    "only stdout": ("$W sh -c 'test -t 1 && echo yes; test -t 2 || echo no' < /dev/null 2> f", []),
    "only stderr": ("$W sh -c 'test -t 2 && echo yes >&2; sleep 0.3; test -t 1 || echo no' | cat", []),
    "size": ("$W $PYTHON -c 'import os; print([tuple(os.get_terminal_size(i)) for i in (0, 1, 2)])'; $W stty size", []),
    "settings": ("$W stty -a; $W stty -a <&1; $W sh -c 'stty -a <&2'", []),
    "settings changed before": ("stty -onlcr; $W stty -a <&1; $W printf 'a\\nb\\n'; stty onlcr", []),
    "settings changed within last": ("$W stty -echo; stty -a | grep -o -- '-\\?echo '; stty echo", []),
    "settings changed on stdout last": (
        "$W sh -c 'stty -echo <&1; sleep 0.2'; stty -a | grep -o -- '-\\?echo '; stty echo",
        [],
    ),
    "raw mode on stdout": ("$W sh -c 'stty raw <&1; sleep 0.2; printf \"a\\nb\\n\"'; stty sane", []),
    "raw mode on stdin": ("$W sh -c 'stty raw; sleep 0.2; printf \"a\\nb\\n\"'; stty sane", []),
    "no output processing": ("$W sh -c 'stty -opost; printf \"a\\nb\\n\"; sleep 0.2; stty opost; echo c'", []),
    "a key in raw mode": (
        "$W sh -c 'stty raw -echo; echo ready; x=$(dd bs=1 count=1 2>/dev/null); stty sane; echo got $x'",
        [(b"ready", b"q")],
    ),
    "a key in raw mode through stdout": (
        "$W sh -c 'stty raw -echo <&1; sleep 0.3; echo ready; x=$(dd bs=1 count=1 2>/dev/null); stty sane; echo got $x'",
        [(b"ready", b"q")],
    ),
    "a prompt and an answer": ("$W sh -c 'printf \"name? \"; read x; echo hi $x'", [(b"name? ", b"you\n")]),
    "a password": ("$W bash -c 'read -sp \"secret: \" x; echo; echo ${#x}'", [(b"secret: ", b"12345\n")]),
    "end of input": ("$W cat", [(b"", b"one\n"), (b"one\r\none\r\n", b"\x04")]),
    "the controlling terminal": (
        "$W sh -c 'echo direct > /dev/tty; ps -o tty= -p $$ | grep -c pts; tty | grep -c pts'",
        [],
    ),
    "foreground": ("$W sh -c '[ $(ps -o tpgid= -p $$) = $(ps -o pgid= -p $$) ] && echo in front'", []),
    "Ctrl-C": ("$W sh -c 'echo ready; exec sleep 9'; echo $?", [(b"ready", press(b"\x03", 0.1))]),
    "Ctrl-C, caught": (f"$W {WAITING}; echo $?", [(b"ready", press(b"\x03"))]),
    "Ctrl-C twice, caught": (f"$W {WAITING}; echo $?", [(b"ready", press(b"\x03")), (b"INT", press(b"\x03", 0.2))]),
    "Ctrl-C, graceful": (
        "$W bash -c 'trap \"echo cleaning; sleep 0.2; echo clean; exit 4\" INT; echo ready; sleep 2 & wait'; echo $?",
        [(b"ready", press(b"\x03"))],
    ),
    "Ctrl-C in a script stops the script": (
        "$W sh -c 'echo ready; sleep 9'; echo not reached",
        [(b"ready", press(b"\x03", 0.1))],
    ),
    "Ctrl-backslash": ("ulimit -c 0; $W sh -c 'echo ready; exec sleep 9'; echo $?", [(b"ready", press(b"\x1c", 0.1))]),
    "resized": (f"$W {SIZES}", [(b"ready", resize)]),
    "resized, told once": (
        "$W bash -c 'trap \"echo told; stty size; sleep 0.2; stty size <&1\" WINCH; echo ready; sleep 0.6 & wait; wait'",
        [(b"ready", resize)],
    ),
    "in a pipeline": ("$W sh -c 'echo to the pipe; sleep 0.3; echo to the screen >&2' | tr a-z A-Z", []),
    "paged": ("seq 1 50 | $W sh -c 'head -3; read x < /dev/tty; echo $x'", [(b"3", b"key\n")]),
    "late output of a background child": ("$W sh -c '(sleep 0.4; echo late) & echo early'; sleep 0.8; echo end", []),
    "wrapped twice": ("$W $W sh -c 'test -t 1 && echo yes; exit 3'; echo $?", []),
    "in the background": ("$W sh -c 'sleep 0.3; echo from behind' & wait; echo end", []),
    "in the background, reading": (
        "set -m; $W sh -c 'read x; echo read $x' & until jobs | grep -q Stopped; do sleep 0.05; done; echo 1; fg > /dev/null",
        [(b"1\r\n", b"word\n")],
    ),
    "tostop": (
        "stty tostop; set -m; $W sh -c 'echo hello' & until jobs | grep -q Stopped; do sleep 0.05; done; fg > /dev/null; stty -tostop",
        [],
    ),
    "wide characters": ("$W printf 'ä€𝄞\\n'", []),
}

INTERACTIVE: dict[str, tuple[str, list[Step]]] = {
    "Ctrl-Z, jobs, fg": (
        "",
        [
            (b"$ ", b"$W sh -c 'echo ready; sleep 1; echo on'\n"),
            (b"ready\r\n", press(b"\x1a", 0.1)),
            (b"Stopped", b""),
            (b"$ ", b"jobs\n"),
            (b"Stopped", b""),
            (b"$ ", b"fg\n"),
            (b"on\r\n", b""),
            (b"$ ", b"echo $?; exit\n"),
        ],
    ),
    "Ctrl-Z, bg, wait": (
        "",
        [
            (b"$ ", b"$W sh -c 'echo ready; sleep 1; echo on'\n"),
            (b"ready\r\n", press(b"\x1a", 0.1)),
            (b"$ ", b"bg\n"),
            (b"$ ", b"wait; exit\n"),
        ],
    ),
    "Ctrl-Z twice": (
        "",
        [
            (b"$ ", b"$W sh -c 'echo ready; sleep 1; echo on; sleep 1; echo off'\n"),
            (b"ready\r\n", press(b"\x1a", 0.1)),
            (b"$ ", b"fg\n"),
            (b"on\r\n", press(b"\x1a", 0.1)),
            (b"$ ", b"fg\n"),
            (b"off\r\n", b""),
            (b"$ ", b"exit\n"),
        ],
    ),
    "Ctrl-C at a prompt": (
        "",
        [
            (b"$ ", b"$W sh -c 'echo ready; sleep 5'\n"),
            (b"ready\r\n", press(b"\x03", 0.1)),
            (b"$ ", b"echo $?; exit\n"),
        ],
    ),
}

PATIENT: dict[str, tuple[str, list[Step]]] = {
    "a stopped job is killed": (
        "",
        [
            (b"$ ", b"$W sh -c 'echo ready; sleep 5'\n"),
            (b"ready\r\n", press(b"\x1a", 0.1)),
            (b"$ ", b"kill %1; sleep 4; wait %1; echo $?; exit\n"),
        ],
    ),
}


@pytest.mark.parametrize(("script", "steps"), CASES.values(), ids=CASES.keys())
def test_terminals(script: str, steps: list[Step], tmp_path: Path) -> None:
    """On a terminal the build sees a terminal, and the person in front of it sees the build."""
    bare, wrapped = both_on_screen(script, tmp_path, *steps)

    assert wrapped == bare


@pytest.mark.parametrize(
    ("script", "steps"),
    [
        *(pytest.param(*case, id=name) for name, case in INTERACTIVE.items()),
        *(pytest.param(*case, id=name, marks=pytest.mark.long) for name, case in PATIENT.items()),
    ],
)
def test_job_control(script: str, steps: list[Step], tmp_path: Path) -> None:
    """An interactive shell stops, continues and ends a wrapped build like any other."""
    shell = ("bash", "--norc", "--noediting", "-c", ". ./script; exec bash --rcfile script --noediting -i")
    bare, wrapped = both_on_screen(script, tmp_path, *steps, shell=shell)

    assert wrapped == bare
