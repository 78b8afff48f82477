"""Measures how history becomes tables: `./dev bench analysis`, `TOOLKIT_BENCH_EVENTS=100e6` for as many events.

Invented events lie in Parquet. Told are: the mirror made anew; a second opening with nothing new, with a thousand new
builds, with a thousand old ones that went on; a question about every state; what a report is made of; peak memory. The
same question is put to plain SQL over the raw file, the limit, and to pandas where the events fit: the one installed,
or that of the Python which `TOOLKIT_BENCH_PANDAS` names.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

sys.path[:] = [place for place in sys.path if Path(place or ".").resolve() != Path(__file__).resolve().parent]
# This file is named like the package that it measures: its own folder must not come first.

from analysis.database import connect, frame, quoted  # noqa: E402
from analysis.findings import find  # noqa: E402
from analysis.history import History  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    import duckdb

EVENTS: Final = int(float(os.environ.get("TOOLKIT_BENCH_EVENTS", "1e6")))
FITS_PANDAS: Final = 20_000_000
A_FILE: Final = 5_000_000
MADE: Final = """
copy (
    select 'b-' || lpad(cast(b as varchar), 9, '0') as build, 'p' || (b % 5) as pipeline, 't' || (b % 7) as target,
        1 as run, s * 10 as state, 'state ' || s as name, 1 as attempt,
        if(e = 0, 'started', if(s = 9 and b % 7 = 0, 'failed', 'completed')) as status,
        make_timestamptz(1600000000000000 + b * 60000000 + s * 5000000 + e * 3000000) as ts,
        cast(if(e = 1, 3, null) as double) as duration,
        if(e = 1 and s = 9 and b % 7 = 0, 'Network timeout ' || (b % 50), null) as error,
        if(e = 1 and s = 9 and b % 7 = 0, 'network', null) as class,
        if(e = 1 and s = 9 and b % 7 = 0, 'net.timeout', null) as signature, 'h' || (b % 9) as host
    from (select i // 20 as b, i % 20 // 2 as s, i % 2 as e from range({begin}, {end}) t(i))
) to '{file}' (format parquet)
"""
QUESTION: Final = """
select state, count(*) filter (status = 'completed') as completed, count(*) filter (status = 'failed') as failed,
    avg(duration) as mean, quantile_cont(duration, 0.9) as p90
from {source} where status in ('completed', 'failed') group by state order by state
"""
PANDAS: Final = """
import sys, pandas
columns = ["state", "status", "duration"]
events = pandas.concat(pandas.read_parquet(file, columns=columns) for file in sys.argv[1:])
ended = events[events.status.isin(["completed", "failed"])]
told = ended.groupby("state").agg(mean=("duration", "mean"), p90=("duration", lambda each: each.quantile(0.9)))
counts = ended.groupby(["state", "status"]).size()
assert len(told) == 10 and len(counts) >= 10
import resource
print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:10.0f} MB  peak of pandas", flush=True)
"""


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        events = folder / "events"
        events.mkdir()
        con = connect(spill=folder)
        timed(f"{EVENTS:,} events made", lambda: make(con, events))
        report(folder, events)
        whole = f"read_parquet('{quoted(events)}/a-*.parquet')"
        timed("the question, plain SQL over the raw file", lambda: frame(con, QUESTION.format(source=whole)))
        more = f"copy (select * replace (build || 'x' as build) from {whole} limit 20000) to '{events}/b.parquet'"  # noqa: S608
        con.execute(more).fetchall()
        opened("1,000 new builds", folder, events)
        more = f"copy (select * replace (2 as attempt, 2 as run) from {whole} limit 20000) to '{events}/c.parquet'"  # noqa: S608
        con.execute(more).fetchall()
        opened("1,000 old builds went on", folder, events)
        con.close()
        python = os.environ.get("TOOLKIT_BENCH_PANDAS") or (sys.executable if find_spec("pandas") else None)
        if python and EVENTS <= FITS_PANDAS:
            command = [python, "-c", PANDAS, *map(str, sorted(events.glob("a-*.parquet")))]
            timed("the question, pandas", lambda: subprocess.run(command, check=True))


def make(con: duckdb.DuckDBPyConnection, events: Path) -> None:
    """Write the events in the order in which they happen, a file after the other."""
    for number, begin in enumerate(range(0, EVENTS, A_FILE)):
        end = min(begin + A_FILE, EVENTS)
        con.execute(MADE.format(begin=begin, end=end, file=events / f"a-{number:03d}.parquet")).fetchall()


def report(folder: Path, events: Path) -> None:
    """Measure the first opening, and what is asked of an open history."""
    opened("the mirror made anew", folder, events)
    made = sum(path.stat().st_size for path in (folder / "cache").rglob("*.parquet")) / 1e6
    print(f"{made:10.0f} MB  the mirror, {sum(path.stat().st_size for path in events.iterdir()) / 1e6:.0f} MB raw")
    opened("nothing new", folder, events)
    with History.open(events, folder / "cache") as history:
        timed("the question, over the mirror", lambda: history.frame(QUESTION.format(source="attempts")))
        timed("what a report is made of", lambda: find(history, now=datetime.now(UTC)))
    peak("all of it")


def opened(what: str, folder: Path, events: Path) -> None:
    timed(what, lambda: History.open(events, folder / "cache").close())
    peak(what)


def timed(what: str, work: Callable[[], object]) -> None:
    """Run something and tell how long it took, in wall-clock and processor seconds of this process and its children."""
    before, began = _cpu(), time.perf_counter()
    work()
    print(f"{time.perf_counter() - began:10.2f} s   {_cpu() - before:8.2f} cpu s   {what}", flush=True)


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def peak(what: str) -> None:
    print(
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:10.0f} MB  peak so far, after: {what}", flush=True
    )


if __name__ == "__main__":
    main()
