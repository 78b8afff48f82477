"""Tools around a wrapped build and within it: each does, and sees, what it would have."""

# ruff: noqa: E501 - a scene is a line of shell, and broken lines would be another scene

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.supervise.bare import both

if TYPE_CHECKING:
    from pathlib import Path

CASES = {
    "coproc": "coproc C { $W cat; }; echo hi >&${C[1]}; read x <&${C[0]}; echo $x; exec {C[1]}>&-; wait; echo $?",
    "whichever ends first": "$W sh -c 'exit 3' & $W sh -c 'sleep 1; exit 4' & wait -n; echo $?; wait -n; echo $?",
    "processors": "taskset 1 $W taskset -p $$ | sed 's/pid [0-9]*//'; taskset 1 $W sh -c 'taskset -p $$' | sed 's/pid [0-9]*//'",
    "its place before the killer of the memory": "echo 500 > /proc/self/oom_score_adj; $W cat /proc/self/oom_score_adj",
    "timer slack": "$W cat /proc/self/timerslack_ns",
    "no new privileges": "setpriv --no-new-privs $W grep NoNewPrivs /proc/self/status",
    "what the kernel says of it": "$W grep -E '^(Uid|Gid|Groups|NoNewPrivs|Seccomp|Cpus_allowed|Cap...|CoreDumping|SigBlk|SigIgn|SigCgt|Shd)' /proc/self/status",
    "all limits at once": "ulimit -v 4000000; ulimit -u 3000; ulimit -t 100; $W cat /proc/self/limits",
    "control group and namespaces": "$W sh -c 'cat /proc/self/cgroup; readlink /proc/self/ns/*'",
    "the root folder": "$W readlink /proc/self/root",
    "cmdline": '$W sh -c \'tr "\\0" " " < /proc/$$/cmdline\' x y',
    "argv0 names": "exec -a foo $W true; echo $?",
    "trap exit": "$W bash -c 'trap \"echo bye\" EXIT; exit 2'; echo $?",
    "pipefail": "set -o pipefail; $W sh -c 'exit 4' | cat; echo $?",
    "SIGPIPE in pipeline": "set -o pipefail; $W yes | head -1; echo $?",
    "time": "{ time -p $W sleep 0.1; } 2>&1 | grep -c real",
    "two pipelines": "$W echo a | $W cat | $W tr a b",
    "background & disown": "$W sh -c 'sleep 0.5; echo x > f' & disown; shown f x; cat f",
    "in a subshell of a subshell": "( ( $W sh -c 'exit 9' ) ); echo $?",
    "exit code of signal in sh": "sh -c \"$W sh -c 'kill -9 \\$\\$'\"; echo $?",
    "read timeout": "$W sleep 1 | { read -t 0.1 x; echo $?; }",
    "stdin tty-less select": "sleep 0.3 | $W $PYTHON -c 'import select,sys; print(select.select([0],[],[],5)[0])'",
    "seek stdin": "seq 1 100 > f; { $W sh -c 'read a; read b; echo $a $b'; cat | head -1; } < f",
    "seek whole": "seq 1 100 > f; { $W head -c 4 > /dev/null; head -1; } < f",
    "append concurrent": "$W sh -c 'for i in 1 2 3; do echo w$i; done' >> f & for i in 1 2 3; do echo m$i >> f; done; wait; sort f; rm f",
    "fd 3 pipe": "{ $W sh -c 'echo to3 >&3' 3>&1 >/dev/null; } | cat",
    "fd 9 lock": "exec 9> l; flock 9; $W sh -c 'flock -n 9 && echo ok'; ls",
    "lock released": "( exec 9> l; flock 9; $W true; ); flock -n l echo free",
    "lock held by child only": "exec 9> l; $W sh -c 'flock 9; sleep 1' & exec 9>&-; sleep 0.8; wait; flock -n l echo free",
    "fd closed by the build seen": "mkfifo p; { cat p; echo eof; } & $W sh -c 'exec 5>&-; sleep 0.2; echo still > s' 5> p; wait; cat s; rm p",
    "nonblocking stdin": "yes | head -100000 | $W cksum",
    "/dev/fd": "echo data | $W cat /dev/fd/0",
    "/dev/stdout append": "$W sh -c 'echo a >> /dev/stdout' > f; cat f",
    "file truncated meanwhile": "$W sh -c 'echo aaaa; sleep 0.3; : > f; echo b' > f; od -c f | head -3",
    "xargs gives up at 255": "seq 1 5 | xargs -n1 $W sh -c 'exit 255' 2>/dev/null; echo $?",
    "find exec": "touch a b; find . -type f -exec $W echo {} \\; | sort",
    "make -k error": 'printf \'all: x y\\nx:\\n\\t@%s false\\ny:\\n\\t@%s echo y\\n\' "$W" "$W" > m; make -k -f m 2>/dev/null; echo $?; rm m',
    "parallel writes whole lines": "$W sh -c 'for i in 1 2 3 4; do (seq 1 500) & done; wait' | sort -n | cksum",
    "big env": "export BIG=$(head -c 100000 /dev/zero | tr '\\0' x); $W sh -c 'echo ${#BIG}'",
    "big args": "$W sh -c 'echo $# ${#1}' _ $(head -c 100000 /dev/zero | tr '\\0' x) 2",
    "weird args": "$W printf '[%s]' -- -x --help '' $'a\\nb' $'\\xff'",
    "env -u PATH": "env -u PATH $W /bin/echo hi",
    "HOME unset": "env -u HOME $W echo hi",
    "TMPDIR bad": "TMPDIR=/nonexistent $W echo hi",
    "LANG odd": "LANG=xx_YY.bad LC_ALL=tr_TR $W sh -c 'echo $LANG $LC_ALL'",
    "python -I in between": "$W $PYTHON -c 'import sys; print(sys.flags.isolated)'",
    "child sets core": "ulimit -c 0; $W sh -c 'ulimit -c'",
    "wait for late stdout of setsid": "$W sh -c 'setsid sh -c \"sleep 0.4; echo late\" & echo early' | cat",
    "killed twice": "set -m; $W sh -c 'trap \"echo t >> f\" TERM; echo up > u; while [ $(wc -l < f) -lt 2 ]; do sleep 0.05; done' & p=$!; : > f; shown u up; kill $p; sleep 0.4; kill $p; wait $p; echo $?; cat f",
    "CI agent TERM leader then KILL leader": "set -m; $W sh -c 'trap \"\" TERM; echo up > u; sleep 3; sleep 3' & p=$!; shown u up; kill $p; sleep 0.3; kill -9 $p; wait $p; echo $?",
    "an interrupt to a job": "set -m; $W bash -c 'trap \"echo got; kill %1; exit 5\" INT; echo up > u; sleep 60 & wait' & p=$!; shown u up; kill -INT -$p; wait $p; echo $?",
    "stdout and stderr to same file append": "$W sh -c 'echo o; echo e >&2; echo o2' >> f 2>&1; cat f",
    "dev zero": "$W head -c 5 /dev/zero | od -c",
    "exit 0 on closed": "$W sh -c 'exec 1>&- 2>&-; exit 3'; echo $?",
}


@pytest.mark.parametrize("script", CASES.values(), ids=CASES.keys())
def test_tools(script: str, tmp_path: Path) -> None:
    """Shells, job control, locks, make, find, xargs and the kernel's own accounts tell no difference."""
    bare, wrapped = both(script, tmp_path)

    assert wrapped == bare
