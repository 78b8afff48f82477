"""Whatever is killed, whenever: the build goes on, no completed state runs twice, and the image is the same."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.supervise.crashing import KINDS, WHOM, Crashing, Forge, Strike

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KILLS = int(os.environ.get("CRASH_KILLS", "2000"))
SECONDS = float(os.environ.get("CRASH_SECONDS", "420"))
"""On a machine that is busy with other things so many kills may take for ever: then these have to do."""
AT_LEAST = 60
SEED = int(os.environ.get("CRASH_SEED", "6"))
MOST_WRITES = 16
BLOWS = 4
"""So many blows hit one build at most; there is a budget of attempts."""
WORKERS = 3
ROUNDS = int(os.environ.get("CRASH_ROUNDS", "50"))
AT_ONCE = 8


class Tally:
    """What the workers share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = threading.Lock()
        self.numbers = itertools.count()
        self.landed = 0
        self.faults: list[str] = []
        self.deadline = time.monotonic() + SECONDS

    def goes_on(self) -> bool:
        """Tell whether another build is to be killed."""
        return self.landed < KILLS and time.monotonic() < self.deadline and not self.faults


def boundaries(kind: str, dice: random.Random) -> Iterator[Strike]:
    """Give blows before and after every write of a build, at everybody, in an order of chance; then at any moment."""
    strikes = [Strike(when, n, whom) for when in ("before", "after") for n in range(1, MOST_WRITES) for whom in WHOM]
    dice.shuffle(strikes)
    yield from strikes
    while True:
        yield Strike("at", round(dice.random(), 3), dice.choice(WHOM))


def work(tally: Tally, number: int, images: dict[str, str], plans: dict[str, Iterator[Strike]]) -> None:
    """Kill builds, one after the other, and judge each when it is done."""
    forge = Forge()
    took = 0.2
    try:
        while tally.goes_on():
            with tally.lock:
                name, kind = next(tally.numbers), KINDS[next(tally.numbers) % len(KINDS)]
                strikes = [next(plans[kind]) for _ in range(BLOWS)]
            build = Crashing(tally.folder / f"{number}-{name}-{kind}", kind)
            for each in strikes:
                if name % 2:
                    build.let_end()
                moved = each._replace(where=each.where * took * 1.2) if each.when == "at" else each
                if build.run(forge, moved):
                    break
            began = time.monotonic()
            build.finish(forge)
            took = 0.7 * took + 0.3 * (time.monotonic() - began)
            found = build.faults() + ([] if build.image() == images[kind] else ["the image is another"])
            with tally.lock:
                tally.landed += build.landed
                tally.faults += [f"{build.folder.name}, {[each.told for each in strikes]}: {fault}" for fault in found]
            if not found:
                shutil.rmtree(build.folder)
    except Exception as error:
        with tally.lock:
            tally.faults.append(f"{type(error).__name__}: {error}")
        raise
    finally:
        forge.close()


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_kills_at_every_event_and_at_any_moment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Supervisor, state, both, standby or not, killed -9: nothing completed runs twice, nothing is lost."""
    forge = Forge()
    images = {}
    for kind in KINDS:
        build = Crashing(tmp_path / kind, kind)
        assert build.run(forge), build.said()
        assert build.faults() == []
        images[kind] = build.image()
    forge.close()
    assert len(set(images.values())) == 1
    tally = Tally(tmp_path)
    plans = {kind: boundaries(kind, random.Random(SEED)) for kind in KINDS}  # noqa: S311 - where to strike
    began = time.monotonic()
    with ThreadPoolExecutor(WORKERS) as pool:
        done = [pool.submit(work, tally, number, images, plans) for number in range(WORKERS)]
    with capsys.disabled():
        print(f" [{tally.landed} kills in {time.monotonic() - began:.0f} s]", end="", flush=True)  # noqa: T201

    assert tally.faults == []
    assert [each.exception() for each in done] == [None] * WORKERS
    assert tally.landed >= min(KILLS, AT_LEAST)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace kills the real program at its Nth call")
@pytest.mark.parametrize("call", ["pwrite64", "fdatasync", "write", "unlink", "clone"])
def test_kills_at_system_calls(tmp_path: Path, call: str) -> None:
    """The program as it is installed, killed at its Nth call of a kind: the build goes on to the same image."""
    forge = Forge()
    clean = Crashing(tmp_path / "clean", "instrumented")
    assert clean.run(forge)
    landed = 0
    for number in (1, 2, 3, 5, 8, 13, 21):
        build = Crashing(tmp_path / f"{call}-{number}", "instrumented")
        ended = subprocess.run(
            ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
             "-e", f"inject={call}:signal=KILL:when={number}",
             sys.executable, "-m", "toolkit", "run", "--", "./build.sh"],
            cwd=build.folder, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=120,
        )  # fmt: skip
        landed += ended.returncode != 0
        build.finish(forge)
        assert build.faults() == []
        assert build.image() == clean.image()
    forge.close()
    assert landed > 0


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_of_resumes_at_the_same_moment_one_runs(tmp_path: Path) -> None:
    """Eight at once, fifty times: one runs the build, the others are refused with exit code 6, nothing is damaged."""
    forges = [Forge() for _ in range(AT_ONCE)]
    image = ""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for number in range(ROUNDS):
            build = Crashing(tmp_path / str(number), KINDS[number % len(KINDS)])
            build.run(forges[0], Strike("after", 2 + number % 4, WHOM[number % 2 * 2]))
            start = threading.Barrier(AT_ONCE)

            def resume(forge: Forge, start: threading.Barrier = start, build: Crashing = build) -> int:
                start.wait()
                return forge.run(build.folder, ["resume"], Strike())

            codes = list(pool.map(resume, forges))
            assert sorted(codes) == [0] + [6] * (AT_ONCE - 1) or set(codes) <= {0, 4, 6}, (codes, build.said())
            assert codes.count(0) == 1, (codes, build.said())
            assert build.faults() == []
            image = image or build.image()
            assert build.image() == image
    for forge in forges:
        forge.close()
