"""The names of the three phases, lowest rung first, and the other words that people use for them."""

from __future__ import annotations

from typing import Final, Literal

PhaseName = Literal["track-only", "selective-retry", "full-resume"]

PHASES: Final[tuple[PhaseName, ...]] = ("track-only", "selective-retry", "full-resume")
_ALSO: Final[dict[str, PhaseName]] = {
    "track": "track-only",
    "selective": "selective-retry",
    "full": "full-resume",
    "1": "track-only",
    "2": "selective-retry",
    "3": "full-resume",
}


def canonical(text: str) -> PhaseName:
    """Give the name that a phase goes by; ValueError for a word that is none."""
    word = text.strip().lower()
    for name in PHASES:
        if name == word:
            return name
    if word in _ALSO:
        return _ALSO[word]
    raise ValueError(f"'{text}' is not a phase: there are {', '.join(PHASES)}")
