"""Invents long histories in SQL: pipelines, targets, hosts, failures, start-overs, as events in Parquet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from analysis.database import connect, quoted

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

_STATES: Final = (
    # code, name, usual seconds, share of attempts that fail, recovers next, signature, class, message
    (0, "start", 20, 0.0, 1.0, "", "", ""),
    (5, "kickstart", 900, 0.09, 0.8, "net.timeout", "network", "Connection to mirror{0} timed out after 30000 ms"),
    (10, "green image", 120, 0.01, 0.5, "disk.full", "resource", "write: No space left on device"),
    (20, "base", 300, 0.03, 0.75, "apt.lock", "contention", "Could not get lock /var/lib/dpkg/lock-frontend"),
    (40, "packages", 700, 0.04, 0.7, "http.503", "unavailable", "The requested URL returned error: 503"),
    (65, "services", 400, 0.015, 0.1, "ansible.undefined", "config", "'contact{0}' is undefined"),
    (70, "unit tests", 250, 0.02, 0.15, "test.failed", "test", "FAILED tests/test_image.py::test_case_{0}"),
    (90, "smoke tests", 150, 0.01, 0.5, None, None, "probe {0} gave no answer"),
    (100, "done", 5, 0.0, 1.0, "", "", ""),
)
_MOST_RUNS: Final = 4
_MADE: Final = """
copy (
    with states(code, name, usual, rate, recovers, signature, class, message, place) as (values {states}),
    dice as (
        select *, build || '/' || run || '/' || code as at,
            (hash(build || '/' || run || '/' || code) % 100000) / 100000 as die,
            usual * (0.7 + (hash(code || '-' || build || '-' || run) % 1000) / 1600) as took
        from (
            select b, 'b-' || lpad(cast(b as varchar), 6, '0') as build, run, unnest(states) from (
                select b, run, states from range({builds}) t(b), range(1, {runs} + 1) r(run), states
            )
        )
    ),
    judged as (
        select *, die < case when run = 1 then rate when rate = 0 then 0 else least(rate * 3, 1 - recovers) end as fails
        from dice
    ),
    cut as (
        select *, min(if(fails, place, null)) over (partition by b, run) as broken from judged
    ),
    reached as (
        select *, if(broken is null, 1, 0) as green, min(if(broken is null, run, null)) over (partition by b) as last
        from cut where place <= coalesce(broken, 99)
    ),
    laid as (
        select *, if(fails, took / 3, took) as lasted,
            timestamptz '2025-01-06 06:00:00+00' + to_seconds(b * {spacing})
                + to_seconds(coalesce(sum(if(fails, took / 3 + 600, took)) over (
                    partition by b order by run, place rows between unbounded preceding and 1 preceding), 0)) as began
        from reached where run <= coalesce(last, {runs})
    )
    select build, if(b % 5 < 4, 'golden-image', 'edge-image') as pipeline,
        ['bookworm/amd64', 'bookworm/arm64', 'trixie/amd64'][1 + b % 3] as target, run,
        code as state, name, run as attempt,
        if(e = 0, 'started', if(fails, 'failed', 'completed')) as status,
        began + to_seconds(e * lasted) as ts, if(e = 1, lasted, null) as duration,
        if(e = 1 and fails, replace(message, '{{0}}', cast(b % 7 as varchar)), null) as error,
        if(e = 1 and fails, class, null) as class, if(e = 1 and fails, signature, null) as signature,
        'builder' || (1 + b % 6) as host
    from laid, range(2) v(e) order by b, run, place, e
) to '{file}' (format parquet)
"""


def invent(file: Path, builds: int, *, days: float = 420.0, codes: Container[int] = range(101)) -> None:
    """Write the events of so many builds, spread over so many days, into a Parquet file; always the same ones.

    With `codes`, the pipelines have only those states.
    """
    states = [state for state in _STATES if state[0] in codes]
    rows = ", ".join(str((*state, place)).replace("None", "null") for place, state in enumerate(states))
    # One message holds quotes of its own, and Python then quotes with the other kind.
    rows = rows.replace("\"'contact{0}' is undefined\"", "'''contact{0}'' is undefined'")
    spacing = days * 86400 / builds
    with connect(spill=file.parent) as con:
        con.execute(_MADE.format(states=rows, builds=builds, runs=_MOST_RUNS, spacing=spacing, file=quoted(file)))
