"""From the resume command to the failed state's first instruction, 20 and 200 states, beside tools that do the same.

Each candidate runs the same build once until its last state but one fails, and is then resumed, again and again, with
that failure still there: what is measured is the time from the command to the moment at which the failing state's own
command begins, which it writes down itself. Candidates take turns, medians are told.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from tests.bench.peers import peers_python

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = (20, 200)
ROUNDS = 7
STEP = """#!/bin/sh
# The last state but one notes when it begins, and fails.
[ "$1" = "$(cat failing)" ] || { : >"made.$1"; exit 0; }
date +%s.%N >>began
exit 1
"""
SCRIPT = """#!/bin/bash
. "$TOOLKIT_SHELL"
set -e
for ((i = 1; i <= {states}; i++)); do state "$i" step -- ./step.sh "$i"; done
"""
MARKED = """#!/bin/bash
for ((i = ${{2:-1}}; i <= {states}; i++)); do
    echo "::state $i started::"
    ./step.sh "$i" || exit 1
    echo "::state $i completed::"
done
"""
MAKE = """
all: made.{states}
made.1: ; @./step.sh 1 && touch $@
{rules}
"""
DOIT = """
import subprocess
def step(number): return subprocess.run(["./step.sh", str(number)]).returncode == 0
def task_step():
    for number in range(1, {states} + 1):
        yield {{"name": str(number), "actions": [(step, [number])], "targets": [f"made.{{number}}"],
               "file_dep": [f"made.{{number - 1}}"] if number > 1 else []}}
"""
LUIGI = """
import luigi, subprocess
class Step(luigi.Task):
    number = luigi.IntParameter()
    def requires(self): return [Step(self.number - 1)] if self.number > 1 else []
    def output(self): return luigi.LocalTarget(f"done/{{self.number}}")
    def run(self):
        subprocess.run(["./step.sh", str(self.number)], check=True)
        with self.output().open("w") as file: file.write("x")
luigi.build([Step({states})], local_scheduler=True, log_level="CRITICAL")
"""
SNAKEMAKE = """
rule all:
    input: "made.{states}"
rule first:
    output: "made.1"
    shell: "./step.sh 1 && touch made.1"
{rules}
"""
DBOS = """
import subprocess
from dbos import DBOS, SetWorkflowID
DBOS(config={{"name": "bench", "system_database_url": "sqlite:///dbos.sqlite", "log_level": "ERROR",
              "run_admin_server": False}})
@DBOS.step()
def step(number): subprocess.run(["./step.sh", str(number)], check=True)
@DBOS.workflow()
def build():
    for number in range(1, {states} + 1): step(number)
DBOS.launch()
import sys
try:
    if len(sys.argv) > 1: DBOS.fork_workflow("build", {states} - 1).get_result()
    else:
        with SetWorkflowID("build"): build()
except Exception: pass
DBOS.destroy()
"""

Candidate = tuple["Callable[[Path, int], None]", list[str], list[str]]
"""How it is written down, the command that runs it first, and the one that resumes it."""


def main() -> None:
    """Print milliseconds from the command to the failing state's first instruction."""
    print(f"milliseconds from the command to the failed state's first instruction; median of {ROUNDS} rounds\n")
    print(f"{'':28}" + "".join(f"{f'{size} states':>14}" for size in SIZES))
    told: dict[str, list[str]] = {}
    for size in SIZES:
        for name, seconds in _measured(size).items():
            told.setdefault(name, []).append(f"{seconds * 1000:14.0f}" if seconds is not None else f"{'-':>14}")
    for name, cells in told.items():
        print(f"{name:28}{''.join(cells)}")


def _measured(size: int) -> dict[str, float | None]:
    with tempfile.TemporaryDirectory(prefix="toolkit-bench-", dir=os.environ.get("TMPDIR")) as top:
        candidates = _candidates()
        times: dict[str, list[float]] = {name: [] for name in candidates}
        for name, (write, first, _) in candidates.items():
            folder = Path(top) / name.replace(" ", "-")
            folder.mkdir()
            (folder / "step.sh").write_text(STEP)
            (folder / "step.sh").chmod(0o755)
            (folder / "failing").write_text(f"{size - 1}\n")
            write(folder, size)
            _run(first, folder)
        for _ in range(ROUNDS):
            for name, (_, _, resume) in candidates.items():
                folder = Path(top) / name.replace(" ", "-")
                (folder / "began").unlink(missing_ok=True)
                began = time.time()
                _run(resume, folder)
                noted = (folder / "began").read_text().split() if (folder / "began").exists() else []
                if noted:
                    times[name].append(float(noted[0]) - began)
        return {name: median(taken) if taken else None for name, taken in times.items()}


