"""The way into an installed `toolkit`: no package of that name on PYTHONPATH must get in before ours.

So this module has the distribution's own name, lies beside our packages once they are installed, and tidies the search
before anything else of ours is looked for.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line."""
    if not sys.flags.isolated:
        here = os.path.dirname(os.path.abspath(__file__))
        told = {os.path.abspath(each) for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each}
        theirs = {each for each in told - {here} if not os.path.exists(f"{each}/toolkit/entry")}
        sys.path[:] = [each for each in sys.path if each not in theirs]
    from toolkit.__main__ import main as run

    run()
