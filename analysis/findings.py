"""The history, summed up: `find(history)` gives everything that a report says, as one value."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from analysis import database
from analysis.database import quoted
from analysis.findings_builds import build_lines, worst
from analysis.findings_cube import cube
from analysis.findings_failures import MOST_SIGNATURES, classes, fold, signatures
from analysis.findings_model import Comparison, Findings, Scope
from analysis.findings_states import hosts, states
from analysis.findings_totals import days, outcomes, period, quality, totals, weeks
from analysis.findings_words import headline
from toolkit.core.moments import parse_duration, rfc3339
from toolkit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

    from analysis.arms import Arms
    from analysis.drift import Change
    from analysis.history import History
    from analysis.preview import Preview
    from analysis.recommendation import Recommendation
    from analysis.shadows import ShadowScore
    from analysis.watch import Watched

MOST_BUILDS = 2000
"""So many builds are named one by one, the costliest first."""


def find(  # noqa: PLR0913 - what may be asked, and what others found out
    history: History,
    *,
    now: datetime,
    since: str | None = None,
    pipeline: str | None = None,
    target: str | None = None,
    compare: str | None = None,
    recommendations: Sequence[Recommendation] = (),
    previews: Sequence[Preview] = (),
    shadows: Sequence[ShadowScore] = (),
    changes: Sequence[Change] = (),
    arms: Arms | None = None,
    watched: Watched | None = None,
    studied: int | None = None,
) -> Findings:
    """Sum up the builds that began since then (`30d`, or an RFC 3339 time), of a pipeline, for a target.

    `compare` (`30d..60d`) sets an earlier period beside this one. What other parts of the analysis found in so many
    `studied` builds is handed through and put into the headline. UsageError for a period that makes no sense.
    """
    con = history.duckdb()
    begin, end = (moment(since, now), None) if since else (None, None)
    where: dict[str, str | None] = {"pipeline": pipeline, "target": target}
    comparison = _comparison(con, where, compare, now) if compare else None
    choose(con, where, begin, end)
    prepare(con)
    folded = fold(con)
    findings = Findings(
        scope=_scope(con, where, begin, now),
        headline=(),
        outcomes=outcomes(con),
        totals=totals(con),
        states=states(con, folded),
        classes=classes(con),
        signatures=signatures(con, folded),
        weeks=weeks(con),
        days=days(con),
        hosts=hosts(con),
        worst=worst(con),
        builds=build_lines(con, MOST_BUILDS),
        builds_left_out=max(0, _count(con) - MOST_BUILDS),
        quality=quality(con, folded, studied),
        cube=cube(con),
        comparison=comparison,
        recommendations=tuple(recommendations),
        previews=tuple(previews),
        shadows=tuple(shadows),
        changes=tuple(changes),
        arms=arms,
        watched=watched,
    )
    return findings.model_copy(update={"headline": headline(findings)})


def choose(con: duckdb.DuckDBPyConnection, where: Mapping[str, str | None], begin: str | None, end: str | None) -> None:
    """Make the views of the builds that are spoken of, `chosen`, and of their attempts, `done`.

    They stay in the mirror: what is asked of them is added up in passing, so memory does not grow with the history.
    """
    names = [f"{name} = '{quoted(value)}'" for name, value in where.items() if value is not None]
    for view, part, began in (("chosen", "builds", "started"), ("done", "attempts", "build_started")):
        told = [
            *names,
            *(f"{began} {sign} timestamptz '{quoted(at)}'" for sign, at in ((">=", begin), ("<", end)) if at),
        ]
        con.execute(f"create or replace temp view {view} as from costed_{part} where {' and '.join(told) or 'true'}")


def prepare(con: duckdb.DuckDBPyConnection) -> None:
    """Make the tables that several parts of the findings read: failures, their kinds, days."""
    con.execute(database.script("wrong"))
    con.execute(database.script("kinds"), {"most": MOST_SIGNATURES}).fetchall()
    con.execute(database.script("per_day"))


def moment(text: str, now: datetime) -> str:
    """Read `30d` as so long ago, or an RFC 3339 time; UsageError for anything else."""
    try:
        begin = now - timedelta(seconds=parse_duration(text))
    except ValueError:
        try:
            begin = datetime.fromisoformat(text)
        except ValueError:
            hint = "Write how long ago, such as 30d, or a time such as 2026-03-01T00:00:00Z."
            raise UsageError(f"'{text}' is neither a duration nor a time", hint=hint) from None
    begin = begin if begin.tzinfo else begin.replace(tzinfo=UTC)
    return rfc3339(round(begin.timestamp() * 1000))


def _comparison(
    con: duckdb.DuckDBPyConnection, where: dict[str, str | None], compare: str, now: datetime
) -> Comparison:
    begin, dots, end = compare.partition("..")
    if not dots:
        raise UsageError(
            f"'{compare}' is no period", hint="Write two times ago, the nearer one first, such as 30d..60d."
        )
    nearer, farther = sorted((moment(begin, now), moment(end, now)), reverse=True)
    choose(con, where, nearer, None)
    recent = period(con, nearer, None)
    choose(con, where, farther, nearer)
    return Comparison(now=recent, before=period(con, farther, nearer))


def _scope(con: duckdb.DuckDBPyConnection, where: dict[str, str | None], begin: str | None, now: datetime) -> Scope:
    told = database.frame(
        con,
        "select list(distinct pipeline order by pipeline) filter (pipeline is not null) as pipelines, "
        "epoch_ms(min(started)) as first, epoch_ms(max(ended)) as last from chosen",
    ).row(0, named=True)
    first, last = (None if told[name] is None else rfc3339(told[name]) for name in ("first", "last"))
    return Scope(
        pipelines=tuple(told["pipelines"] or ()),
        since=begin,
        until=None,
        first=first,
        last=last,
        generated=rfc3339(round(now.timestamp() * 1000)),
        **where,
    )


def _count(con: duckdb.DuckDBPyConnection) -> int:
    return int(database.frame(con, "select count(*) from chosen").item())
