"""SQLite histories as files, for tests that look at them from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

BUILDS = 40
"""How many builds the fixture `file` has; each has eight facts."""


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def beside(path: Path) -> list[str]:
    """List the folder, without the locks that the store leaves there on purpose."""
    return sorted(each.name for each in path.parent.iterdir() if not each.name.endswith(("-turn", "-next")))
