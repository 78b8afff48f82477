"""Numbers with their nouns, as people write them."""

from __future__ import annotations


def how_many(number: int, noun: str, several: str | None = None) -> str:
    """Write `1 build`, `2 builds` or `12,000 builds`; `several` is the plural where an s is not enough."""
    return f"{number:,} {noun if number == 1 else several or f'{noun}s'}"
