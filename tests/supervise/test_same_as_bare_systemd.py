"""A wrapped build as a unit of systemd: started, asked, told, stopped and killed, it does and sees the same."""

# ruff: noqa: E501 - a scene is a line of shell, and broken lines would be another scene

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from tests.supervise.bare import Screen, both, both_on_screen
from tests.supervise.booted import Booted, CannotBoot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.long

UNIT = """
u=t$$
run() { systemd-run --quiet --same-dir --unit=$u "$@"; }                                # a unit of this scene
said() { journalctl --sync; journalctl -o cat _SYSTEMD_UNIT=$u.service _TRANSPORT=stdout "$@"; }
fate() { systemctl show $u -p Result,ExecMainCode,ExecMainStatus; }
over() { until systemctl show $u -p ActiveState | grep -q 'inactive\\|failed'; do sleep 0.05; done; }
"""
COUNTS = 'trap "echo TERM >> f; n=1" TERM; trap "echo USR1 >> f" USR1; echo up > u; until [ "$n" ]; do sleep 0.05; done; sleep 0.4; exit 4'

CASES = {
    "waited for, between pipes": "echo typed | run --wait --pipe $W sh -c 'cat; echo err >&2; exit 7'; echo $?; fate",
    "death by a signal": "run --wait --pipe $W sh -c 'kill -9 $$$$'; echo $?; fate",
    "a scope": "run --scope $W sh -c 'cat /proc/self/cgroup; exit 3' | grep -c $u.scope; echo ${PIPESTATUS[0]}",
    "a scope that is stopped": "exec 2> /dev/null; set -m; run --scope $W sh -c 'COUNTS' & p=$!; shown u up; systemctl stop $u.scope; wait $p; echo $?",
    "the journal": "run --wait $W sh -c 'echo out; printf \"<3>bad\\n\" >&2; seq 1 1000; printf end; exit 3'; fate; said | cksum; said -p err",
    "input that systemd holds": "run --wait -p StandardInput=data -p StandardInputData=dHlwZWQK $W cat; said",
    "where it is told that its output goes": "run --wait $W sh -c 'stat -L -c %d:%i /proc/self/fd/2 | grep -c \"^$JOURNAL_STREAM$\"'; said",
    "what systemd tells it": "run --wait --pipe $W env | sed 's/=[0-9a-f]*$/=/' | grep -v TOOLKIT_ | sort",
    "whom systemd tells it": "run --wait -p WatchdogSec=30 $W sh -c '[ $WATCHDOG_PID = $$$$ ] && [ $SYSTEMD_EXEC_PID = $$$$ ] && echo me; sh -c \"[ \\$WATCHDOG_PID = \\$\\$\\$\\$ ] || echo not me\"'; said",
    "a socket handed over": 'run --socket-property=ListenStream=$PWD/s $W $PYTHON -c \'import os, socket; print(os.environ["LISTEN_PID"] == str(os.getpid()), os.environ["LISTEN_FDS"]); socket.socket(fileno=3).accept()[0].send(b"served")\'; $PYTHON -c \'import socket; c = socket.socket(1); c.connect("s"); print(c.recv(9))\'; over; said; systemctl stop $u.socket; rm s',
    "ready when it says so": "run -p Type=notify -p NotifyAccess=all $W sh -c 'echo before > f; systemd-notify --ready; echo after >> f; sleep 60'; echo $?; head -1 f; systemctl stop $u; rm f",
    "settings": "run --wait --pipe -p LimitNOFILE=99 -p Nice=5 -p UMask=027 -p OOMScoreAdjust=7 -p NoNewPrivileges=yes -p CapabilityBoundingSet=CAP_KILL $W sh -c 'ulimit -n; nice; umask; cat /proc/self/oom_score_adj; grep -E \"^(Sig[^Q]|Cap|NoNew)\" /proc/self/status'",
    "stopped, all of it at once": "run $W sh -c 'COUNTS'; shown u up; systemctl stop $u; fate; cat f",
    "stopped, the first process first": "run -p KillMode=mixed $W sh -c 'COUNTS'; shown u up; systemctl stop $u; fate; cat f",
    "stopped, and what it started is left alone": "run -p KillMode=process $W sh -c '(shown() { until [ -e $0 ]; do sleep 0.05; done; }; shown; echo late; echo $? >> f) & COUNTS' go; shown u up; systemctl stop $u; fate; touch go; shown f 0; cat f; until said | grep late; do sleep 0.05; done",
    "not listening to a stop": "run -p TimeoutStopSec=1 $W sh -c 'trap \"\" TERM; echo up > u; sleep 60; sleep 60'; shown u up; systemctl stop $u; fate",
    "out of time": "run --wait -p RuntimeMaxSec=1 $W sleep 60; echo $?; fate",
    "a signal to all of it": "run $W sh -c 'COUNTS'; shown u up; systemctl kill -s USR1 $u; shown f USR1; sleep 0.3; systemctl stop $u; cat f",
    "a signal to its first process": "run $W sh -c 'COUNTS'; shown u up; systemctl kill --kill-who=main -s USR1 $u; shown f USR1; sleep 0.3; systemctl stop $u; cat f",
    "left behind": "run --wait $W sh -c 'sleep 60 & echo $! > p; echo up'; fate; said; gone $(cat p); rm p",
    "once more after a failure": "run -p Restart=on-failure -p RestartSec=100ms $W sh -c 'echo run >> f; test $(wc -l < f) = 3'; shown f run; until [ $(wc -l < f) = 3 ]; do sleep 0.05; done; over; cat f",
}
TERMINAL = "run --wait --pty $W sh -c 'trap \"stty size; exit 3\" INT; tty > /dev/null && stty size && echo ready; while :; do sleep 0.05; done'; echo $?"


@pytest.fixture(scope="module")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    """Give a systemd, or say why there is none."""
    try:
        system = Booted(tmp_path_factory.mktemp("systemd"))
    except CannotBoot as error:
        pytest.skip(str(error))
    yield system
    system.end()


@pytest.mark.parametrize("script", CASES.values(), ids=CASES.keys())
def test_systemd(script: str, tmp_path: Path, booted: Booted) -> None:
    """A unit of systemd may be a wrapped build: neither systemd nor the build can tell."""
    bare, wrapped = both(UNIT + script.replace("COUNTS", COUNTS), tmp_path, executable=str(booted.shell))

    assert wrapped == bare


def test_terminal(tmp_path: Path, booted: Booted) -> None:
    """The terminal that `systemd-run --pty` gives to a wrapped build has its size, follows the window, and knows Ctrl-C."""

    def resize_and_interrupt(screen: Screen) -> None:
        screen.resize(33, 99)
        time.sleep(0.5)
        os.write(screen.master, b"\x03")

    shell = (str(booted.shell), "--norc")
    bare, wrapped = both_on_screen(UNIT + TERMINAL, tmp_path, (b"ready", resize_and_interrupt), shell=shell)

    assert b"33 99" in bare.stdout
    assert wrapped == bare
