"""A disk that fails under the recorder, at every one of its calls: the build prints and ends as if nothing had been.

strace makes the calls fail in the real program. It looks at our files alone and lets go of the build when that is
executed, so nothing of the build's own fails.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.supervise.faulty import TOOLKIT, WARNING, judge, play, told

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace makes the faults")

BUILD = """
. "$TOOLKIT_SHELL"
echo start; echo err >&2
state 5 one -- echo a
state 10 two -- seq 1 2000
state_output KEY=value
state 20 three -- sh -c 'echo bad >&2; exit 5'
echo end
exit 5
"""
OUTPUT = "start\na\n" + "".join(f"{n}\n" for n in range(1, 2001)) + "end\n"


def swept(call: str, error: str, *numbers: int) -> list[str]:
    """Give faults at the numbered calls of each thread, and from there on, as a full disk does it."""
    return [f"{call}:error={error}:when={number}{on}" for number in numbers for on in ("", "+")]


AT_ONCE = ["pwrite64:error=ENOSPC:when=25+", "writev:error=EIO:when=1+", "openat:error=EROFS:when=4"]
SWEEP = [
    *swept("fdatasync", "EIO", 1, 3, 5, 7),
    *swept("pwrite64", "ENOSPC", 1, 12, 31, 50, 69),
    *swept("pwrite64", "EDQUOT", 5, 38),
    *swept("pread64", "EIO", 2, 9),
    *swept("writev", "ENOSPC", 1, 2, 3),
    *swept("openat", "EROFS", 1, 2, 6, 8, 9),
    *swept("mkdir", "EACCES", 1, 2),
    *swept("mkdirat", "ENOSPC", 1),
    *swept("ftruncate", "EIO", 1),
]


@pytest.mark.parametrize("fault", [*AT_ONCE, *(pytest.param(each, marks=pytest.mark.long) for each in SWEEP)])
def test_a_fault_of_the_recorder_is_not_the_builds(fault: str, tmp_path: Path) -> None:
    """Output and exit code are the same whatever call fails; one line says so, and the record admits its holes."""
    judge(play(tmp_path / "project", BUILD, fault), tmp_path / "project", 5, OUTPUT, "err\nbad\n")


def test_trouble_that_comes_with_the_end_is_told(tmp_path: Path) -> None:
    """The build's end closes its outputs a moment before we hear of it; what goes wrong from then on is still said."""
    script = "kill -STOP $PPID; rm -rf .toolkit; exit 3"
    running = subprocess.Popen(
        [TOOLKIT, "run", "--", "sh", "-c", script],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    os.waitid(os.P_PID, running.pid, os.WSTOPPED | os.WNOWAIT)
    while children := Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split():
        if not any(Path(f"/proc/{each}/comm").read_text() == "sh\n" for each in children if not _is_zombie(each)):
            break
        time.sleep(0.01)
    running.send_signal(signal.SIGCONT)
    output, error = running.communicate(timeout=60)

    assert (running.returncode, output) == (3, "")
    assert WARNING.fullmatch(error)


def _is_zombie(pid: str) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def wrapped(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a shell script as a build."""
    return subprocess.run(
        [TOOLKIT, "run", "--", "sh", "-c", script], cwd=folder, capture_output=True, text=True, check=False, timeout=90
    )


LOCK = """
import os, sqlite3, sys, time
store = sqlite3.connect(".toolkit/history.db", timeout=60, isolation_level=None)
store.execute("begin exclusive")
open("locked", "w").close()
time.sleep(float(sys.argv[1]))
"""


@pytest.mark.long
def test_a_store_that_is_locked(tmp_path: Path) -> None:
    """A build whose history is locked by somebody goes on after a moment, without its record, and says so once."""
    (tmp_path / "lock.py").write_text(LOCK)
    script = (
        f'. "$TOOLKIT_SHELL"\n{sys.executable} lock.py 30 & locker=$!\nuntil [ -e locked ]; do sleep 0.05; done\n'
        "state 5 one -- echo a\nstate 10 two -- echo b\nkill $locker\nwait\nexit 4\n"
    )
    ended = wrapped(script, tmp_path)

    assert (ended.returncode, ended.stdout) == (4, "a\nb\n")
    assert len(WARNING.findall(ended.stderr)) == 1
    assert (told(tmp_path) or {}).get("degraded") is True


ACTS = {
    "the folder of the history is deleted": "rm -rf .toolkit",
    "the log's folder is deleted": "rm -rf .toolkit/logs",
    "the history is replaced by a folder": "rm -rf .toolkit/history.db*; mkdir .toolkit/history.db",
    "the wire's folder is deleted": "rm -rf .toolkit/run",
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())
def test_a_build_that_deletes_our_files(act: str, tmp_path: Path) -> None:
    """A build may remove all that is ours, by a careless `git clean` say, and prints and ends as it would have."""
    script = (
        f'. "$TOOLKIT_SHELL"\nstate 5 one -- echo a\n{act}\n'
        "state 10 two -- seq 1 5000\nstate 15 three -- echo c\nexit 4\n"
    )
    ended = wrapped(script, tmp_path)

    assert (ended.returncode, ended.stdout) == (4, "a\n" + "".join(f"{n}\n" for n in range(1, 5001)) + "c\n")
    assert len(WARNING.findall(ended.stderr)) <= 1
    assert WARNING.sub("", ended.stderr) == ""


def test_what_is_ours_is_private(tmp_path: Path) -> None:
    """Files are created for their owner alone, whatever the umask, and a link in their place is refused."""
    subprocess.run(["sh", "-c", f"umask 0; exec {TOOLKIT} run -- sh -c 'echo x'"], cwd=tmp_path, check=True)
    modes = {(path.is_dir(), oct(path.stat().st_mode & 0o777)) for path in (tmp_path / ".toolkit").rglob("*")}
    assert modes == {(True, "0o700"), (False, "0o600")}

    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / ".toolkit").symlink_to(tmp_path / "elsewhere")
    ended = subprocess.run(
        [TOOLKIT, "run", "--", "sh", "-c", "exit 3"],
        cwd=tmp_path / "linked",
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 3
    assert len(WARNING.findall(ended.stderr)) == 1
    assert list((tmp_path / "elsewhere").iterdir()) == []
