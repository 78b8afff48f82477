"""Streams, ends and surroundings: whoever runs a build cannot tell whether it is wrapped."""

# ruff: noqa: E501 - a scene is a line of shell, and broken lines would be another scene

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.supervise.bare import BECOMING, both, scene

if TYPE_CHECKING:
    from pathlib import Path

STREAMS = {
    "nothing at all": "$W true",
    "one line": "$W echo hello",
    "two streams stay apart": "$W sh -c 'echo out; echo err >&2'",
    "a line without an end": "$W printf 'no newline'",
    "every byte": """$W $PYTHON -c 'import os; os.write(1, bytes(range(256)) * 300)'""",
    "bytes that are no text": r"$W printf '\377\376\000\200abc\303('",
    "carriage returns": r"$W printf 'a 10%%\ra 50%%\ra 100%%\n'",
    "order on one pipe": "$W sh -c 'for i in 1 2 3 4 5 6 7 8; do echo out $i; echo err $i >&2; done' 2>&1",
    "stderr into stdout's pipe within": "$W sh -c 'echo a; echo b >&2; echo c' 2>&1 | cat",
    "swapped": "{ $W sh -c 'echo out; echo err >&2' 3>&1 1>&2 2>&3; } 2>&1 | sort",
    "a third name of the same pipe keeps its order": "{ $W sh -c 'for i in 1 2 3 4; do echo a; echo b >&3; done'; } 3>&1 | cat",
    "into a file": "$W sh -c 'echo out; echo err >&2' > f 2>&1; cat f",
    "appending to a file": "echo before > f; $W sh -c 'echo in' >> f; echo after >> f; cat f",
    "two descriptors of one file": "$W sh -c 'echo one; echo two >&2' > f 2>> f; cat f",
    "at an offset of a file": "{ echo first; $W echo second; echo third; } > f; cat f",
    "a file read and written": "echo 123456 > f; $W sh -c 'printf ab' 1<> f; cat f",
    "into nothing": "$W sh -c 'echo gone; echo shown >&2' > /dev/null",
    "a full disk": "$W sh -c 'echo x; echo $?' > /dev/full",
    "one megabyte and one line": "$W head -c 1000000 /dev/zero | tr '\\0' x | cksum",
    "much, counted": "$W seq 1 200000 | cksum",
    "much on both": "$W sh -c 'seq 1 50000; seq 1 50000 >&2' 2> err | cksum; cksum < err",
    "a slow reader": "$W seq 1 60000 | { sleep 0.3; cksum; }",
    "a reader that goes after one line": "$W seq 1 1000000 | head -1; echo ${PIPESTATUS[0]}",
    "a reader that never reads": "$W sh -c 'sleep 0.3; echo a; echo b >&2' | true; echo ${PIPESTATUS[0]}",
    "a reader gone before, ignored SIGPIPE": (
        """$W sh -c 'trap "" PIPE; sleep 0.3; echo a; echo $? >&2' 2> err | true; echo ${PIPESTATUS[0]}; cat err"""
    ),
    "only stderr's reader goes": "$W sh -c 'sleep 0.3; echo a; echo b >&2; echo c' 2> >(true); echo $?",
    "what is shown at once": "$W sh -c 'echo 1; sleep 0.5; echo 2' | { read l; a=${EPOCHREALTIME/./}; read l; echo $((${EPOCHREALTIME/./} - a > 300000)); }",
    "closed early by the build": "$W sh -c 'echo hi; exec >&-; sleep 1; echo late > f' | { read l; cat; echo $l; ls; }; cat f",
    "a named pipe": "mkfifo p; cat p & $W echo through > p; wait; rm p",
    "a socket": """$PYTHON -c '
import socket, subprocess, sys
a, b = socket.socketpair()
p = subprocess.Popen(sys.argv[1:], stdout=b); b.close()
got = b"".join(iter(lambda: a.recv(65536), b"")); print(len(got), p.wait())' $W seq 1 20000""",
    "a socket that is closed": """$PYTHON -c '
import socket, subprocess, sys
a, b = socket.socketpair()
p = subprocess.Popen(sys.argv[1:], stdout=b); b.close(); a.recv(10); a.close(); print(p.wait())' \
$W sh -c 'echo 123456789; sleep 0.4; echo a; echo b >&2'""",
    "a socket that is left behind": """$PYTHON -c '
import os, socket, subprocess, sys
a, b = socket.socketpair()
p = subprocess.Popen(sys.argv[1:], stdout=b); b.close(); print(p.wait()); os.close(os.open("go", os.O_CREAT))
print(b"".join(iter(lambda: a.recv(65536), b"")))' \
$W sh -c '(until [ -e go ]; do sleep 0.01; done; echo late; echo $? > f) & echo up; exit 3'; cat f""",
    "a socket of the journal": """$PYTHON -c '
import os, socket, subprocess, sys
a, b = socket.socketpair(); of = os.fstat(b.fileno())
p = subprocess.Popen(sys.argv[1:], stdout=b, env={**os.environ, "JOURNAL_STREAM": f"{of.st_dev}:{of.st_ino}"}); b.close()
print(p.wait(), b"".join(iter(lambda: a.recv(65536), b"")))' \
$W sh -c '[ $(stat -L -c %d:%i /proc/$$/fd/1) = $JOURNAL_STREAM ] && echo journal'""",
    "what is said to one process": "sh -c 'export LISTEN_PID=$$ WATCHDOG_PID=$$ SYSTEMD_EXEC_PID=$$; exec \"$@\"' _ $W sh -c 'for pid in $LISTEN_PID $WATCHDOG_PID $SYSTEMD_EXEC_PID; do [ $pid = $$ ] && echo me; done'",
    "what is said to another process": "LISTEN_PID=1 WATCHDOG_PID= $W sh -c 'echo $LISTEN_PID $WATCHDOG_PID'",
    "closed stdout": "$W sh -c 'echo x; echo $? >&2' >&-",
    "closed stderr": "$W sh -c 'echo x >&2; echo $?' 2>&-",
    "all closed": "$W sh -c 'echo a > f; ls -l /proc/self/fd | wc -l >> f' <&- >&- 2>&-; cat f",
    "closed stdin stays closed": "$W sh -c 'cat; echo $?' <&- 2>&1",
    "descriptors are the same": "$W sh -c 'cd /proc/$$/fd; ls' 5< /dev/null 7> f",
    "stdin from a pipe": "seq 1 1000 | $W cksum",
    "stdin from a file": "seq 1 1000 > f; $W cksum < f",
    "stdin shared with the rest of the script": "printf 'a\\nb\\nc\\n' | { $W sh -c 'read x; echo $x'; read y; echo $y; }",
    "stdin let go early": "yes | $W sh -c 'exec <&-; echo up > u; sleep 1.5' & shown u up; sleep 0.8; pgrep -s 0 -x yes; wait",
    "a here document": "$W cat << EOF\nline $((1 + 1))\nEOF",
    "process substitution": "$W cat <(echo one) <(echo two)",
    "output into a substitution": "$W tee >(tr a-z A-Z > f) <<< hello; shown f HELLO; cat f",
    "a stream opened anew": "$W sh -c 'echo a > /dev/stderr; echo b > /dev/stdout; echo c > /dev/fd/1'",
    "kinds of the three": """$W sh -c 'for i in 0 1 2; do stat -Lc %F /proc/self/fd/$i; done' < /dev/null 2> f | cat""",
    "a large stdin and stdout at once": "seq 1 100000 | $W rev | cksum",
    "the pipe does not wait": (
        """$PYTHON -c 'import os,subprocess,sys; os.set_blocking(1, False); subprocess.run(sys.argv[1:])' """
        """$W $PYTHON -c 'import os; print(os.get_blocking(1))' | cat"""
    ),
    "the caller's pipe keeps its flags": "$W sh -c 'sleep 0.1' | { cat; }; $PYTHON -c 'import os; print(os.get_blocking(1))'",
}

