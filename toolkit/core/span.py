"""How long something takes, as recorded durations tell: the median, the range that eight of ten lie in, and n."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from toolkit.core.moments import duration_text
from toolkit.core.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LOW: Final = 0.1
HIGH: Final = 0.9


class Span(Value):
    """Seconds; `low` and `high` are the tenth and the ninetieth percentile of `n` durations."""

    median: float
    low: float
    high: float
    n: int

    @property
    def shape(self) -> dict[str, Any]:
        """The span as JSON-ready values."""
        return dict(self.__dict__)

    @property
    def text(self) -> str:
        """The span for a person: `2m 5s (1m 50s to 3m, n=7)`; one duration has no range."""
        if self.n == 1:
            return f"{duration_text(self.median)} (n=1)"
        return f"{duration_text(self.median)} ({duration_text(self.low)} to {duration_text(self.high)}, n={self.n})"


def span_of(durations: Iterable[float]) -> Span:
    """Sum up durations, one at least."""
    ordered = sorted(durations)
    return Span(
        median=_at(ordered, 0.5), low=_at(ordered, LOW), high=_at(ordered, HIGH), n=len(ordered)
    )  # fmt: skip


def total(spans: Iterable[Span | None]) -> Span | None:
    """Add up what is known. A slow host is slow everywhere, so ends are added like middles; the least n counts."""
    known = [each for each in spans if each is not None]
    if not known:
        return None
    return Span(
        median=round(sum(each.median for each in known), 3),
        low=round(sum(each.low for each in known), 3),
        high=round(sum(each.high for each in known), 3),
        n=min(each.n for each in known),
    )


def _at(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return round(ordered[below] + (ordered[above] - ordered[below]) * (place - below), 3)
