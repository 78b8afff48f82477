"""Numbers with their nouns, as people write them, and sentences that are said in several places."""

from __future__ import annotations

from typing import Final

HOLES: Final = "recording was in trouble, parts of this history may be missing"
"""Of a build whose record is degraded."""


def how_many(number: int, noun: str, several: str | None = None) -> str:
    """Write `1 build`, `2 builds` or `12,000 builds`; `several` is the plural where an s is not enough."""
    return f"{number:,} {noun if number == 1 else several or f'{noun}s'}"
