"""Signals: each reaches whom it would have reached, once, and ends whom it would have ended."""

# ruff: noqa: E501 - a scene is a line of shell, and broken lines would be another scene

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.supervise.bare import both

if TYPE_CHECKING:
    from pathlib import Path

COUNTING = """
cat > count.py << 'EOF'
import signal, sys, time
out = open("got", "w", buffering=1)
def note(what):
    signal.setitimer(signal.ITIMER_REAL, float(sys.argv[2]))  # it ends when nothing more comes for so long
    print(what, file=out)
for name in sys.argv[1].split(","):
    signal.signal(getattr(signal, "SIG" + name), lambda n, f: note(signal.Signals(n).name))
signal.signal(signal.SIGALRM, lambda n, f: sys.exit(0))
note("ready")
while True:
    signal.pause()
EOF
n=1
# COMMAND...: send a signal and wait until it is noted; two at once would come in another order, or as one.
sent() { "$@"; n=$((n + 1)); until [ "$(wc -l < got)" -ge $n ]; do sleep 0.01; done; }
"""

DEADLY = ("HUP", "INT", "QUIT", "TERM", "KILL", "USR1", "ABRT", "SEGV", "RTMIN")
RARELY = ("USR2", "ALRM", "TRAP", "SYS", "XCPU", "IO", "PWR", "PROF", "VTALRM", "STKFLT", "BUS", "FPE", "ILL", "40")

CASES = {
    "to the leader, caught": (
        COUNTING + "$W $PYTHON count.py TERM,USR1,HUP 2 & p=$!; shown got ready; "
        "for s in TERM USR1 HUP USR1; do sent kill -$s $p; done; wait $p; echo $?"
    ),
    "ignored by the caller, caught all the same": (
        COUNTING + "(trap '' HUP; exec $W $PYTHON count.py HUP 2) & p=$!; shown got ready; "
        "kill -HUP $p; wait $p; echo $?"
    ),
    "to the group, caught once each": (
        COUNTING + "set -m; $W $PYTHON count.py TERM,USR1,HUP,INT 2 & p=$!; shown got ready; "
        "for s in TERM USR1 HUP INT USR1 USR1 USR1; do sent kill -$s -- -$p; done; wait $p; echo $?"
    ),
    "to leader and group in turn": (
        COUNTING + "set -m; $W $PYTHON count.py USR1,USR2 2 & p=$!; shown got ready; "
        "for i in 1 2 3 4 5; do sent kill -USR1 -- -$p; sent kill -USR2 $p; done; wait $p; echo $?"
    ),
    "to the group, each child gets its own": (
        COUNTING + "set -m; $W sh -c 'trap : TERM; $PYTHON count.py TERM 2; wait; cat got' & p=$!; shown got ready; "
        "kill -TERM -- -$p; wait $p; echo $?"
    ),
    "to the leader, not to its children": (
        COUNTING
        + "set -m; $W sh -c 'trap \"echo leader >> l\" TERM; $PYTHON count.py TERM 2; wait' & p=$!; shown got ready; "
        "kill -TERM $p; wait $p; echo $?; cat l"
    ),
    "default ends the leader, its child goes on": (
        "$W bash -c 'sleep 60 & echo $! > c; wait' & p=$!; shown c '[0-9]'; sleep 0.1; kill $p; wait $p; echo $?; "
        "kill -0 $(cat c) && echo child lives; kill $(cat c); gone $(cat c); rm c"
    ),
    "a graceful stop": (
        """$W bash -c 'trap "echo cleaning; sleep 0.2; echo clean; exit 12" TERM; echo up > u; sleep 1 & wait' & p=$!; """
        """shown u up; kill $p; wait $p; echo $?"""
    ),
    "an interrupt ignored in the background": (
        "$W sh -c 'echo up > u; sleep 2; echo survived' & p=$!; shown u up; kill -INT $p; wait $p; echo $?"
    ),
    "nohup survives its HUP": "nohup $W sh -c 'echo up > u; sleep 2; echo survived' 2> /dev/null & p=$!; shown u up; kill -HUP $p; wait $p; echo $?",
    "signals without effect": "$W sh -c 'echo up > u; sleep 2; echo fine' & p=$!; shown u up; kill -WINCH $p; kill -URG $p; kill -CONT $p; wait $p; echo $?",
    "a caught WINCH": COUNTING
    + "$W $PYTHON count.py WINCH,CONT,URG 2 & p=$!; shown got ready; sent kill -WINCH $p; sent kill -CONT $p; kill -URG $p; wait $p; echo $?",
    "stopped and continued, group": (
        "exec 2> /dev/null; set -m; $W sh -c 'echo up > u; sleep 0.6; echo on' & p=$!; shown u up; sleep 0.1; "
        # D is a shell that was stopped while it waited for its child to start.
        "kill -STOP -- -$p; stopped $p TD; kill -CONT -- -$p; ended $p"
    ),
    "stopping itself": (
        "exec 2> /dev/null; set -m; $W sh -c 'echo up > u; kill -STOP $$; echo on' & p=$!; shown u up; stopped $p; kill -CONT $p; ended $p"
    ),
    "killed with -9, the build dies at once": (
        "$W sh -c 'echo $$ > c; exec sleep 9' & p=$!; shown c '[0-9]'; sleep 0.1; kill -9 $p; wait $p; echo $?; gone $(cat c); echo gone; rm c"
    ),
    "killed with -9, its children print on": (
        "{ $W bash -c '(sleep 0.6; seq 1 20000; echo late) & echo up > u; wait' & p=$!; shown u up; sleep 0.1; kill -9 $p; wait $p; echo $? >&2; } | cksum"
    ),
    "the whole group killed with -9": (
        "set -m; $W sh -c 'sleep 9 & echo $! > c; wait' & p=$!; shown c '[0-9]'; sleep 0.1; kill -9 -- -$p; wait $p; echo $?; gone $(cat c); rm c; "
        "while ps -o pid= -g $p > left; do sleep 0.01; done; rm left; echo none left"
    ),
    "a CI agent: TERM to the group, then KILL": (
        "set -m; $W sh -c 'trap \"\" TERM; echo up > u; sleep 9; sleep 9' & p=$!; shown u up; kill -TERM -- -$p; sleep 0.3; kill -0 $p && echo still; "
        "kill -KILL -- -$p; wait $p; echo $?"
    ),
    "setsid, and its group": "set -m; setsid -w $W sh -c 'echo $$ > c; exec sleep 9' & shown c '[0-9]'; sleep 0.1; kill $(cat c); wait $!; echo $?; rm c",
    "many signals in a row": (
        COUNTING + "set -m; $W $PYTHON count.py USR1 2 & p=$!; shown got ready; "
        "for i in $(seq 1 30); do sent kill -USR1 -- -$p; done; wait $p; echo $?"
    ),
    "xargs is told": "seq 1 3 | xargs -n 1 $W sh -c 'kill -TERM $$' 2> /dev/null; echo $?",
    "the reader of a pipe is interrupted too": (
        "exec 2> /dev/null; set -m; { $W sh -c 'echo a; echo up > u; sleep 9' | cat; } & shown u up; sleep 0.1; kill -INT -- -$!; wait; echo $?"
    ),
}

