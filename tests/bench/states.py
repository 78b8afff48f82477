"""What tracking costs a build of 200 states of `true`: beside bare bash, the disk's own sync, DBOS and Luigi.

Every figure is a median over rounds in which all candidates take turns, so that a busy machine is busy for all of them.
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

STATES = 200
ROUNDS = 7
BARE = 'state() { while [ "$1" != -- ]; do shift; done; shift; "$@"; }\n'
STEPS = f"i=0; while [ $i -lt {STATES} ]; do state $i step -- /bin/true; i=$((i + 1)); done\n"
DBOS = f"""
import os, subprocess
from dbos import DBOS
DBOS(config={{"name": "bench", "system_database_url": "sqlite:///dbos.sqlite", "log_level": "ERROR",
              "run_admin_server": False}})
@DBOS.step()
def step(number): subprocess.run(["/bin/true"], check=True)
@DBOS.workflow()
def build():
    for number in range({STATES}): step(number)
DBOS.launch()
build()
DBOS.destroy()
"""
LUIGI = f"""
import luigi, subprocess
class Step(luigi.Task):
    number = luigi.IntParameter()
    def requires(self): return [Step(self.number - 1)] if self.number else []
    def output(self): return luigi.LocalTarget(f"done/{{self.number}}")
    def run(self):
        subprocess.run(["/bin/true"], check=True)
        with self.output().open("w") as file: file.write("x")
luigi.build([Step({STATES - 1})], local_scheduler=True, log_level="ERROR")
"""


def main() -> None:
    """Print seconds a build, and milliseconds that each state costs beyond bare bash."""
    with tempfile.TemporaryDirectory(prefix="toolkit-bench-", dir=os.environ.get("TMPDIR")) as name:
        folder = Path(name)
        (folder / "bare.sh").write_text(BARE + STEPS)
        (folder / "tracked.sh").write_text('. "$TOOLKIT_SHELL"\n' + STEPS)
        candidates = _candidates(folder)
        times: dict[str, list[float]] = {each: [] for each in candidates}
        syncs: list[float] = []
        in_a_row: list[float] = []
        for _ in range(ROUNDS):
            for each, run in candidates.items():
                began = time.perf_counter()
                run()
                times[each].append(time.perf_counter() - began)
            in_a_row.append(_syncs(folder, lambda: None))
            syncs.append(_syncs(folder, _step))
    bare, disk = median(times["bare bash"]), median(syncs)
    start = median(times["toolkit run -- true"])
    print(f"{STATES} states of /bin/true, {ROUNDS} rounds. The disk's own {2 * STATES} syncs take {disk:.3f} s around")
    print(f"such steps, which is what is taken off below, and {median(in_a_row):.3f} s in a row.\n")
    print(f"{'':24}{'seconds':>9}{'ms a state beyond bare':>26}{'less start-up and syncs':>26}")
    for each, taken in times.items():
        seconds = median(taken)
        more = (seconds - bare) / STATES * 1000
        own = f"{(seconds - bare - start - disk) / STATES * 1000:26.2f}" if each == "toolkit run" else ""
        print(f"{each:24}{seconds:9.3f}{more:26.2f}{own}")


def _candidates(folder: Path) -> dict[str, Callable[[], object]]:
    toolkit = [sys.executable, "-m", "toolkit", "run", "--build", "new", "--"]
    found: dict[str, Callable[[], object]] = {
        "bare bash": lambda: _run(["bash", "bare.sh"], folder),
        "toolkit run -- true": lambda: _run([*toolkit, "true"], folder),
        "toolkit run": lambda: _run([*toolkit, "bash", "tracked.sh"], folder),
    }
    peer = peers_python()
    if peer is not None:
        for each, program, kept in (("DBOS", DBOS, "dbos.sqlite"), ("Luigi", LUIGI, "done")):
            (folder / f"{each}.py").write_text(program)
            found[each] = lambda each=each, kept=kept: _fresh([peer, f"{each}.py"], folder, kept)  # type: ignore[misc]
    return found


def _fresh(command: list[str], folder: Path, kept: str) -> None:
    """Run a peer without the memory of its last run."""
    for path in folder.glob(f"{kept}*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    _run(command, folder)


def _run(command: list[str], folder: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(
        command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def _step() -> None:
    os.waitpid(os.posix_spawn("/bin/true", ["true"], os.environ), 0)


def _syncs(folder: Path, step: Callable[[], None]) -> float:
    """Append a line and sync before and after each of as many steps, and give the seconds that only this took.

    A disk, and the processor in front of it, answer sooner when nothing else happens between two syncs. A record of a
    state never comes like that.
    """
    file = os.open(folder / "syncs", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    taken = 0.0
    for _ in range(STATES):
        for after in (step, lambda: None):
            began = time.perf_counter()
            os.write(file, b"x" * 300)
            os.fdatasync(file)
            taken += time.perf_counter() - began
            after()
    os.close(file)
    return taken


if __name__ == "__main__":
    main()
