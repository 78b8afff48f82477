"""An environment of its own for the tools that we measure ourselves against, made once and pinned with hashes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = HERE.parent.parent / ".venv-peers"


def peers_python() -> str | None:
    """Give the interpreter with DBOS, Luigi, doit and Snakemake; None, and a line, when they cannot be installed."""
    python = FOLDER / "bin" / "python"
    stamp = FOLDER / "complete"
    if stamp.exists():
        return str(python)
    print("installing the peers, once ...", file=sys.stderr)
    install = [
        str(python),
        "-m",
        "pip",
        "install",
        "-qq",
        "--no-deps",
        "--require-hashes",
        "-r",
        str(HERE / "peers.lock"),
    ]
    for command in ([sys.executable, "-m", "venv", str(FOLDER)], install):
        if subprocess.run(command, check=False).returncode != 0:
            print("the peers cannot be installed here: measuring without them", file=sys.stderr)
            return None
    stamp.touch()
    return str(python)
