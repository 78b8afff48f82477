"""What has changed of late: failure rates, recovery, classes, durations, signatures that came or went, seasons."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import polars as pl
import scipy  # its `stats` take longer to load than all else here: they come when the first test is made

from analysis.recommendation import Said
from toolkit.core.moments import duration_text

if TYPE_CHECKING:
    from collections.abc import Iterator

RECENT: Final = timedelta(weeks=4)
_MOST_RECENT: Final = 0.4
"""The recent part is never more of the whole than this, or there would be nothing to compare it with."""
_FALSE_ALARMS: Final = 0.02
"""Expected share of false alarms among what is told (Benjamini and Hochberg, JRSS B 57, 1995)."""
_FEWEST: Final = 8
_NOTABLE: Final = 1.25
"""Durations that differ by less than this factor are no news, however sure it is."""

Kind = Literal["failure rate", "recovery", "class mix", "duration", "new signature", "vanished signature", "season"]


class Change(Said):
    """One thing that differs between the recent weeks and before; `before` and `recent` are rates or median seconds."""

    kind: Kind
    state: int | None
    signature: str | None = None
    before: float | None = None
    recent: float | None = None
    p: float
    why: str


def split(attempts: pl.DataFrame) -> datetime | None:
    """Give the moment from which on attempts count as recent; None for a history too short to be divided."""
    began = attempts["began"].drop_nulls().sort()
    if began.len() < 2 * _FEWEST:
        return None
    latest, most = began[-1], began[int(began.len() * (1 - _MOST_RECENT))]
    return max(latest - RECENT, most) if isinstance(latest, datetime) and isinstance(most, datetime) else None


def drift(attempts: pl.DataFrame, episodes: pl.DataFrame) -> list[Change]:
    """Give what has changed, surest first, from tidy attempts and the episodes of one pipeline.

    Failures count by incident, so that one outage is not taken for a change of the times.
    """
    since = split(attempts)
    if since is None:
        return []
    found = [
        *_failure_rates(attempts, episodes, since),
        *_recovery(episodes, since),
        *_class_mix(episodes, since),
        *_durations(attempts, since),
        *_signatures(attempts, episodes, since),
        *_seasons(attempts),
    ]
    found.sort(key=lambda each: each.p)
    kept = [place for place, each in enumerate(found, 1) if each.p <= _FALSE_ALARMS * place / len(found)]
    return [each for each in found[: max(kept, default=0)] if each.kind != "duration" or _factor(each) >= _NOTABLE]


def faded(episodes: pl.DataFrame, since: datetime) -> set[tuple[str, int]]:
    """Give the (pipeline, state) pairs whose failures recover differently of late: old outcomes count less."""
    return {
        (str(pipeline), int(change.state))
        for (pipeline,), rows in episodes.group_by("pipeline", maintain_order=True)
        for change in _recovery(rows, since)
        if change.p < _FALSE_ALARMS / 2 and change.state is not None
    }


def _factor(change: Change) -> float:
    before, recent = max(change.before or 0.0, 1e-9), max(change.recent or 0.0, 1e-9)
    return max(before / recent, recent / before)


def _tried(attempts: pl.DataFrame, since: datetime) -> dict[int, tuple[int, int]]:
    settled = attempts.filter(pl.col("status").is_in(("completed", "failed")))
    late = pl.col("began") >= since
    rows = settled.group_by("state").agg((~late).sum().alias("before"), late.sum().alias("recent")).sort("state")
    return {state: (before, recent) for state, before, recent in rows.iter_rows()}


def _incidents(episodes: pl.DataFrame, since: datetime) -> pl.DataFrame:
    first = episodes.sort("over").unique("incident", keep="first", maintain_order=True)
    return first.with_columns((pl.col("over") >= since).alias("late"))


def _failure_rates(attempts: pl.DataFrame, episodes: pl.DataFrame, since: datetime) -> Iterator[Change]:
    incidents = _incidents(episodes, since)
    for state, (before, recent) in _tried(attempts, since).items():
        here = incidents.filter(pl.col("state") == state)
        hits = (here.height - int(here["late"].sum()), int(here["late"].sum()))
        if min(before, recent) < _FEWEST or not sum(hits):
            continue
        p = float(
            scipy.stats.fisher_exact([[hits[0], max(before - hits[0], 0)], [hits[1], max(recent - hits[1], 0)]]).pvalue
        )
        rates = (hits[0] / before, hits[1] / recent)
        why = f"state {state} fails in {rates[1]:.1%} of its attempts of late, and did in {rates[0]:.1%} before"
        yield Change(kind="failure rate", state=state, before=rates[0], recent=rates[1], p=p, why=why)


def _recovery(episodes: pl.DataFrame, since: datetime) -> Iterator[Change]:
    told = _incidents(episodes.filter(pl.col("recovered").is_not_null() & pl.col("censored").is_null()), since)
    for (state,), rows in told.sort("state").group_by("state", maintain_order=True):
        old, new = rows.filter(~pl.col("late"))["recovered"], rows.filter(pl.col("late"))["recovered"]
        if min(old.len(), new.len()) < _FEWEST // 2:
            continue
        table = [[int(old.sum()), old.len() - int(old.sum())], [int(new.sum()), new.len() - int(new.sum())]]
        rates = (float(old.mean() or 0.0), float(new.mean() or 0.0))  # type: ignore[arg-type]
        why = f"failures of state {state} recover in {rates[1]:.0%} of the cases of late, in {rates[0]:.0%} before"
        p = float(scipy.stats.fisher_exact(table).pvalue)
        yield Change(kind="recovery", state=int(str(state)), before=rates[0], recent=rates[1], p=p, why=why)


def _class_mix(episodes: pl.DataFrame, since: datetime) -> Iterator[Change]:
    counted = (
        _incidents(episodes, since)
        .group_by("class")
        .agg((~pl.col("late")).sum().alias("old"), pl.col("late").sum())
        .sort("class")
    )
    table = counted.select("old", "late").to_numpy().astype(float)
    if table.shape[0] < 2 or min(table.sum(axis=0)) < _FEWEST:  # noqa: PLR2004 - a mix has at least two parts
        return
    p = float(scipy.stats.chi2_contingency(table).pvalue)
    shares = table / table.sum(axis=0)
    most = int(np.argmax(np.abs(shares[:, 1] - shares[:, 0])))
    name = counted["class"][most]
    why = f"failures are of other classes of late: {shares[most, 1]:.0%} are {name}, before {shares[most, 0]:.0%}"
    yield Change(
        kind="class mix", state=None, before=float(shares[most, 0]), recent=float(shares[most, 1]), p=p, why=why
    )


def _durations(attempts: pl.DataFrame, since: datetime) -> Iterator[Change]:
    good = attempts.filter((pl.col("status") == "completed") & (pl.col("duration") > 0))
    for (state,), rows in good.sort("state").group_by("state", maintain_order=True):
        late = rows["began"] >= since
        old, new = rows.filter(~late)["duration"].to_numpy(), rows.filter(late)["duration"].to_numpy()
        if min(old.size, new.size) < _FEWEST:
            continue
        p = float(scipy.stats.mannwhitneyu(old, new).pvalue)
        medians = (float(np.median(old)), float(np.median(new)))
        why = f"state {state} takes {duration_text(medians[1])} of late, and took {duration_text(medians[0])} before"
        yield Change(kind="duration", state=int(str(state)), before=medians[0], recent=medians[1], p=p, why=why)


def _signatures(attempts: pl.DataFrame, episodes: pl.DataFrame, since: datetime) -> Iterator[Change]:
    tried = _tried(attempts, since)
    counted = (
        _incidents(episodes, since)
        .group_by("state", "signature")
        .agg((~pl.col("late")).sum().alias("old"), pl.col("late").sum())
    )
    for state, signature, old, new in counted.sort("state", "signature").iter_rows():
        before, recent = tried.get(state, (0, 0))
        if not before or not recent or (old and new):
            continue
        share = (recent if new else before) / (before + recent)
        kind: Kind = "new signature" if new else "vanished signature"
        seen = f"{max(old, new)} time{'s' * (max(old, new) != 1)}"
        why = (
            f"{signature} is new in state {state}: {seen} of late, never before" if new
            else f"{signature} has not been seen of late in state {state}, and was {seen} before"
        )  # fmt: skip
        yield Change(
            kind=kind,
            state=state,
            signature=signature,
            before=float(old),
            recent=float(new),
            p=share ** (old + new),
            why=why,
        )


def _seasons(attempts: pl.DataFrame) -> Iterator[Change]:
    """Compare the quarters of the day (UTC), and week-ends with working days, by the days on which anything failed."""
    settled = attempts.filter(pl.col("status").is_in(("completed", "failed")) & pl.col("began").is_not_null())
    failed = (pl.col("status") == "failed").any().alias("failed")
    quarters = (
        "nights (0:00 to 6:00 UTC)",
        "mornings (6:00 to 12:00 UTC)",
        "afternoons (12:00 to 18:00 UTC)",
        "evenings",
    )
    saturday = 6
    for labels, part in (
        (quarters, pl.col("began").dt.hour() // 6),
        (("working days", "week-ends"), (pl.col("began").dt.weekday() >= saturday).cast(pl.Int8)),
    ):
        days = settled.group_by(pl.col("began").dt.date().alias("day"), part.alias("part")).agg(
            failed, pl.len().alias("attempts")
        )
        parts = days.group_by("part").agg(pl.col("failed").sum(), pl.len().alias("days")).sort("part")
        table = np.stack((parts["failed"].to_numpy(), (parts["days"] - parts["failed"]).to_numpy()), axis=1).astype(
            float
        )
        if table.shape[0] < 2 or table.sum(axis=1).min() < _FEWEST or table.sum(axis=0).min() < 1:  # noqa: PLR2004 - as above
            continue
        shares = table[:, 0] / table.sum(axis=1)
        most = int(np.argmax(shares))
        label = labels[int(parts["part"][most])]
        others = float(np.delete(shares, most).mean())
        why = f"something fails on {shares[most]:.0%} of all {label}, on {others:.0%} of the others"
        p = float(scipy.stats.chi2_contingency(table).pvalue)
        yield Change(
            kind="season",
            state=None,
            before=float(np.delete(shares, most).mean()),
            recent=float(shares[most]),
            p=p,
            why=why,
        )
