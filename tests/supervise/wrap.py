"""Lets a command take the place of a process of ours, as a build does that cannot be recorded."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from toolkit.supervise.process import CommandNotRunnable, become, stand

stand()
try:
    become(sys.argv[1:])
except CommandNotRunnable as error:
    sys.stderr.write(f"{error}\n")
    sys.exit(error.exit_code)
