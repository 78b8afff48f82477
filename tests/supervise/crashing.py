"""Small builds in three kinds, killed and resumed until they are done, and what must be true of them then."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from toolkit.core import events as ev
from toolkit.store import open_store

STATES = (5, 10, 20, 30, 40)
KINDS = ("instrumented", "pipeline", "markers")
WHOM = ("supervisor", "state", "both", "all")
MOST_RUNS = 40
LOOKS = 500

STEP = """#!/bin/sh
# One state: what it makes holds what the state before it made. Without `set -e`: what fails has to show in the image.
echo "$1 $TOOLKIT_RUN begin" >>effects
{ cat "tree/$2" 2>/dev/null; echo "state $1"; } >"tree/$1.new"
mv "tree/$1.new" "tree/$1"
echo "$1 $TOOLKIT_RUN end" >>effects
"""
INSTRUMENTED = """#!/bin/sh
. "$TOOLKIT_SHELL"
set -e
state 5 five -- ./step.sh 5 none
ten() { ./step.sh 10 5; }
state 10 ten -- ten
state 20 twenty -- ./step.sh 20 10
state 30 thirty -- ./step.sh 30 20
state 40 forty -- ./step.sh 40 30
"""
MARKERS = """#!/bin/sh
set -e
before=none
for each in 5 10 20 30 40; do
    if [ "$each" -ge "${1:-0}" ]; then
        echo "::state $each started::"
        ./step.sh "$each" "$before"
        echo "::state $each completed::"
    fi
    before=$each
done
"""
PIPELINE = """
[[states]]
code = {code}
name = "state{code}"
run = "./step.sh {code} {before}"
"""


class Strike(NamedTuple):
    """One blow: see `struck.py`."""

    when: str = "never"
    where: float = 0
    whom: str = "supervisor"

    @property
    def told(self) -> str:
        return f"{self.when}:{self.where:g}:{self.whom}"


class Forge:
    """A process that is the toolkit as often as wanted, at a tenth of the cost of a start; see `struck.py`."""

    def __init__(self) -> None:
        """Start it; what its builds print is read, and forgotten."""
        reading, writing = os.pipe()
        self._reader = subprocess.Popen(["cat"], stdin=reading, stdout=subprocess.DEVNULL)
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("struck.py")), str(writing)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, pass_fds=[writing],
        )  # fmt: skip
        os.close(reading)
        os.close(writing)

    def run(self, folder: Path, arguments: list[str], strike: Strike) -> int:
        """Type a command in a folder, and strike; gives its exit code, negative for a signal."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {"folder": str(folder), "arguments": arguments, "strike": strike.told}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=60)
        self._reader.kill()
        self._reader.wait()


class Crashing:
    """One build in a folder of its own."""

    def __init__(self, folder: Path, kind: str) -> None:
        """Lay the project out."""
        self.folder = folder
        self.kind = kind
        self.landed = 0
        """How many blows killed something."""
        (folder / "tree").mkdir(parents=True)
        resume = 'resume_command = "./build.sh {state}"\n' if kind == "markers" else ""
        text = f'phase = "full-resume"\n\n[pipeline]\nname = "{kind}"\n{resume}'
        if kind == "markers":
            text += "".join(f"\n[[states]]\ncode = {code}\n" for code in STATES)
        if kind == "pipeline":
            pairs = zip(STATES, ("none", *STATES), strict=False)
            text += "".join(PIPELINE.format(code=code, before=before) for code, before in pairs)
        (folder / "toolkit.toml").write_text(text)
        for name, script in (("step.sh", STEP), ("build.sh", MARKERS if kind == "markers" else INSTRUMENTED)):
            (folder / name).write_text(script)
            (folder / name).chmod(0o755)

    def run(self, forge: Forge, strike: Strike = Strike()) -> bool:  # noqa: B008 - it is frozen
        """Begin the build, or resume it; tells whether it is done."""
        command = ["run"] if self.kind == "pipeline" else ["run", "--", "./build.sh"]
        if self.is_done():
            return True
        code = forge.run(self.folder, ["resume"] if self.events() else command, strike)
        if code not in {0, 1, -9, 137}:
            raise AssertionError(f"{self.folder}: {strike.told} ended with {code}: {self.said()}")
        self.landed += code != 0
        return code == 0

    def let_end(self) -> None:
        """Wait until nothing of the build runs any more that outlived its supervisor."""
        for _ in range(LOOKS):
            if not list((self.folder / ".toolkit" / "run").glob("*/unwatched")):
                return
            time.sleep(0.01)

    def is_done(self) -> bool:
        """Tell whether the history says that the build is complete."""
        return any(isinstance(event, ev.RunEnded) and event.outcome == "completed" for event in self.events())

    def said(self) -> str:
        """Give the end of what was said on stderr."""
        return (self.folder / "errors").read_text()[-2000:]

    def finish(self, forge: Forge) -> None:
        """Resume, undisturbed, until the build is done."""
        for _ in range(MOST_RUNS):
            if self.run(forge):
                return
        raise AssertionError(f"{self.folder}: not done after {MOST_RUNS} runs: {self.said()}")

    def events(self) -> list[ev.Event]:
        """Give the facts of the build; none before it has begun."""
        path = self.folder / ".toolkit" / "history.db"
        if not path.exists() or path.stat().st_size == 0:
            return []
        with closing(open_store(f"sqlite:///{path}")) as store:
            return store.events("b-0001")

    def image(self) -> str:
        """Give the hash of what the build made: names and contents."""
        told = hashlib.sha256()
        for path in sorted((self.folder / "tree").rglob("*")):
            told.update(f"{path.name}\0{path.read_text()}\0".encode())
        return told.hexdigest()

    def faults(self) -> list[str]:
        """Name what must not be: states that ran twice or got lost, a history that is not sound."""
        found = []
        with closing(open_store(f"sqlite:///{self.folder}/.toolkit/history.db")) as store:
            found += store.check()
            if [row.build for row in store.builds()] != ["b-0001"]:
                found.append(f"there are builds {[row.build for row in store.builds()]}")
            progress = store.progress("b-0001")
            completed = [event for event in store.events("b-0001") if isinstance(event, ev.AttemptCompleted)]
        if progress.status != "completed" or progress.degraded:
            found.append(f"the build is {progress.status}, degraded: {progress.degraded}")
        lines = [line.split() for line in (self.folder / "effects").read_text().splitlines()]
        ran = [(int(state), int(run), word) for state, run, word in lines]
        for code in STATES:
            runs = [event.run for event in completed if event.state == code]
            if len(runs) != 1:
                found.append(f"state {code} completed in runs {runs}")
                continue
            if ran.count((code, runs[0], "end")) != 1:
                found.append(
                    f"state {code} completed in run {runs[0]} and ended {ran.count((code, runs[0], 'end'))} times"
                )
            if later := [run for state, run, _ in ran if state == code and run > runs[0]]:
                found.append(f"state {code} completed in run {runs[0]} and ran again in {later}")
        return found