ENDS = {
    "success": "$W true; echo $?",
    "failure": "$W false; echo $?",
    "exit code 255": "$W sh -c 'exit 255'; echo $?",
    "exit code 77 and output": "$W sh -c 'echo x; exit 77' | cat; echo ${PIPESTATUS[0]}",
    "not found": "$W ./missing 2> /dev/null; echo $?",
    "not in PATH": "$W no-such-command-anywhere 2> /dev/null; echo $?",
    "not executable": "echo echo > f; $W ./f 2> /dev/null; echo $?",
    "a directory": "$W /tmp 2> /dev/null; echo $?",
    "a bad interpreter": "printf '#!/no/such\\n' > f; chmod +x f; $W ./f 2> /dev/null; echo $?",
    "a script without #!": "echo 'echo run by sh $1' > f; chmod +x f; $W ./f arg; echo $?",
    "a link": "ln -s /bin/echo e; $W ./e linked; rm e",
    "from PATH": "mkdir b; printf '#!/bin/sh\\necho mine\\n' > b/t; chmod +x b/t; PATH=$PWD/b:$PATH; $W t",
    "an empty argument": "$W printf '[%s]' '' 'a b' '*'",
    "killed from within": "$W sh -c 'kill -TERM $$'; echo $?",
    "killed for good": "$W sh -c 'kill -KILL $$'; echo $?",
    "aborted": "ulimit -c 0; $W sh -c 'kill -ABRT $$'; echo $?",
    "a fault": "ulimit -c 0; $W sh -c 'kill -SEGV $$'; echo $?",
    "a core would be the build's": "ulimit -c unlimited; $W sh -c 'ulimit -c 0; kill -QUIT $$'; echo $?; ls",
    "set -e sees it": "set -e; $W false; echo not reached",
    "and and or": "$W true && echo yes; $W false || echo no",
    "a background child that keeps the pipe": "$W sh -c '(sleep 0.6; echo late) & echo early' | { cat; }; echo ${PIPESTATUS[0]}",
    "and is not waited for": "{ $W sh -c '(sleep 0.8; echo > late) & true'; ls; } | cat; shown late ''",
    "its output is not lost": "{ $W sh -c '(sleep 0.5; seq 1 30000) & seq 1 3'; echo end >&2; } | cksum",
    "nor does it get a SIGPIPE": "$W sh -c '(sleep 0.4; echo a; echo b; echo $? > f) & true' | cat; cat f",
    "it may use stderr": "$W sh -c '(sleep 0.3; echo late >&2) & true' 2>&1 | cat",
    "an orphan goes to who it went to": (
        "$W bash -c '(sleep 0.3; cut -d\" \" -f4 /proc/$BASHPID/stat > f) & true'; sleep 0.8; cat f"
    ),
    "no zombies": "$W sh -c 'for i in 1 2 3; do true & done; sleep 0.2; ps -o stat= --ppid $$ | grep -c Z'",
    "children it did not know": """bash -c 'sleep 0.2 & exec "$@"' _ $W sh -c 'sleep 0.5; echo ok'; echo $?""",
    "a daemon": "$W sh -c 'setsid sh -c \"sleep 0.3; echo daemon > f\" > /dev/null 2>&1 < /dev/null &'; shown f daemon; cat f",
}

