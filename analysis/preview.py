"""What a preview says, in the shape that `toolkit phase preview --json` prints."""

from __future__ import annotations

from typing import Any

from analysis.recommendation import Interval, Said


class Compared(Said):
    """A figure as it was recorded, and as it would have been."""

    recorded: float
    replayed: Interval

    def divided(self, by: float) -> Compared:
        replayed = self.replayed
        told = Interval(mean=replayed.mean / by, low=replayed.low / by, high=replayed.high / by)
        return Compared(recorded=self.recorded / by, replayed=told)


class Preview(Said):
    """The recorded builds replayed under another phase."""

    phase: str
    pipeline: str | None = None
    builds: int
    hours_to_green: Compared
    """Mean hours from the beginning to green, of the builds that were recorded green."""
    machine_hours: Compared
    """Hours of attempts, all builds together."""
    start_overs: Compared
    retries: float
    futile_retries: float
    held: float
    recorded_retries: int
    observed_share: float
    """How much of the replayed hours was recorded rather than estimated, 0 to 1."""

    def shape(self) -> dict[str, Any]:
        """Give the preview as JSON-ready values."""
        return self.model_dump(mode="json")
