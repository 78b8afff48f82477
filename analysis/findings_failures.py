"""What went wrong, by class and by signature: how often, where, what came of it, and the lines that prove it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import polars as pl

from analysis import database
from analysis.attempts import tidy
from analysis.episodes import episodes
from analysis.findings_model import ClassFinding, Evidence, Rate, SignatureFinding
from analysis.statistics import rate
from toolkit.core.classes import GROUP_OF
from toolkit.core.moments import rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

MOST_SIGNATURES: Final = 200
MOST_FOLDED: Final = 5000
"""Of so many builds with failures it is looked at what came of each; that is more than a share needs to be known by."""
_MOST_LISTED: Final = 200
_MOST_HOSTS: Final = 5
_MOST_EVIDENCE: Final = 8
_LONGEST: Final = 400
_BOUND: Final = 5
"""So many failures all on one host are no coincidence where other hosts do the work too."""


def counted(hits: int, n: int) -> Rate:
    """Give a share with its interval under Jeffreys' prior."""
    return Rate(hits=hits, n=n, share=rate(hits, n) if n else None)


class Folded(NamedTuple):
    """The outcomes of failures (`episodes`), of the latest builds that had any."""

    failures: pl.DataFrame
    builds: int
    of: int
    """So many builds had failures."""


def fold(con: duckdb.DuckDBPyConnection) -> Folded:
    """Look at what came of each failure, in the latest of the chosen builds that had any.

    This takes whole builds, and so memory: what is merely counted, is counted of all of them.
    """
    of = int(database.frame(con, "select count(*) from chosen where failed > 0").item())
    attempts = database.frame(con, database.script("folded"), {"most": MOST_FOLDED})
    return Folded(episodes(tidy(attempts)), min(of, MOST_FOLDED), of)


def recovery(rows: pl.DataFrame) -> Rate:
    """Give how many failures the next attempt got over, of those where that is known."""
    known = rows.filter(pl.col("censored").is_null() & pl.col("recovered").is_not_null())
    return counted(int(known["recovered"].sum()), known.height)


def classes(con: duckdb.DuckDBPyConnection) -> tuple[ClassFinding, ...]:
    """Give the classes, most frequent first."""
    rows = database.frame(
        con, "select class, count(*) as n, sum(own) as own from wrong group by class order by n desc, class"
    )
    return tuple(
        ClassFinding(
            failure_class=row["class"],
            group=GROUP_OF.get(row["class"], "uncertain"),
            failures=row["n"],
            share=row["n"] / rows["n"].sum(),
            hours_failed=row["own"] / 3600,
        )
        for row in rows.iter_rows(named=True)
    )


def signatures(con: duckdb.DuckDBPyConnection, folded: Folded) -> tuple[SignatureFinding, ...]:
    """Give the kinds of failure, most frequent first, with evidence from the latest of each."""
    kinds = database.frame(con, "from kinds order by failures desc, signature")
    total = int(database.frame(con, "select sum(failed) from chosen").item() or 0)
    weeks = all_weeks(con)
    per_week: dict[str, dict[Any, int]] = {}
    weekly = "select signature, cast(date_trunc('week', over) as date) as week, count(*) as n from wrong"
    for name, week, n in database.frame(con, f"{weekly} semi join kinds using (signature) group by all").iter_rows():
        per_week.setdefault(name, {})[week] = n
    listed = {what: _lists(con, what) for what in ("state", "host", "title")}
    shared = set(
        database.frame(con, "select state from done group by state having min(host) <> max(host)")["state"].to_list()
    )
    outcomes = {str(key[0]): rows for key, rows in folded.failures.group_by("signature")}
    told = []
    for row in kinds.iter_rows(named=True):
        name = row["signature"]
        lists = {what: each.get(name, []) for what, each in listed.items()}
        told.append(
            _signature(
                row, total, lists, tuple(per_week.get(name, {}).get(week, 0) for week in weeks),
                recovery(outcomes.get(name, folded.failures.clear())),
                elsewhere=any(state in shared for state in lists["state"]),
            )
        )  # fmt: skip
    return tuple(told)


def _lists(con: duckdb.DuckDBPyConnection, what: str) -> dict[str, list[Any]]:
    """Give the values of something that go with each of the `kinds`, the most frequent ones first."""
    rows = database.frame(con, database.script("listed").format(what=what, most=_MOST_LISTED))
    return dict(rows.iter_rows())


def all_weeks(con: duckdb.DuckDBPyConnection) -> list[Any]:
    """Give the Mondays of the weeks that are spoken of, oldest first, none left out."""
    told = database.frame(
        con,
        "select unnest(range(cast(date_trunc('week', min(started)) as timestamp), "
        "cast(max(greatest(started, ended)) as timestamp) + interval 1 second, interval 7 days))::date as week "
        "from chosen",
    )
    return told["week"].to_list()


def _signature(  # noqa: PLR0913 - what is known of a kind
    row: Mapping[str, Any],
    total: int,
    listed: Mapping[str, list[Any]],
    weeks: tuple[int, ...],
    recovered: Rate,
    *,
    elsewhere: bool,
) -> SignatureFinding:
    _, _, build, state, attempt, failure_class = row["latest"].values()
    one_host = not row["several_hosts"] and row["with_host"] == row["failures"]
    return SignatureFinding(
        signature=row["signature"],
        title=" ".join(str(listed["title"][0]).split())[:_LONGEST],
        failure_class=failure_class,
        group=GROUP_OF.get(failure_class, "uncertain"),
        failures=row["failures"],
        share=row["failures"] / total,
        builds=row["builds"],
        states=tuple(listed["state"]),
        hosts=tuple(listed["host"][:_MOST_HOSTS]),
        host_bound=one_host and row["failures"] >= _BOUND and elsewhere,
        first=rfc3339(row["first"]),
        last=rfc3339(row["last"]),
        recovery=recovered,
        hours_failed=row["own"] / 3600,
        weeks=weeks,
        evidence=_evidence(row["evidence"], row["error"]),
        example=build,
        example_state=state,
        example_attempt=attempt or None,
    )


def _evidence(evidence: str | None, message: str | None) -> tuple[Evidence, ...]:
    """Give the proof of the latest failure that has one; a message alone is proof without a line number."""
    if evidence:
        told = json.loads(evidence)[:_MOST_EVIDENCE]
        return tuple(Evidence(line=line, text=str(line_text)[:_LONGEST]) for line, line_text in told)
    return tuple(
        Evidence(line=0, text=line[:_LONGEST]) for line in (message or "").splitlines()[:_MOST_EVIDENCE] if line.strip()
    )
