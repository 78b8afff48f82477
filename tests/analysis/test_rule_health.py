"""The rules are watched: worthless ones, failures of one host, and outages of many builds are told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from analysis.rule_health import host_problems, outages, worthless_rules

START = datetime(2026, 3, 1, tzinfo=UTC)
SCHEMA: dict[str, Any] = {
    "build": pl.String,
    "state": pl.Int32,
    "attempt": pl.Int32,
    "status": pl.String,
    "signature": pl.String,
    "host": pl.String,
    "ts": pl.Datetime("ms", "UTC"),
}


def table(*rows: tuple[str, str, str | None, str | None, float], state: int = 10) -> pl.DataFrame:
    """Build attempts from (build, status, signature, host, minutes since the start)."""
    data = [
        {
            "build": build,
            "state": state,
            "attempt": 1,
            "status": status,
            "signature": signature,
            "host": host,
            "ts": START + timedelta(minutes=minutes),
        }
        for build, status, signature, host, minutes in rows
    ]
    return pl.DataFrame(data, schema=SCHEMA)


def test_a_rule_that_successes_match_is_worthless() -> None:
    """More than a tenth of the successes at its states: the rule says nothing. A tenth is still fine."""
    noisy = [(f"g{n}", "completed", "device.busy" if n < 3 else None, None, n) for n in range(20)]
    other = [(f"h{n}", "completed", "net.timeout" if n < 2 else None, None, n) for n in range(20)]
    attempts = pl.concat(
        [
            table(("b1", "failed", "device.busy", None, 1), *noisy),
            table(("b2", "failed", "net.timeout", None, 1), *other, state=20),
        ]
    )

    found = worthless_rules(attempts)

    assert found.to_dicts() == [
        {"signature": "device.busy", "successes": 20, "matched": 3, "share": 0.15, "failures": 1}
    ]


def test_nothing_is_said_of_a_rule_without_successes_to_compare() -> None:
    """Three matches in nine successes may be chance."""
    attempts = table(*[(f"g{n}", "completed", "x.y" if n < 3 else None, None, n) for n in range(9)])

    assert worthless_rules(attempts).is_empty()


def test_a_signature_bound_to_one_host_is_the_hosts_problem() -> None:
    """Six failures on the one of three hosts that did a third of the work are no accident."""
    work = [(f"g{n}", "completed", None, f"builder{n % 3}", n) for n in range(60)]
    bad = [(f"b{n}", "failed", "disk.io_error", "builder2", n) for n in range(6)]
    spread = [(f"c{n}", "failed", "net.timeout", f"builder{n % 3}", n) for n in range(9)]

    found = host_problems(table(*work, *bad, *spread))

    assert found["signature"].to_list() == ["disk.io_error"]
    assert found.row(0, named=True)["host"] == "builder2"
    assert found.row(0, named=True)["on_host"] == 6
    assert found["chance"][0] < 0.01


def test_where_there_is_one_host_it_is_not_to_blame() -> None:
    """All failures happen on the only host there is."""
    rows = [(f"b{n}", "failed", "net.timeout", "builder1", n) for n in range(20)]

    assert host_problems(table(*rows)).is_empty()


def test_the_same_failure_of_many_builds_at_once_is_one_incident() -> None:
    """Three builds within half an hour of each other are one outage; the same failure a day later is another story."""
    rows = [
        ("b1", "failed", "http.503", "h1", 0),
        ("b2", "failed", "http.503", "h2", 20),
        ("b3", "failed", "http.503", "h1", 45),
        ("b4", "failed", "http.503", "h1", 1500),
        ("b5", "failed", "disk.full", "h1", 1),
        ("b5", "completed", None, "h1", 3),
    ]

    found = outages(table(*rows))

    assert found.to_dicts() == [
        {
            "signature": "http.503",
            "began": START,
            "ended": START + timedelta(minutes=45),
            "builds": 3,
            "failures": 3,
            "states": [10],
            "hosts": ["h1", "h2"],
        }
    ]


def test_an_empty_history_has_no_problems() -> None:
    """Nothing recorded, nothing to tell; the tables keep their shapes."""
    empty = table()

    assert worthless_rules(empty).columns == ["signature", "successes", "matched", "share", "failures"]
    assert host_problems(empty).is_empty()
    assert outages(empty).is_empty()