def _candidates() -> dict[str, Candidate]:
    toolkit = [sys.executable, "-m", "toolkit"]
    run, resume = [*toolkit, "run"], [*toolkit, "resume"]
    found: dict[str, Candidate] = {
        "toolkit, instrumented": (_instrumented, [*run, "--", "./build.sh"], resume),
        "toolkit, pipeline": (_pipeline, run, resume),
        "toolkit, with inputs": (_with_inputs, run, resume),
        "toolkit, markers": (_marked, [*run, "--", "./build.sh"], resume),
    }
    if shutil.which("make"):
        found["make"] = (_make, ["make", "-s"], ["make", "-s"])
    peer = peers_python()
    if peer is not None:
        snakemake = [peer, "-m", "snakemake", "-c1", "-q", "all"]
        doit = [peer, "-m", "doit", "-v0"]
        found |= {
            "doit": (_written("dodo.py", DOIT), doit, doit),
            "Luigi": (_written("build.py", LUIGI), [peer, "build.py"], [peer, "build.py"]),
            "Snakemake": (_snakemake, snakemake, [*snakemake, "--rerun-incomplete"]),
            "DBOS": (_written("build.py", DBOS), [peer, "build.py"], [peer, "build.py", "again"]),
        }
    return found


def _written(name: str, text: str) -> Callable[[Path, int], None]:
    def write(folder: Path, size: int) -> None:
        (folder / name).write_text(text.format(states=size))

    return write


def _script(folder: Path, text: str, size: int) -> None:
    (folder / "build.sh").write_text(text.format(states=size))
    (folder / "build.sh").chmod(0o755)


def _instrumented(folder: Path, size: int) -> None:
    (folder / "toolkit.toml").write_text('phase = "full-resume"\n')
    _script(folder, SCRIPT, size)


def _marked(folder: Path, size: int) -> None:
    enter = 'resume_command = "./build.sh --from {state}"'
    (folder / "toolkit.toml").write_text(f'phase = "full-resume"\n\n[pipeline]\n{enter}\n')
    _script(folder, MARKED, size)


def _pipeline(folder: Path, size: int) -> None:
    states = [f'[[states]]\ncode = {each}\nrun = "./step.sh {each}"\n' for each in range(1, size + 1)]
    (folder / "toolkit.toml").write_text("\n".join(['phase = "full-resume"\n', *states]))


def _with_inputs(folder: Path, size: int) -> None:
    """Every state declares what it is made from and what it makes, as make's rules do."""
    states = [
        f'[[states]]\ncode = {each}\nrun = "./step.sh {each}"\noutputs = ["made.{each}"]\n'
        + (f'inputs = ["made.{each - 1}"]\n' if each > 1 else "")
        for each in range(1, size + 1)
    ]
    (folder / "toolkit.toml").write_text("\n".join(['phase = "full-resume"\n', *states]))


def _make(folder: Path, size: int) -> None:
    rules = "\n".join(f"made.{each}: made.{each - 1} ; @./step.sh {each} && touch $@" for each in range(2, size + 1))
    (folder / "Makefile").write_text(MAKE.format(states=size, rules=rules))


def _snakemake(folder: Path, size: int) -> None:
    rules = "\n".join(
        f'rule s{each}:\n    input: "made.{each - 1}"\n    output: "made.{each}"\n'
        f'    shell: "./step.sh {each} && touch made.{each}"'
        for each in range(2, size + 1)
    )
    (folder / "Snakefile").write_text(SNAKEMAKE.format(states=size, rules=rules))


def _run(command: list[str], folder: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(
        command, cwd=folder, env=environment, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        timeout=600,
    )  # fmt: skip


if __name__ == "__main__":
    main()
