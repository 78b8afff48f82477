"""Measures what a durable record costs, and what eight writers at once get: `./dev bench store`.

The disk's own part, a line appended and synced, is measured in the same run, interleaved, so that the ratios hold on a
machine that is busy with other things.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

from toolkit.core import events as ev
from toolkit.store import Store, Writer, open_store
from toolkit.store.turn import Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.queues import Queue

ROUNDS = 10
PER_ROUND = 40
WRITERS = 8
SECONDS = 2.5
IMPORTED = 1_000
STATES = 20
LINE = b'{"build":"b-0001","state":5,"status":"completed","ts":"2026-03-01T10:15:00.000Z","attempt":1}\n'


def main() -> None:
    """Print the three tables."""
    with tempfile.TemporaryDirectory(prefix="toolkit-bench-") as name:
        folder = Path(name)
        one_record(folder)
        eight_writers(folder)
        in_bulk(folder)


def pair(build: str, number: int) -> Sequence[ev.Event]:
    fields = {"build": build, "ts_ms": number, "run": 1, "state": number, "name": "a state"}
    started = ev.AttemptStarted(**fields, attempt=1, host="builder1", phase="track-only")  # type: ignore[arg-type]
    return started, ev.AttemptCompleted(**fields, attempt=1, duration=1.5)  # type: ignore[arg-type]


def begun(store: Store) -> Writer:
    return store.begin(
        lambda name: [ev.BuildBegun(build=name, ts_ms=0, pipeline="bench"), ev.RunStarted(build=name, ts_ms=0, run=1)]
    )


def one_record(folder: Path) -> None:
    """One writer: a record at a time, as a build of 200 states makes them."""
    raw = os.open(folder / "raw", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def synced(_: int) -> None:
        os.write(raw, LINE)
        os.fdatasync(raw)

    with closing(open_store(f"sqlite:///{folder}/one/history.db")) as store:
        single, double = begun(store), begun(store)

        def one_fact(number: int) -> None:
            single.append(pair(single.build, number // 2)[number % 2])

        def two_facts(number: int) -> None:
            double.append(*pair(double.build, number))

        ways: dict[str, Callable[[int], None]] = {
            "a line appended and synced": synced,
            "a fact in the store": one_fact,
            "two facts in one append": two_facts,
        }
        wall: dict[str, list[float]] = {way: [] for way in ways}
        cpu: dict[str, float] = dict.fromkeys(ways, 0.0)
        for round_number in range(ROUNDS):
            for way, work in ways.items():
                began = time.process_time()
                for number in range(round_number * PER_ROUND, (round_number + 1) * PER_ROUND):
                    start = time.perf_counter()
                    work(number)
                    wall[way].append((time.perf_counter() - start) * 1e6)
                cpu[way] += (time.process_time() - began) / ROUNDS / PER_ROUND * 1e6
    os.close(raw)
    print(f"One durable record ({ROUNDS * PER_ROUND} each, interleaved)\n")
    print(f"{'':28} {'p50 µs':>8} {'p95 µs':>8} {'CPU µs':>8} {'of raw p50':>11}")
    base = median(wall["a line appended and synced"])
    for way, taken in wall.items():
        high = quantiles(taken, n=20)[-1]
        print(f"{way:28} {median(taken):8.0f} {high:8.0f} {cpu[way]:8.0f} {median(taken) / base:11.2f}")


def eight_writers(folder: Path) -> None:
    """Eight processes that write without a pause, in turns and by SQLite's busy handler alone."""
    print(f"\n{WRITERS} writers on one store for {SECONDS:g} s\n")
    print(f"{'':28} {'facts/s':>8} {'slowest/fastest':>16} {'p50 ms':>8} {'worst ms':>9}")
    for way, in_turns in (("SQLite's busy handler", False), ("in turns", True)):
        url = f"sqlite:///{folder}/eight-{in_turns}/history.db"
        open_store(url).close()
        said: Queue[list[float]] = multiprocessing.Queue()
        start = time.time() + 1
        writers = [multiprocessing.Process(target=tight, args=(url, start, said, in_turns)) for _ in range(WRITERS)]
        for writer in writers:
            writer.start()
        taken = [said.get() for _ in writers]
        for writer in writers:
            writer.join()
        counts = sorted(len(each) for each in taken)
        every = sorted(each for waits in taken for each in waits)
        share = counts[0] / counts[-1]
        half = every[len(every) // 2]
        print(f"{way:28} {sum(counts) / SECONDS:8.0f} {share:16.3f} {half * 1e3:8.2f} {every[-1] * 1e3:9.1f}")


def tight(url: str, start: float, said: Queue[list[float]], in_turns: bool) -> None:
    """Write until the time is up, and say how long each record took."""
    if not in_turns:
        Turn.take = Turn.give = lambda _: None  # type: ignore[assignment, method-assign]
    with closing(open_store(url, wait_seconds=60)) as store:
        writer = begun(store)
        waits: list[float] = []
        time.sleep(max(0.0, start - time.time()))
        end = time.monotonic() + SECONDS
        number = 0
        while (before := time.monotonic()) < end:
            writer.append(ev.RecordDegraded(build=writer.build, ts_ms=number, reason="bench"))
            waits.append(time.monotonic() - before)
            number += 1
    said.put(waits)


def in_bulk(folder: Path) -> None:
    """Imports, and reading all of it again."""

    def one_build(number: int) -> tuple[str, list[ev.Event]]:
        name = f"b-{number:05d}"
        begin = [ev.BuildBegun(build=name, ts_ms=number), ev.RunStarted(build=name, ts_ms=number, run=1)]
        return name, [*begin, *(event for state in range(STATES) for event in pair(name, state))]

    told = [one_build(number) for number in range(IMPORTED)]
    total = sum(len(events) for _, events in told)
    with closing(open_store(f"sqlite:///{folder}/bulk/history.db")) as store:
        print(f"\n{total} facts of {IMPORTED} builds\n\n{'':28} {'facts/s':>8}")
        for way, work in {
            "imported": lambda: store.import_builds(told),
            "imported again": lambda: store.import_builds(told),
            "scanned": lambda: sum(1 for _ in store.scan()),
            "read as rows": lambda: sum(1 for _ in store.rows()),
            "checked": store.check,
        }.items():
            began = time.perf_counter()
            work()  # type: ignore[no-untyped-call, unused-ignore]
            print(f"{way:28} {total / (time.perf_counter() - began):8.0f}")


if __name__ == "__main__":
    main()
