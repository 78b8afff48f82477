"""The toolkit on a machine whose clock is set by `STEP` seconds once there is a file `clock-was-set`."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

STEP = int(os.environ["STEP"])
_wall, _wall_ns = time.time, time.time_ns


def _step() -> int:
    return STEP if Path("clock-was-set").exists() else 0


time.time = lambda: _wall() + _step()
time.time_ns = lambda: _wall_ns() + _step() * 1_000_000_000

if __name__ == "__main__":
    from toolkit.__main__ import main

    main()
