"""Watches a history for what no single failure shows: worthless rules, failures of one host, and outages."""

from __future__ import annotations

import contextlib
import json
from collections import defaultdict
from datetime import timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from analysis.attempts import tidy, understood
from analysis.recommendation import Said
from analysis.rule_health import host_problems, outages, worthless_rules
from toolkit.core.failure import Classifier
from toolkit.core.moments import rfc3339
from toolkit.core.words import how_many

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from analysis.reclassify import Logs
    from toolkit.core.rules import Rule

SUCCESSES_READ: Final = 50
"""So many of the latest successes of each state are looked at."""
SUCCESSES_SOUGHT: Final = 1000
"""Among so many of the latest ones: of the others no log is left, as a rule."""
LARGEST_LOG: Final = 32 << 20
"""Bytes on disk; larger logs of successes are left out, so that nobody waits for minutes."""
RECENT: Final = timedelta(days=7)
"""Incidents that ended so long before the latest attempt are no news."""
MOST_NAMED: Final = 5
_CACHE: Final = "rules-seen.json"

Row = tuple[str, int, int, str, str | None]
"""Build, state, attempt, status, and a rule that was seen in what it printed."""


class WorthlessRule(Said):
    """A rule that many successful attempts match too."""

    rule: str
    own: bool
    successes: int
    matched: int
    share: float
    failures: int
    """That it was recorded for."""


class HostProblem(Said):
    """A kind of failure that one host has and the others have not, though they do the same work."""

    signature: str
    host: str
    failures: int
    on_host: int
    attempts_share: float
    chance: float
    """How likely so many on one host were if hosts made no difference."""


class Incident(Said):
    """One signature on several builds at once."""

    signature: str
    began: str
    ended: str
    builds: int
    failures: int
    states: tuple[int, ...]
    hosts: tuple[str, ...]


class Watched(Said):
    """What a history shows that no single failure does."""

    successes: int
    """Successful attempts whose logs were looked at."""
    worthless: tuple[WorthlessRule, ...]
    hosts: tuple[HostProblem, ...]
    incidents: tuple[Incident, ...]
    lines: tuple[str, ...]
    """A sentence each on what somebody should know: of rules that decide something, and of what is recent."""


def watch(attempts: pl.DataFrame, own: Sequence[Rule], logs: Logs, cache: Path) -> Watched:
    """Look at a history (`tables.ATTEMPTS`) with `own` rules and the built-in ones.

    What rules see in the logs of successes is remembered below `cache`, for as long as rules and logs are the same.
    """
    told = understood(tidy(attempts)).with_columns(pl.col("over").alias("ts"))
    seen, looked_at = _seen_on_successes(told, own, logs, cache)
    failed = told.filter(pl.col("status") == "failed")
    by_rule = failed.select("build", "state", "attempt", "status", pl.coalesce("rule", "signature").alias("signature"))
    watched = pl.concat([seen, by_rule.cast(pl.Schema(seen.schema))])
    incidents = outages(told)
    latest: Any = told["ts"].max()
    recent = incidents if latest is None else incidents.filter(pl.col("ended") > latest - RECENT)
    mine = {rule.id for rule in own}
    worthless = [
        WorthlessRule(**row, own=row["rule"] in mine)
        for row in worthless_rules(watched).rename({"signature": "rule"}).to_dicts()
    ]
    hosts = [HostProblem(**row) for row in host_problems(told).to_dicts()]
    return Watched(
        successes=looked_at,
        worthless=tuple(worthless),
        hosts=tuple(hosts),
        incidents=tuple(_incident(row) for row in incidents.iter_rows(named=True)),
        lines=tuple(_lines(worthless, hosts, [_incident(row) for row in recent.reverse().iter_rows(named=True)])),
    )


def _incident(row: dict[str, Any]) -> Incident:
    return Incident(**{**row, "began": _moment(row["began"]), "ended": _moment(row["ended"])})


def _lines(
    worthless: Sequence[WorthlessRule], hosts: Sequence[HostProblem], incidents: Sequence[Incident]
) -> Iterator[str]:
    rules = [each for each in worthless if each.own or each.failures]
    for rule in rules[:MOST_NAMED]:
        yield (
            f"rule {rule.rule} also matches {rule.matched} of {rule.successes} successful attempts: "
            "what it finds proves nothing"
        )
    for each in hosts[:MOST_NAMED]:
        yield (
            f"{each.on_host} of {how_many(each.failures, 'failure')} with {each.signature} were on {each.host}, "
            f"which did {each.attempts_share:.0%} of the work: look at the host"
        )
    for one in incidents[:MOST_NAMED]:
        yield (
            f"{one.signature} hit {how_many(one.builds, 'build')} between {one.began} and {one.ended}: "
            f"one incident, not {how_many(one.failures, 'failure')}"
        )


def _seen_on_successes(told: pl.DataFrame, own: Sequence[Rule], logs: Logs, cache: Path) -> tuple[pl.DataFrame, int]:
    """Give a row per success and rule seen, one with no rule where none was, and how many successes there were."""
    from toolkit.core.rules import BUILT_IN

    rules = blake2b(repr((tuple(own), BUILT_IN)).encode(), digest_size=16).hexdigest()
    known = _remembered(cache / _CACHE, rules)
    classifier = Classifier(own)
    found: dict[str, tuple[int, list[str]]] = {}
    rows: list[Row] = []
    for build, state, attempt in _latest_with_logs(told, logs):
        size = logs.size(build, state, attempt)
        key = f"{build}/{state}/{attempt}"
        before = known.get(key)
        if before is None or before[0] != size:
            before = size, sorted(classifier.rules_seen(logs.read(build, state, attempt), state=state))
        found[key] = before
        named: list[str | None] = [*before[1]] or [None]
        rows.extend((build, state, attempt, "completed", rule) for rule in named)
    if found != known:
        _remember(cache / _CACHE, rules, found)
    schema = {
        "build": pl.String, "state": pl.Int32, "attempt": pl.Int32, "status": pl.String, "signature": pl.String,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row"), len(found)


def _latest_with_logs(told: pl.DataFrame, logs: Logs) -> list[tuple[str, int, int]]:
    good = told.filter((pl.col("status") == "completed") & pl.col("attempt").is_not_null())
    newest = good.sort("over", "build", "attempt", descending=True, nulls_last=True)
    newest = newest.group_by("state", maintain_order=True).head(SUCCESSES_SOUGHT)
    taken: defaultdict[int, list[tuple[str, int, int]]] = defaultdict(list)
    for build, state, attempt in newest.select("build", "state", "attempt").iter_rows():
        of_state = taken[state]
        if len(of_state) < SUCCESSES_READ and 0 < logs.size(build, state, attempt) <= LARGEST_LOG:
            of_state.append((build, state, attempt))
    return [each for of_state in taken.values() for each in of_state]


def _remembered(file: Path, rules: str) -> dict[str, tuple[int, list[str]]]:
    try:
        kept = json.loads(file.read_bytes())
        same = kept["rules"] == rules
        return (
            {key: (int(size), [str(rule) for rule in seen]) for key, (size, seen) in kept["seen"].items()}
            if same
            else {}
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _remember(file: Path, rules: str, seen: dict[str, tuple[int, list[str]]]) -> None:
    part = file.with_name(f"{file.name}.part")
    with contextlib.suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part.write_text(json.dumps({"rules": rules, "seen": seen}))
        part.chmod(0o600)
        part.replace(file)


def _moment(moment: Any) -> str:  # noqa: ANN401 - a datetime out of a frame
    return rfc3339(round(moment.timestamp() * 1000))
