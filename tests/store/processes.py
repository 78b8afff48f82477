"""Programs that tests run as processes of their own on a store, and kill."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.core import events as ev
from toolkit.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent.parent


@contextmanager
def spawned(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run one of the programs below; kill it in the end, if it still runs."""
    command = [sys.executable, "-m", "tests.store.processes", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def go(process: subprocess.Popen[str]) -> None:
    """Have a writer that is ready begin."""
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def hold(url: str) -> None:
    """Stop in the middle of a transaction."""

    def first(_: str) -> list[ev.Event]:
        say("held")
        time.sleep(60)
        return []

    open_store(url).begin(first)


def write(url: str, seconds: float) -> None:
    """When told to, begin a build and record facts in pairs, telling each number once it is acknowledged."""
    store = open_store(url, wait_seconds=20)
    say("ready")
    sys.stdin.readline()
    writer = store.begin(lambda name: [ev.BuildBegun(build=name, ts_ms=0), ev.RunStarted(build=name, ts_ms=0, run=1)])
    say(writer.build)
    deadline = time.monotonic() + seconds
    number, worst = 0, 0.0
    while time.monotonic() < deadline:
        began = time.monotonic()
        writer.append(*(ev.RecordDegraded(build=writer.build, ts_ms=number, reason=half) for half in ("one", "two")))
        worst = max(worst, time.monotonic() - began)
        say(f"{number}")
        number += 1
    say(f"worst {worst:.3f}")
    store.close()


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1] == "hold":
        hold(sys.argv[2])
    else:
        write(sys.argv[2], float(sys.argv[3]))
