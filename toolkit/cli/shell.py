"""`toolkit shell`: the state helper, for `eval`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import toolkit


def helper_path() -> str:
    """Give the path of the helper's file."""
    return os.path.join(os.path.dirname(toolkit.__file__), "supervise", "shell", "toolkit.sh")


def shell_light(options: Mapping[str, Any], rest: Sequence[str]) -> int:
    """Print the helper, or with `--path` where it is."""
    if rest:
        print(f"error: `toolkit shell` takes no argument, and got {' '.join(rest)}", file=sys.stderr)
        print('hint: put eval "$(toolkit shell)" at the top of your script.', file=sys.stderr)
        return 2
    if options.get("path"):
        print(helper_path())
        return 0
    with open(helper_path(), encoding="utf-8") as file:
        sys.stdout.write(file.read())
    return 0