PATIENT = {
    "stopped and continued, leader": (
        'exec 2> /dev/null; set -m; $W $PYTHON -c \'import time; open("u","w").write("up"); time.sleep(3); print("on")\' & p=$!; shown u up; '
        "kill -TSTP $p; stopped $p; kill -CONT $p; ended $p"
    ),
    "TSTP ignored": (
        "set -m; $W sh -c 'trap \"\" TSTP; echo up > u; sleep 4; echo on' & p=$!; shown u up; kill -TSTP -- -$p; sleep 0.3; "
        "ps -o stat= -p $p | cut -c1; wait $p; echo $?"
    ),
    "timeout --foreground": "timeout --foreground 3 $W sh -c 'sleep 6; echo no'; echo $?",
    "timeout and a long trap": """exec 2> /dev/null; timeout 8 $W bash -c 'trap "trap : TERM; echo t; sleep 0.3; echo done; exit 0" TERM; sleep 30 & wait'; echo $?""",
    "timeout -k": "timeout -k 0.5 8 $W sh -c 'trap \"\" TERM; sleep 30; sleep 30'; echo $?",
}


@pytest.mark.parametrize(
    "script",
    [
        *(pytest.param(script, id=name) for name, script in CASES.items()),
        *(pytest.param(script, id=name, marks=pytest.mark.long) for name, script in PATIENT.items()),
    ],
)
def test_signals(script: str, tmp_path: Path) -> None:
    """A signal to the leader, to its group, from a terminal or from timeout(1) does what it would have done."""
    bare, wrapped = both(script, tmp_path)

    assert wrapped == bare


@pytest.mark.parametrize("name", [*DEADLY, *(pytest.param(name, marks=pytest.mark.long) for name in RARELY)])
@pytest.mark.parametrize("whom", ["$p", "-- -$p"], ids=["leader", "group"])
def test_deadly_signals(name: str, whom: str, tmp_path: Path) -> None:
    """Whoever waits for a build that died of a signal sees it die of that signal."""
    script = (
        "ulimit -c 0; set -m; $W sh -c 'echo up > u; exec sleep 9' & p=$!; shown u up; sleep 0.05; "
        f"kill -{name} {whom}; wait $p; echo $?"
    )
    bare, wrapped = both(script, tmp_path)

    assert wrapped == bare
    assert int(bare.stdout.split()[-1]) > 128, "the scene itself failed"
