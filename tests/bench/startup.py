"""How long commands take to start, as a multiple of `python -c pass`, and what `toolkit run` imports."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from statistics import median

ROUNDS = 25
PASS = [sys.executable, "-c", "pass"]
COMMANDS = {
    "python -c pass": PASS,
    "toolkit run -- true": [sys.executable, "-m", "toolkit", "run", "--build", "new", "--", "true"],
    "toolkit state (no build)": [sys.executable, "-m", "toolkit", "state", "start", "5"],
    "toolkit shell": [sys.executable, "-m", "toolkit", "shell"],
    "toolkit status": [sys.executable, "-m", "toolkit", "status"],
    "toolkit --help": [sys.executable, "-m", "toolkit", "--help"],
}


def main() -> None:
    """Print the table: candidates take turns, medians are compared."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    times: dict[str, list[float]] = {each: [] for each in COMMANDS}
    with tempfile.TemporaryDirectory(prefix="toolkit-bench-") as folder:
        subprocess.run(COMMANDS["toolkit run -- true"], cwd=folder, env=environment, check=True)
        for _ in range(ROUNDS):
            for each, command in COMMANDS.items():
                began = time.perf_counter()
                subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
                times[each].append(time.perf_counter() - began)
        traced = [sys.executable, "-X", "importtime", *COMMANDS["toolkit run -- true"][1:]]
        told = subprocess.run(traced, cwd=folder, env=environment, check=True, capture_output=True, text=True).stderr
    base = median(times["python -c pass"])
    for each, taken in times.items():
        print(f"{each:28}{median(taken) * 1000:8.1f} ms{median(taken) / base:8.1f} x")
    names = [line.rpartition("|")[2].strip() for line in told.splitlines() if line.startswith("import time:")]
    ours = sorted(name for name in names if name.startswith(("toolkit", "phases")))
    others = sorted(
        name for name in names if "." not in name and not name.startswith(("_", "toolkit", "phases", "imported"))
    )
    print(
        f"\n`toolkit run -- true` imports {len(ours)} modules of ours and, with Python's own start: {', '.join(others)}"
    )


if __name__ == "__main__":
    main()
