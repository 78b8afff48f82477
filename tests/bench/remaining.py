"""Whether ranges of remaining time hold what they promise, on recorded CI history, asked from the past only.

Every fifth completed build is followed: at the begin of each of its states, and when half of what the state usually
takes is over, the rest is predicted from the builds before it. Beside it stands the usual way: the medians of the
states that are still to come, added up.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.remaining import passages, remaining
from toolkit.core import events as ev
from toolkit.core.progress import Progress, apply, fold
from toolkit.importers.events import read_events
from toolkit.live.looking import COMPARED_WITH

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from analysis.remaining import Passage

DATA = os.environ.get("TOOLKIT_BENCH_DATA")
NAMES = ("ozone-early.jsonl", "ratis.jsonl")
EVERY = 5


def recorded(name: str) -> list[Sequence[ev.Event]]:
    """Give the builds of a recorded history, oldest first; none where it is not to be had."""
    found = next(iter(sorted(Path(DATA).rglob(f"{name}*"))), None) if DATA else None
    if found is None:
        return []
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / name
        if found.suffix == ".zst":
            import zstandard

            with found.open("rb") as source, plain.open("wb") as target:
                zstandard.ZstdDecompressor().copy_stream(source, target)
        else:
            plain.write_bytes(found.read_bytes())
        builds = [facts for _, facts in read_events(plain, name)]
    return sorted(builds, key=lambda facts: facts[0].ts_ms)


class Tally:
    """What came of the predictions."""

    def __init__(self) -> None:
        self.promised: list[float] = []
        self.held = 0
        self.silent = 0
        self.errors: list[float] = []
        self.usual: list[float] = []
        self.widths: list[float] = []

    def take(self, earlier: Sequence[Passage], progress: Progress, at_ms: int, end_ms: int) -> None:
        """Predict, and compare with what happened."""
        span = remaining(earlier, progress, at_ms).span
        if span is None:
            self.silent += 1
            return
        rest = (end_ms - at_ms) / 1000
        self.promised.append(span.coverage)
        self.held += span.low <= rest <= span.high
        self.errors.append(abs(rest - span.median))
        self.usual.append(abs(rest - _usual(earlier, progress, at_ms)))
        self.widths.append((span.high - span.low) / max(span.median, 1.0))

    def line(self) -> str:
        n = len(self.promised)
        return (
            f"{n:>9,}{self.silent:>9,}{statistics.mean(self.promised):>10.1%}{self.held / n:>8.1%}"
            f"{statistics.median(self.widths):>8.2f}{statistics.mean(self.errors):>9.1f}{statistics.mean(self.usual):>9.1f}"
        )


def _usual(earlier: Sequence[Passage], progress: Progress, at_ms: int) -> float:
    current, stays = progress.attempts[-1], _stays(earlier)
    spent = (at_ms - (current.started_ms or at_ms)) / 1000
    now = max(0.0, statistics.median(stays.get(current.state, [0.0])) - spent)
    return now + sum(statistics.median(times) for state, times in stays.items() if state > current.state)


def _stays(earlier: Sequence[Passage]) -> dict[int, list[float]]:
    stays: dict[int, list[float]] = {}
    for each in earlier:
        if each.completed:
            for state, seconds in each.stayed.items():
                stays.setdefault(state, []).append(seconds)
    return stays


def followed(facts: Sequence[ev.Event], earlier: Sequence[Passage]) -> Iterator[tuple[Progress, int]]:
    """Give how a build's last run stood at the begin of each state and some time later in it, and when that was."""
    whole = fold(facts)
    lasted = {(each.state, each.attempt): each.duration or 0.0 for each in whole.attempts}
    stays = _stays(earlier)
    progress = Progress(build=whole.build)
    for fact in facts:
        progress = apply(progress, fact)
        if isinstance(fact, ev.AttemptStarted) and fact.run == whole.run:
            yield progress, fact.ts_ms
            # A moment that what comes cannot tell: else slow states would be asked later than fast ones.
            later = statistics.median(stays.get(fact.state, [0.0])) / 2
            if 0 < later < lasted[fact.state, fact.attempt]:
                yield progress, fact.ts_ms + round(later * 1000)


def main() -> None:
    print(f"{'':20}{'ranges':>9}{'silent':>9}{'promised':>10}{'held':>8}{'width':>8}{'error':>9}{'usual':>9}")
    for name in NAMES:
        before: dict[str | None, deque[tuple[Passage, ...]]] = {}
        tally = Tally()
        for number, facts in enumerate(recorded(name)):
            whole = fold(facts)
            kept = before.setdefault(whole.pipeline, deque(maxlen=COMPARED_WITH))
            end_ms = max((each.ended_ms or 0 for each in whole.attempts), default=0)
            if number % EVERY == 0 and whole.status == "completed":
                earlier = [each for told in kept for each in told]
                for progress, at_ms in followed(facts, earlier):
                    tally.take(earlier, progress, at_ms, end_ms)
            kept.append(passages(whole))
        print(f"{name:20}{tally.line() if tally.promised else '  is not to be had here'}")
    print("\nwidth: of a range, in medians; error: mean of |rest - median|, seconds; usual: of added medians of states")


if __name__ == "__main__":
    main()
