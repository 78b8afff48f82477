"""`toolkit shell`: the state helper, for `eval`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from toolkit.supervise import shell_helper


def shell_light(options: Mapping[str, Any], rest: Sequence[str]) -> int:
    """Print the helper, or with `--path` where it is."""
    if rest:
        print(f"error: `toolkit shell` takes no argument, and got {' '.join(rest)}", file=sys.stderr)
        print('hint: put eval "$(toolkit shell)" at the top of your script.', file=sys.stderr)
        return 2
    if options.get("path"):
        print(shell_helper())
        return 0
    with open(shell_helper(), encoding="utf-8") as file:
        sys.stdout.write(file.read())
    return 0
