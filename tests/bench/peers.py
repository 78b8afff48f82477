"""An environment of its own for the tools that we measure ourselves against, made once and pinned with hashes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


def peers_python(lock: str = "peers") -> str | None:
    """Give the interpreter with what a lock here names; None, and a line, when that cannot be installed.

    `peers` holds DBOS, Luigi, doit and Snakemake, `classify` holds ripgrep, Drain3 and atheris.
    """
    folder = ROOT / f".venv-{lock}"
    python = folder / "bin" / "python"
    stamp = folder / "complete"
    if stamp.exists():
        return str(python)
    print(f"installing the peers of {lock}.lock, once ...", file=sys.stderr)
    install = [
        str(python),
        "-m",
        "pip",
        "install",
        "-qq",
        "--no-deps",
        "--require-hashes",
        "-r",
        str(HERE / f"{lock}.lock"),
    ]
    for command in ([sys.executable, "-m", "venv", str(folder)], install):
        if subprocess.run(command, check=False).returncode != 0:
            print("the peers cannot be installed here: measuring without them", file=sys.stderr)
            return None
    stamp.touch()
    return str(python)
