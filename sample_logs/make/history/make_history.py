"""Runs weeks of small builds for real, in a world of outages, locks, full disks and mistakes, and keeps their events.

    python3 make_history.py        # about ten minutes

Every build is really run and every outcome is what came of it. Only the clock is not real: it runs `FASTER` times as
fast as ours and skips the hours in which nothing is built. Durations are therefore `FASTER` times the real ones.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent.parent.parent)]

import sandbox  # noqa: E402 - found by the path above
from recorder import Build, Run, moment  # noqa: E402
from scrub import scrub  # noqa: E402

from toolkit.core.classes import GROUP_OF  # noqa: E402
from toolkit.demo.server import Fault, FaultyServer, Reply, Source, folder  # noqa: E402

FASTER = 1500
BEGIN = datetime(2026, 2, 2, tzinfo=UTC)
WEEKS = 5
SEED = 20260202
DISK = "420m"
HOUR = 3600.0
REQUESTS_AN_HOUR = 10
OUT = HERE.parent.parent / "history"
FULL = ("No space left", "Could not allocate block", "Failed writing", "Failure writing", "cannot create directory")
LOG = Path("/tmp/sample-history")  # not on the disk that fills up


class Clock:
    """The story's time in seconds since 1970: fast, and able to skip."""

    def __init__(self, begin: datetime) -> None:
        self._story, self._real = begin.timestamp(), time.monotonic()

    def now(self) -> float:
        return self._story + (time.monotonic() - self._real) * FASTER

    def skip_to(self, at: float) -> None:
        """Go on at a later time; never back."""
        if at > self.now():
            self._story, self._real = at, time.monotonic()


@dataclass(frozen=True)
class Window:
    """A time in which something is wrong."""

    begin: float
    end: float
    kind: str = ""


@dataclass
class World:
    """What goes wrong when, drawn once."""

    chance: random.Random
    outages: Sequence[Window] = ()
    syncs: Sequence[Window] = ()
    mistakes: Sequence[Window] = ()
    limited: int = 0
    requests: list[float] = field(default_factory=list)

    @classmethod
    def drawn(cls, seed: int) -> World:
        """Draw outages of the mirror, hours of the cache's other user, and two mistakes in the settings."""
        chance = random.Random(seed)
        days = [BEGIN.timestamp() + 24 * HOUR * day for day in range(7 * WEEKS)]
        outages = []
        for day in days:
            if chance.random() < 0.45:
                begin = day + HOUR * chance.uniform(6, 18)
                kind = chance.choices(["503", "reset", "truncate", "refused"], [5, 2, 2, 2])[0]
                outages.append(Window(begin, begin + HOUR * chance.lognormvariate(0.2, 0.9), kind))
        syncs = [
            Window(begin, begin + HOUR * chance.uniform(0.4, 1.4))
            for begin in (day + HOUR * chance.choice([9, 11, 14, 16]) for day in days)
        ]
        mistakes = [
            Window(days[8] + 10 * HOUR, days[8] + 15.5 * HOUR),
            Window(days[24] + 13 * HOUR, days[25] + 10 * HOUR),
        ]
        return cls(chance, outages, syncs, mistakes)

    def limiting(self, source: Source, clock: Clock) -> Source:
        """Give a source that allows so many requests an hour."""

        def find(target: str) -> Reply:
            now = clock.now()
            self.requests = [at for at in self.requests if at > now - HOUR]
            if len(self.requests) >= REQUESTS_AN_HOUR:
                self.limited += 1
                return Reply(429, b"", (("Retry-After", "1800"),))
            self.requests.append(now)
            return source(target)

        return find


def at(windows: Sequence[Window], now: float) -> Window | None:
    """Find the window that is open."""
    return next((each for each in windows if each.begin <= now < each.end), None)


def parts(where: Path) -> None:
    """Make what the mirror serves: three archives and their digests."""
    chance = random.Random(SEED)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 9))) for _ in range(3000)]
    where.mkdir(parents=True, exist_ok=True)
    for name, files in {"base": 60, "tools": 120, "docs": 90}.items():
        with tarfile.open(where / f"{name}.tar.xz", "w:xz", preset=1) as archive:
            for number in range(files):
                text = " ".join(chance.choices(words, k=12000)).encode()
                entry = tarfile.TarInfo(f"{name}/part-{number:03d}")
                entry.size, entry.mtime = len(text), int(BEGIN.timestamp())
                archive.addfile(entry, BytesIO(text))
    sums = subprocess.run(
        ["sha256sum", *sorted(path.name for path in where.glob("*.xz"))], cwd=where, check=True, capture_output=True
    )
    (where / "SHA256SUMS").write_bytes(sums.stdout)