SURROUNDINGS = {
    "environment and its order": "export A=1 B=' x ' C=; export -n PWD; $W env",
    "an empty environment": "env -i $W /usr/bin/env",
    "no locale is made up": "unset LC_ALL LC_CTYPE LANG; $W sh -c 'env | grep -c LC_'",
    "variables that are no text": r"export V=$(printf '\377\376'); $W sh -c 'printf %s $V | od -c'",
    "folder": "mkdir d; cd d; $W pwd | sed 's,.*/,,'",
    "a deleted folder": "mkdir d; cd d; rmdir ../d; $W sh -c 'echo here'",
    "umask": "umask 027; $W sh -c 'umask; : > f; stat -c %a f'",
    "nice": "$W nice; nice -n 5 $W nice",
    "limits": "ulimit -n 256; ulimit -s 4096; ulimit -c 0; $W sh -c 'ulimit -a'",
    "a limit on files": "ulimit -f 4; $W sh -c 'head -c 100000 /dev/zero > f; echo $?' 2>&1 | tail -1; stat -c %s f",
    "few descriptors": "ulimit -n 24; $W sh -c 'ulimit -n; echo ok'",
    "session and group": "$W sh -c 'set -- $(cut -d\" \" -f5,6 /proc/$$/stat); [ $1 = $2 ] && echo same'; echo $?",
    "group of a job": "set -m; $W sh -c 'cut -d\" \" -f5 /proc/$$/stat > f' & wait; [ $(cat f) = $! ] && echo leads; rm f",
    "no terminal": "$W sh -c 'test -t 1; echo $?; : < /dev/tty' 2> /dev/null; echo $?",
    "ignored signals": "trap '' HUP USR1; $W sh -c 'grep SigIgn /proc/$$/status'",
    "an ignored SIGPIPE": "trap '' PIPE; $W grep SigIgn /proc/self/status; echo $?",
    "an ignored SIGCHLD": "env --ignore-signal=CHLD $W sh -c 'exit 3'; echo $?; env --ignore-signal=CHLD $W grep SigIgn /proc/self/status",
    "default signals": "$W grep -E 'Sig(Ign|Cgt|Blk)' /proc/self/status",
    "blocked signals": "env --block-signal=USR2 $W grep SigBlk /proc/self/status",
    "a make and its job server": (
        "printf 'all: a b c\\na b c:\\n\\t@sleep 0.1; echo $@ $(filter -j%%,$(MAKEFLAGS))\\n' > m; "
        "printf 'all:\\n\\t+@%s $(MAKE) --no-print-directory -f m | sort\\n' \"$W\" > o; make -j2 -f o; rm m o"
    ),
    "xargs": "seq 1 5 | xargs -n 2 $W echo",
    "xargs in parallel": "seq 1 6 | xargs -P 3 -n 1 $W echo | sort",
    "env": "env FOO=bar $W sh -c 'echo $FOO'",
    "nohup": "nohup $W sh -c 'grep SigIgn /proc/$$/status' 2> /dev/null",
    "setsid": "setsid -w $W sh -c 'echo in a session; exit 4'; echo $?",
    "timeout in time": "timeout 5 $W sh -c 'exit 9'; echo $?",
    "timeout too late": "timeout 2 $W sleep 10; echo $?",
    "timeout, and the build says goodbye": """timeout 3 $W sh -c 'trap "echo bye; exit 3" TERM; sleep 10 & wait'; echo $?""",
    "timeout for good": "timeout -s KILL 2 $W sleep 10; echo $?",
    "stdbuf": "stdbuf -oL $W sh -c 'echo $_STDBUF_O'",
    "wrapped twice": "$W $W sh -c 'echo in; echo err >&2; exit 6'; echo $?",
    "command substitution": "x=$($W sh -c 'echo value; exit 2'); echo $x $?",
    "in a loop that reads": "printf 'a\\nb\\n' | while read l; do $W echo $l < /dev/null; done",
    "sourced into functions": "f() { $W sh -c 'echo \"$@\"' _ \"$@\"; }; f 1 '2 3'",
    "exec": "(exec $W sh -c 'exit 5'); echo $?",
}


