"""A disk that fails under the recorder: strace makes calls about our own files, and no others, fail in the program."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from toolkit.errors import ToolkitError
from toolkit.store import open_store

TOOLKIT = str(Path(sys.executable).with_name("toolkit"))
WARNING = re.compile(r"toolkit: warning: recording is in trouble, the build goes on.*\n")
PLACES = (
    "", "/.gitignore", "/history.db", "/history.db-wal", "/history.db-shm", "/history.db-next", "/history.db-turn",
    "/logs", "/logs/b-0001", "/run", "/cache",
    *(f"/logs/b-0001/0001-{state:03}-0001.log.zst" for state in (0, 5, 10, 20)),
)  # fmt: skip
CALL = re.compile(r"(\d+) +(\w+)\(")


class Played(NamedTuple):
    """What came of a build under a fault, and what strace saw."""

    status: int
    output: str
    error: str
    trace: str

    @property
    def injected(self) -> int:
        """In how many calls there was a fault."""
        return self.trace.count("INJECTED")

    @property
    def calls(self) -> Counter[str]:
        """Count calls by their names, each in the thread that made most of them: so strace numbers them."""
        threads = Counter(CALL.findall(self.trace))
        most: Counter[str] = Counter()
        for (_, name), number in threads.items():
            most[name] = max(most[name], number)
        return most


def play(folder: Path, script: str, fault: str | None) -> Played:
    """Run a script in a fresh project, with a fault, as strace understands it, from the first call on."""
    _lay_out(folder, script)
    ended = subprocess.run(
        [*_strace(folder, fault), "-D", "-b", "execve", "-qq", TOOLKIT, "run", "--", "sh", "build.sh"],
        cwd=folder, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    return Played(ended.returncode, ended.stdout, ended.stderr, (folder / "trace").read_text())


def play_later(folder: Path, script: str, fault: str | None) -> Played:
    """Do the same with a fault that is numbered from when the build has begun: all that is left is the recorder's."""
    _lay_out(folder, f": >begun; until [ -e go ]; do sleep 0.02; done\n{script}")
    running = subprocess.Popen(
        [TOOLKIT, "run", "--", "sh", "build.sh"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not (folder / "begun").exists() and running.poll() is None:
        time.sleep(0.02)
    tracing = subprocess.Popen([*_strace(folder, fault), "-p", str(running.pid)], stderr=subprocess.PIPE, text=True)
    assert tracing.stderr is not None
    assert "attached" in tracing.stderr.readline()
    (folder / "go").touch()
    output, error = running.communicate(timeout=120)
    tracing.communicate(timeout=60)
    return Played(running.returncode, output, error, (folder / "trace").read_text())


def told(folder: Path) -> dict[str, object] | None:
    """Give the build's record, None when there is none."""
    ended = subprocess.run([TOOLKIT, "status", "--json"], cwd=folder, capture_output=True, text=True, check=False)
    return json.loads(ended.stdout) if ended.returncode == 0 else None


def is_degraded(folder: Path) -> bool | None:
    """Tell whether the history admits that it has holes; None when there is none of the build."""
    try:
        with closing(open_store(f"sqlite:///{folder}/.toolkit/history.db", create=False)) as store:
            row = store.row("b-0001")
    except ToolkitError:
        return None
    return None if row is None else row.degraded


def judge(played: Played, folder: Path, status: int, output: str, error: str) -> None:
    """The build's output and end are its own; at most one line is ours, and then the record says that it has holes."""
    warnings = WARNING.findall(played.error)
    assert (played.status, played.output, WARNING.sub("", played.error)) == (status, output, error)
    assert len(warnings) <= 1
    if warnings and "unrecorded" not in warnings[0]:
        assert is_degraded(folder) is not False


def _lay_out(folder: Path, script: str) -> None:
    folder.mkdir()
    (folder / "toolkit.toml").write_text('phase = "track-only"\n')
    (folder / "build.sh").write_text(script)


def _strace(folder: Path, fault: str | None) -> list[str]:
    paths = [f"-P{folder}/.toolkit{name}" for name in PLACES]
    return ["strace", "-f", "-o", str(folder / "trace"), *paths, *(["-e", f"inject={fault}"] if fault else [])]
