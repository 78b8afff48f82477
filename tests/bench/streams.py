"""Measures what standing between a build and its reader costs: `./dev bench streams`.

The same bytes go through `cat`, through `tee FILE` and through the wrapper with everything that it does to output:
state markers looked for, secrets taken out, a log written. All in one run, because only the ratios mean anything.
TOOLKIT_BENCH_MB is the amount of text (default 1024), TOOLKIT_BENCH_LINES the number of short lines (default 10
million); so many that they are a gigabyte, too, tell what is spent once from what each costs.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT: Final = Path(__file__).resolve().parents[2]
MEGABYTES: Final = int(os.environ.get("TOOLKIT_BENCH_MB", "1024"))
LINES: Final = int(os.environ.get("TOOLKIT_BENCH_LINES", "10000000"))
MORE: Final = 12
BLOCK_MB: Final = 64
TICKS: Final = 2000
TICK_SECONDS: Final = 0.001
ROUNDS: Final = 3

TICKER: Final = f"""
import os, time
for _ in range({TICKS}):
    os.write(1, b"%d\\n" % time.monotonic_ns())
    time.sleep({TICK_SECONDS})
"""


class Cost(NamedTuple):
    """Seconds of wall time and of all processes' CPU, and the middle process's peak memory in MB.

    The memory includes what our own process holds when it starts the other: no process shows less.
    """

    wall: float
    cpu: float
    memory: float


def main() -> None:
    """Measure throughput, CPU, memory and latency, and print them as tables."""
    with tempfile.TemporaryDirectory(prefix="bench-streams-") as folder:
        block = Path(folder, "block.log")
        # Elsewhere, because the memory of whoever starts a process counts as that process's own peak.
        written = subprocess.run(
            [sys.executable, str(Path(__file__)), "--text", str(block)], stdout=subprocess.PIPE, check=True
        )
        start = min(_run(_contestants(["true"], folder)[-1][1]).wall for _ in range(ROUNDS))
        print(f"the wrapper's own start and end, in the figures below: {start:.2f} s")
        blocks = max(1, MEGABYTES // BLOCK_MB)
        title = f"{blocks * BLOCK_MB / 1024:.2f} GB of log, {blocks * int(written.stdout) / 1e6:.1f} million lines"
        _table(title, ["cat", *[str(block)] * blocks], blocks * BLOCK_MB / 1024, folder)
        for lines in (LINES, LINES * MORE):
            size = lines + sum(lines + 1 - 10**digit for digit in range(len(str(lines))))
            _table(f"{lines:,} short lines", ["seq", "1", str(lines)], size / (1 << 30), folder)
        print(f"\nadded latency of a line, {TICKS} lines a millisecond apart    p50 µs   p99 µs")
        nothing = _latencies([sys.executable, "-c", TICKER])
        for name, command in _contestants([sys.executable, "-c", TICKER], folder):
            found = _latencies(*command)
            print(f"{name:55} {_at(found, 50) - _at(nothing, 50):8.0f} {_at(found, 99) - _at(nothing, 99):8.0f}")


def wrap(directory: str, command: list[str]) -> None:
    """Be the wrapper: supervise the command, with markers, redaction and log."""
    from toolkit.core.markers import MarkerScanner
    from toolkit.supervise.finding import Finder
    from toolkit.supervise.process import die_like, supervise
    from toolkit.supervise.redact import Redactor
    from toolkit.supervise.spool import Spool

    class Listening:
        def __init__(self) -> None:
            self.scanner = MarkerScanner(find=Finder())
            self.log = Spool(directory, run=1, redactor=Redactor(os.environ), trouble=self.trouble)
            self.log.begin(0, 1)

        def output(self, stream: int, data: bytes, at: float) -> None:  # noqa: ARG002 - the recorder's shape
            for piece in self.scanner.feed(stream, data):
                self.log.write(stream, piece.data)

        def when_hung(self, act: Callable[[], None]) -> None:
            pass

        def announce(self, payload: bytes) -> None:
            pass

        def request(self, payload: bytes) -> None:
            pass

        def trouble(self, what: str) -> None:
            sys.stderr.write(f"trouble: {what}\n")

    recorder = Listening()
    ended = supervise(command, recorder=recorder, patience=60.0)
    recorder.log.close()
    die_like(ended)


def _contestants(source: list[str], folder: str) -> list[tuple[str, list[list[str]]]]:
    """Give each pipeline, without its reader."""
    ourselves = [sys.executable, str(Path(__file__)), f"{folder}/logs/b", *source]
    return [
        ("cat", [source, ["cat"]]),
        ("tee FILE", [source, ["tee", f"{folder}/tee.log"]]),
        ("the wrapper", [ourselves]),
    ]


def _table(title: str, source: list[str], gigabytes: float, folder: str) -> None:
    subprocess.run(["sync"], check=False)
    print(f"\n{title:36} wall s   of tee    MB/s   CPU s/GB   of tee   peak MB")
    rounds: dict[str, list[Cost]] = {}
    for _ in range(ROUNDS):
        for name, commands in _contestants(source, folder):
            rounds.setdefault(name, []).append(_run(commands))
            subprocess.run(["rm", "-rf", f"{folder}/logs", f"{folder}/tee.log"], check=True)
    best = {name: Cost(*(min(values) for values in zip(*costs, strict=True))) for name, costs in rounds.items()}
    tee = best["tee FILE"]
    for name, cost in best.items():
        print(
            f"{name:36} {cost.wall:6.2f} {cost.wall / tee.wall:8.2f} {gigabytes * 1024 / cost.wall:7.0f} "
            f"{cost.cpu / gigabytes:10.2f} {cost.cpu / tee.cpu:8.2f} {cost.memory:9.0f}"
        )


def _run(commands: list[list[str]]) -> Cost:
    """Run a pipeline into a reader that throws everything away."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    processes = _start([*commands, ["cat"]], subprocess.DEVNULL)
    memory = 0.0
    for index, process in enumerate(processes):
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if index == len(processes) - 2:
            memory = usage.ru_maxrss / 1024
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, memory)


