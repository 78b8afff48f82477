"""Looks at the builds that are going on, again and again, and reads each time only what changed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from analysis.remaining import Passage, Remaining, passages, remaining
from toolkit.errors import ToolkitError
from toolkit.live.view import Done, LiveBuild, View, Waiting
from toolkit.project import load_project
from toolkit.supervise.holder import HERE, fate
from toolkit.supervise.lastline import LastLines
from toolkit.supervise.ledger import now_ms
from toolkit.supervise.linking import settle
from toolkit.supervise.logs import log_directory

if TYPE_CHECKING:
    from collections.abc import Iterable

    from toolkit.core.progress import Progress
    from toolkit.live.view import Doing
    from toolkit.store import BuildRow, Store

COMPARED_WITH: Final = 30
"""Builds, the newest: how long things take changes, and older ones made ranges that held less than they promised."""
SEARCH_SECONDS: Final = 0.01
RESTS: Final = 50
"""Where finding the open builds among all takes longer, only one part in so many of the time is spent on it."""
LEARNT_FOR_MS: Final = 120_000
ASKED_MS: Final = 10_000
"""Whether a supervisor on another host still lives is asked so often."""
SAME_MS: Final = 1000
WAITS: Final = frozenset({"retry", "wait"})


class Looking:
    """One pair of eyes on a project's builds; it belongs to one thread, like the store it reads."""

    def __init__(self, store: Store, directory: str) -> None:
        """Look at what `store` holds; logs lie in the project's `directory`."""
        self._store = store
        self._directory = directory
        self._lines = LastLines()
        self._progress: dict[str, tuple[BuildRow, Progress, int]] = {}
        self._asked_elsewhere: dict[str, int] = {}
        self._passages: dict[str, tuple[Passage, ...]] = {}
        self._earlier: dict[tuple[str | None, str | None], tuple[int, list[Passage]]] = {}
        self._seen: dict[str, None] = {}
        self._search_again = 0.0

    def now(self, *, recent: int = 0) -> View:
        """Give what is going on: builds that run or are held, and with `recent` so many of the newest others."""
        rows = {row.build: row for row in self._store.builds(limit=recent)} if recent else {}
        if time.monotonic() >= self._search_again:
            began = time.thread_time()
            for row in (*self._store.builds(status="in_progress"), *self._store.builds(held=True)):
                rows[row.build] = row
            cost = time.thread_time() - began
            self._search_again = time.monotonic() + (cost * RESTS if cost > SEARCH_SECONDS else 0.0)
        for build in self._seen.keys() - rows.keys():
            again = self._store.row(build)
            if again is not None:
                rows[build] = again
        view = self._view(rows.values())
        self._seen = {each.build: None for each in view.builds if not each.is_over}
        self._progress = {build: kept for build, kept in self._progress.items() if build in rows}
        return view

    def at(self, build: str) -> View:
        """Give how one build stands; an empty view when there is none."""
        row = self._store.row(build)
        return self._view([] if row is None else [row])

    def _view(self, rows: Iterable[BuildRow]) -> View:
        now = now_ms()
        ordered = sorted(rows, key=lambda row: (row.started_ms, row.build))
        return View(at_ms=now, builds=tuple(self._build(row, now) for row in ordered))

    def _build(self, row: BuildRow, now: int) -> LiveBuild:
        row, lost = self._settled(row, now)
        progress = self._known(row, now)
        failed = [each for each in progress.attempts if each.run == progress.run and each.status == "failed"]
        waiting = waiting_in(progress, now)
        doing = doing_of(progress, waiting, between=not lost and _is_supervised(progress))
        last = next((each for each in reversed(progress.attempts) if each.run == progress.run), None)
        active = doing not in {"held", "over"}
        line = self._lines.of(log_directory(self._directory, row.build)) if active else None
        hold = progress.hold if progress.held else None
        return LiveBuild(
            build=row.build, pipeline=progress.pipeline, target=progress.target, status=progress.status, doing=doing,
            phase=progress.phase, run=progress.run,
            state=progress.current if last is None else last.state,
            name=None if last is None else last.name or progress.names.get(last.state),
            attempt=None if last is None else last.attempt, state_status=None if last is None else last.status,
            started_ms=progress.run_started_ms or progress.started_ms,
            state_started_ms=None if last is None else last.started_ms, updated_ms=progress.updated_ms,
            waiting=waiting if active else None,
            held=progress.held, held_since_ms=None if hold is None else hold.ts_ms,
            held_why="" if hold is None else hold.reason, held_by=None if hold is None else hold.by,
            done=self._done(progress, waiting, now) if active and progress.run_open else None,
            said="" if line is None else line.text, said_ms=None if line is None else line.ts_ms,
            error=(failed[-1].error or "") if failed else "", failures=len(failed),
            degraded=progress.degraded, abandoned=progress.abandoned, elsewhere=_elsewhere(progress),
        )  # fmt: skip

    def _settled(self, row: BuildRow, now: int) -> tuple[BuildRow, bool]:
        """Record the truth about a dead supervisor, where the history can be written; tell whether there is none."""
        if row.status != "in_progress" or row.holder is None:
            return row, False
        known = fate(row.holder)
        if known == "alive":
            return row, False
        if known == "unknown" and now - self._asked_elsewhere.get(row.build, 0) < ASKED_MS:
            return row, False
        self._asked_elsewhere[row.build] = now
        try:
            gone = settle(self._store, row, load_project(self._directory))
        except ToolkitError:
            return row, known == "dead"  # whoever can write will
        return (self._store.row(row.build) or row if gone else row), gone

    def _known(self, row: BuildRow, now: int) -> Progress:
        kept = self._progress.get(row.build)
        # Within one millisecond more may have been recorded than the row tells.
        if kept is None or kept[0] != row or kept[2] - row.updated_ms < SAME_MS:
            kept = self._progress[row.build] = (row, self._store.progress(row.build), now)
        return kept[1]

    def _done(self, progress: Progress, waiting: Waiting | None, now: int) -> Done:
        wait = 0.0 if waiting is None else max(0.0, (waiting.until_ms - now) / 1000)
        return _as_done(remaining(self._learnt(progress.pipeline, progress.target, now), progress, now, wait=wait))

    def _learnt(self, pipeline: str | None, target: str | None, now: int) -> list[Passage]:
        """Read how the newest builds went, of the pipeline and of the same target, every now and then."""
        learnt_ms, earlier = self._earlier.get((pipeline, target), (0, []))
        if now - learnt_ms < LEARNT_FOR_MS:
            return earlier
        rows = {row.build: row for row in self._store.builds(pipeline=pipeline, limit=COMPARED_WITH)}
        if target is not None:
            mine = self._store.builds(pipeline=pipeline, target=target, limit=COMPARED_WITH)
            rows |= {row.build: row for row in mine}
        for row in rows.values():
            # A build that is completed stays as it is.
            if row.build not in self._passages or row.status != "completed":
                self._passages[row.build] = passages(self._store.progress(row.build))
        earlier = [each for build in rows for each in self._passages[build]]
        self._earlier[pipeline, target] = (now, earlier)
        return earlier


