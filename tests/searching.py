"""How hard a slow property is searched: as hard as it deserves in CI, less where somebody waits."""

from __future__ import annotations

import os

from hypothesis import settings

SHARE = 3
"""Where somebody waits, one of so many examples is looked at; new ones are drawn each time."""


def worth(examples: int) -> settings:
    """Look at so many examples in CI, and at some of them elsewhere."""
    wanted = examples if os.environ.get("CI") == "true" else max(examples // SHARE, 2)
    return settings(max_examples=wanted, deadline=None)