def _start(commands: list[list[str]], sink: int) -> list[subprocess.Popen[bytes]]:
    processes: list[subprocess.Popen[bytes]] = []
    for index, command in enumerate(commands):
        source = processes[-1].stdout if processes else subprocess.DEVNULL
        last = index == len(commands) - 1
        processes.append(subprocess.Popen(command, stdin=source, stdout=sink if last else subprocess.PIPE, cwd=ROOT))
        if processes[:-1] and processes[-2].stdout is not None:
            processes[-2].stdout.close()
    return processes


def _latencies(*commands: list[str]) -> list[float]:
    """Give what each line took to get here, in microseconds."""
    processes = _start(list(commands), subprocess.PIPE)
    last = processes[-1]
    assert last.stdout is not None
    fd = last.stdout.fileno()
    found = []
    while data := os.read(fd, 65536):
        now = time.monotonic_ns()
        found += [(now - int(line)) / 1000 for line in data.split()]
    last.stdout.close()
    for process in processes:
        process.wait()
    return found


def _at(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


def _text(size: int) -> bytes:
    """Give something like a build's log: few kinds of lines, many numbers."""
    kinds = (
        "  CC      drivers/net/ethernet/module_{1:03x}.o\n",
        "Unpacking libfoo{1:d}-dev:amd64 (1.{2:d}-{3:d}) over (1.{2:d}-1) ...\n",
        "Setting up libfoo{1:d}-dev:amd64 (1.{2:d}-{3:d}) ...\n",
        "ok: [host{3:d}] => (item=/etc/conf.d/service-{1:d}.conf)\n",
        "\x1b[32mPASS\x1b[0m tests/unit/test_{1:d}.py::test_case_{3:d} ({2:d} ms)\n",
        "2026-03-01T10:{3:02d}:{3:02d}Z INFO  step {0:d}: fetched https://mirror.example/pool/{1:d}.deb in {2:d} ms\n",
        "changed: [host{3:d}] => (item={{'name': 'service-{1:d}', 'state': 'started', 'daemon_reload': False}})\n",
        "[{0:8d}] systemd[1]: Started Session {1:d} of user build; reached target Multi-User System.\n",
    )
    lines = []
    total = number = 0
    seed = 1
    while total < 1 << 20:
        seed = seed * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1
        number += 1
        lines.append(kinds[seed >> 33 & 7].format(number, seed >> 50 & 2047, seed >> 44 & 1023, seed >> 40 & 31))
        total += len(lines[-1])
    return "".join(lines).encode() * (size // total + 1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--text"]:
        text = _text(BLOCK_MB << 20)
        Path(sys.argv[2]).write_bytes(text)
        print(text.count(b"\n"))
        sys.exit()
    if len(sys.argv) > 1:
        sys.path.insert(0, str(ROOT))
        wrap(sys.argv[1], sys.argv[2:])
    main()