@pytest.mark.parametrize("script", STREAMS.values(), ids=STREAMS.keys())
def test_streams(script: str, tmp_path: Path) -> None:
    """Every byte goes where it would have gone, in the same order, as soon, and nobody waits longer for it."""
    bare, wrapped = both(script, tmp_path)

    assert wrapped == bare


@pytest.mark.parametrize("script", ENDS.values(), ids=ENDS.keys())
def test_ends(script: str, tmp_path: Path) -> None:
    """A build ends with the status that it would have had, and what it leaves behind lives as it would have lived."""
    bare, wrapped = both(script, tmp_path)

    assert wrapped == bare


@pytest.mark.parametrize("script", SURROUNDINGS.values(), ids=SURROUNDINGS.keys())
def test_surroundings(script: str, tmp_path: Path) -> None:
    """Environment, limits, descriptors, dispositions, group and session are the caller's own, and tools that run tools work."""
    bare, wrapped = both(script, tmp_path)

    assert wrapped == bare


RETRYING = (
    "two streams stay apart", "every byte", "order on one pipe", "much on both", "a reader that goes after one line",
    "closed stdout", "stdin shared with the rest of the script", "output into a substitution",
    "exit code 255", "not found", "killed from within", "a background child that keeps the pipe", "a daemon",
    "environment and its order", "limits", "few descriptors", "group of a job", "an ignored SIGPIPE",
    "a make and its job server", "xargs in parallel", "nohup", "setsid",
)  # fmt: skip
PATIENT = ("timeout too late", "timeout, and the build says goodbye")


@pytest.mark.parametrize("name", [*RETRYING, *(pytest.param(name, marks=pytest.mark.long) for name in PATIENT)])
def test_a_build_that_may_be_retried(name: str, tmp_path: Path) -> None:
    """Where failures are decided about, a build that is not retried cannot tell that it is wrapped either."""
    bare, wrapped = both({**STREAMS, **ENDS, **SURROUNDINGS}[name], tmp_path, phase="selective-retry")

    assert wrapped == bare


@pytest.mark.parametrize(
    "name", ["default signals", "no locale is made up", "limits", "a limit on files", "few descriptors"]
)
def test_a_build_in_our_place(name: str, tmp_path: Path) -> None:
    """Where nothing is recorded the build takes our place, and finds what it would have found."""
    script = SURROUNDINGS[name]

    assert scene(script, tmp_path / "ours", BECOMING) == scene(script, tmp_path / "bare", "")
