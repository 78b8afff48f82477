"""One build, alive: its processes, its output, its states, and the record of all of them."""

from __future__ import annotations

import os


def shell_helper() -> str:
    """Give the path of the state helper for shell scripts."""
    return os.path.join(os.path.dirname(__file__), "shell", "toolkit.sh")