@dataclass
class Weather:
    """What was wrong while one run went on: the truth about its failure."""

    mirror: str | None
    settings: str
    locked: bool
    killed: bool = False


class History:
    """All the builds, one after another."""

    def __init__(self) -> None:
        self.clock = Clock(BEGIN)
        self.world = World.drawn(SEED)
        self.chance = random.Random(SEED + 1)
        self.builds: list[Build] = []
        self.failures: list[dict[str, object]] = []
        self.abandoned: list[str] = []
        self.full_since = 0

    def make(self) -> None:
        """Build as the calendar says: by night, and several times on each working day."""
        for day in range(7 * WEEKS):
            morning = BEGIN + timedelta(days=day)
            hours = [2.0] + (sorted(self.chance.uniform(7, 18) for _ in range(3)) if morning.weekday() < 5 else [])
            for hour in hours:
                self.clock.skip_to(morning.timestamp() + hour * HOUR)
                self.build(nightly=hour == 2.0)

    def build(self, *, nightly: bool) -> None:
        """See one build through, or give it up."""
        build = Build(LOG, f"g-{len(self.builds) + 1:04d}", "golden-image", "bookworm/amd64", self.clock.now)
        self.builds.append(build)
        while True:
            run = self.one_pass(build)
            if run.exit_code == 0:
                return
            if len(build.runs) >= 6 or (len(build.runs) >= 2 and self.chance.random() < 0.08):
                self.abandoned.append(build.build)
                return
            delay = HOUR * (5.5 if nightly and len(build.runs) == 1 else self.chance.lognormvariate(-1.2, 0.9))
            self.clock.skip_to(self.clock.now() + delay)

    def one_pass(self, build: Build) -> Run:
        """Run the small build once, in the weather of the hour."""
        now = self.clock.now()
        outage, mistake, sync = at(self.world.outages, now), at(self.world.mistakes, now), at(self.world.syncs, now)
        weather = Weather(outage.kind if outage else None, "no-contact" if mistake else "good", locked=False)
        faults = []
        if outage is not None:
            faults = [] if outage.kind == "refused" else [Fault(outage.kind, seconds=(outage.end - now) / FASTER)]
        elif self.chance.random() < 0.07:
            weather.mirror = self.chance.choice(["503", "reset", "truncate"])
            faults = [Fault(weather.mirror, requests=1, skip=self.chance.randrange(4))]
        with ExitStack() as stack:
            if outage is None or outage.kind != "refused":
                source = self.world.limiting(folder(Path(sandbox.WORK, "served")), self.clock)
                stack.enter_context(FaultyServer(source, faults, host=sandbox.address("mirror.example"), port=80))
            if sync is not None:
                weather.locked = True
                stack.callback(self.hold_lock((sync.end - now) / FASTER))
            limited = self.world.limited
            run = build.run(
                ["bash", f"{sandbox.PIPELINES}/history/build.sh"],
                sandbox.ENVIRONMENT
                | {"MIRROR": "http://mirror.example", "WORK": sandbox.WORK, "SETTINGS": f"{weather.settings}.settings"},
                self.disturb(weather),
            )
        if build.failures and build.failures[-1]["run"] == run.number:
            self.know(build, weather, limited=self.world.limited > limited)
        return run

    def hold_lock(self, seconds: float) -> Callable[[], None]:
        """Let another job hold the cache's lock, as `flock` does."""
        holder = subprocess.Popen(
            ["flock", f"{sandbox.WORK}/cache.lock", "sleep", f"{seconds:.2f}"], start_new_session=True
        )
        time.sleep(0.05)

        def end() -> None:
            if holder.poll() is None:
                os.killpg(holder.pid, signal.SIGTERM)
            holder.wait()

        return end

    def disturb(self, weather: Weather) -> Callable[[Run, str], None] | None:
        """Now and then a build is killed or cancelled in the middle of a state."""
        drawn = self.chance.random()
        state = self.chance.choice([5, 10, 30, 40])
        if drawn > 0.06:
            return None

        def watch(run: Run, line: str) -> None:
            if not line.startswith(f"::state {state} started"):
                return
            time.sleep(0.1)
            if drawn < 0.02:
                run.cancel()
                return
            weather.killed = True
            os.killpg(run.process.pid, signal.SIGKILL)

        return watch

    def know(self, build: Build, weather: Weather, *, limited: bool) -> None:
        """Write down what the failure was; what cannot be explained ends the making."""
        seen = build.failures[-1]
        failed = next(event for event in reversed(build.events) if event["status"] == "failed")
        said = failed.get("error", "")
        cause, failure_class = self.cause(seen["state"], said, weather, limited=limited)
        self.failures.append(
            {
                **{key: seen[key] for key in ("run", "state", "name", "attempt", "exit_code", "signal")},
                "build": build.build,
                "cause": cause,
                "class": failure_class,
                "group": GROUP_OF[failure_class],
            }
        )
        if failure_class == "resource":
            # Somebody tidies up, but not before it has happened twice.
            self.full_since += 1
            if self.full_since == 2:
                self.full_since = 0
                for old in Path(sandbox.WORK, "archive").iterdir():
                    old.unlink()

    @staticmethod
    def cause(state: int, said: str, weather: Weather, *, limited: bool) -> tuple[str, str]:
        """Tell the truth about a failure from what was wrong, and check that its words agree."""
        if weather.killed:
            return "killed from outside", "killed"
        if any(words in said for words in FULL):
            return "the disk is full of finished images", "resource"
        if state == 5 and limited and "429" in said:
            return "the mirror's rate limit", "rate_limited"
        if state == 5 and weather.mirror is not None:
            return f"the mirror: {weather.mirror}", "unavailable" if weather.mirror == "503" else "network"
        if state == 20 and weather.settings != "good" and "undefined" in said:
            return "a setting is missing", "config"
        if state == 30 and weather.locked and "locked" in said:
            return "another job holds the cache's lock", "contention"
        if state == 80 and "test_service_answers" in said:
            return "the service was not up in time: a flaky test", "test"
        sys.exit(f"nobody knows why state {state} failed: {said!r} in {weather}")

    def write(self) -> None:
        """Keep the events and what is known about them."""
        OUT.mkdir(exist_ok=True)
        events = [event for build in self.builds for event in build.events]
        for event in events:
            if "error" in event:
                event["error"] = scrub(event["error"])
        (OUT / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
        ends = {build.build: "completed" if build.runs[-1].exit_code == 0 else "failed" for build in self.builds}
        expected = {
            "scenario": "history",
            "what": f"{WEEKS} weeks of a small golden-image pipeline, really run; the clock ran {FASTER} times as fast "
            "as ours and skipped the hours without builds: times were spread over weeks, durations are scaled.",
            "timestamps": {"spread": True, "factor": FASTER, "from": events[0]["ts"], "to": moment(self.clock.now())},
            "pipeline": "golden-image",
            "builds": len(self.builds),
            "runs": sum(len(build.runs) for build in self.builds),
            "completed": sum(end == "completed" for end in ends.values()),
            "abandoned": self.abandoned,
            "interrupted": sum(event["status"] == "interrupted" for event in events),
            "failed_attempts": len(self.failures),
            "by_state": dict(
                sorted(Counter(str(each["state"]) for each in self.failures).items(), key=lambda pair: int(pair[0]))
            ),
            "by_class": dict(Counter(str(each["class"]) for each in self.failures).most_common()),
            "failures": self.failures,
        }
        (OUT / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


def main() -> int:
    """Make the history anew."""
    if os.geteuid() != 0:
        sys.stderr.write("root is needed, for mounts and namespaces\n")
        return 2
    sandbox.enter(network=False)
    sandbox.furnish(HERE.parent)
    sandbox.fresh_disk(DISK)
    parts(Path(sandbox.WORK, "served"))
    LOG.mkdir(exist_ok=True)
    history = History()
    history.make()
    history.write()
    return 0


if __name__ == "__main__":
    sys.exit(main())
