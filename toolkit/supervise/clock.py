"""What time it is, and how long something took: clocks that must not be confused.

Durations come from CLOCK_MONOTONIC: it cannot be set, knows no summer time, and stands still while the machine
sleeps, so a laptop that was closed overnight neither times a build out nor reports an eight-hour state. The wall
clock only says when. What was promised to others, who go on while we sleep, is measured from the machine's start.
"""

from __future__ import annotations

import time

monotonic = time.monotonic
"""Seconds that only ever grow; the zero means nothing."""
wall = time.time
"""Seconds since 1970 in UTC, as the machine believes them now."""


def boot_seconds() -> float:
    """Seconds since the machine was started, those included in which it slept: what a lease is measured with."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Stopwatch:
    """Remembers a beginning on both clocks."""

    def __init__(self) -> None:
        self.wall = wall()
        self.monotonic = monotonic()

    @property
    def seconds(self) -> float:
        """How long it has been running, never negative."""
        return monotonic() - self.monotonic

    def wall_at(self, moment: float) -> float:
        """Give the wall time of a monotonic moment, in the order of the moments even if the clock was set meanwhile."""
        return self.wall + (moment - self.monotonic)