def waiting_in(progress: Progress, now: int) -> Waiting | None:
    """Tell why a build waits, if it does: somebody decided to try again after a while, and the while is not over."""
    last = progress.attempts[-1] if progress.attempts else None
    if last is None or last.run != progress.run or last.status != "failed" or last.decision is None:
        return None
    decided = last.decision
    if decided.action not in WAITS or not decided.wait:
        return None
    until_ms = decided.ts_ms + round(decided.wait * 1000)
    return Waiting(action=decided.action, reason=decided.reason, until_ms=until_ms) if until_ms > now else None


def doing_of(progress: Progress, waiting: Waiting | None, *, between: bool) -> Doing:
    """Say in one word what a build does; `between` tells whether the supervisor of its last run is still there."""
    if progress.held and not progress.run_open:
        return "held"
    if progress.abandoned or progress.status == "completed":
        return "over"
    if progress.run_open:
        return "running" if waiting is None else "waiting"
    return "between" if between else "over"


def _is_supervised(progress: Progress) -> bool:
    """Tell whether the process that began the last run is at work here."""
    return progress.holder is not None and fate(progress.holder) == "alive"


def _elsewhere(progress: Progress) -> str:
    """Name the host that supervises an open run, where it is not this one."""
    host = (progress.holder or "").rsplit("/", 3)[0]
    return host if progress.run_open and host != HERE else ""


def _as_done(told: Remaining) -> Done:
    counted = Done(reached=told.reached, completed=told.completed, same_target=told.same_target, why=told.why)
    if told.span is None:
        return counted
    return counted.but(
        median=round(told.span.median, 1), low=round(told.span.low, 1), high=round(told.span.high, 1),
        coverage=round(told.span.coverage, 3), n=told.span.n,
    )  # fmt: skip
