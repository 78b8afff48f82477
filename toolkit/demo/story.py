"""The demonstration as a list of steps: each one says what it shows, then shows the real command and what it prints."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TextIO

from toolkit.demo.server import Fault, FaultyServer

HERE = os.path.dirname(__file__)
SAMPLES = os.path.join(os.path.dirname(os.path.dirname(HERE)), "sample_logs")


def tell(folder: str, out: TextIO) -> int:
    """Play the demonstration in an empty folder; gives 0 when every command did what the story says."""
    story = _Story(folder, out)
    story.say(
        "A project begins with a commented toolkit.toml. Its phase is track-only: record everything, change nothing."
    )
    story.run("init", "--name", "hello-image")
    samples = _sample_events()
    if samples:
        story.say("Somebody else's recorded history can be imported, and imported again without harm.")
        story.run("import", *samples, shown="import sample_logs/*/events.jsonl")
        story.run("import", *samples, shown="import sample_logs/*/events.jsonl")
    with FaultyServer(os.path.join(HERE, "mirror"), [Fault("503", requests=1)]) as mirror:
        story.environment["DEMO_MIRROR"] = mirror.url
        build = ["run", "--", "bash", os.path.join(HERE, "build.sh")]
        story.say(
            "Now a real build, wrapped. Its mirror is down, so state 5 fails, and the build ends as it would bare."
        )
        story.run(*build, expect=None)
        story.say("It is started over, as people do today. The toolkit links both runs to one build.")
        story.run(*build)
    story.say("What became of it:")
    story.run("status")
    story.run("history")
    story.run("why")
    story.say("And what all recorded builds together say:")
    story.run("report", "--pipeline", "golden-image" if samples else "hello-image")
    if samples:
        story.say("Which states deserve a retry, and what the recorded builds would have taken with it:")
        story.run("recommend", "--pipeline", "golden-image")
        story.run("phase", "preview", "full-resume", "--pipeline", "golden-image")
    story.say(f"Look around: cd {folder} && toolkit builds, toolkit logs --state 5 --attempt 1, toolkit recommend")
    return story.failures


class _Story:
    def __init__(self, folder: str, out: TextIO) -> None:
        self.folder = folder
        self.failures = 0
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("TOOLKIT_")}
        bin_folder = os.path.dirname(sys.executable)
        self.environment["PATH"] = f"{bin_folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        self._out = out
        self._bold, self._plain = ("\033[1m", "\033[0m") if out.isatty() and "NO_COLOR" not in os.environ else ("", "")

    def say(self, text: str) -> None:
        """Say what comes next."""
        print(f"\n{self._bold}## {text}{self._plain}", file=self._out)

    def run(self, *arguments: str, expect: int | None = 0, shown: str = "") -> None:
        """Show one command; `expect` is its exit code, None any that is not 0."""
        shown = shown or " ".join(self._shown(each) for each in arguments)
        print(f"\n$ toolkit {shown}", file=self._out, flush=True)
        ended = subprocess.run(
            [sys.executable, "-m", "toolkit", *arguments], cwd=self.folder, env=self.environment, check=False
        )
        good = ended.returncode != 0 if expect is None else ended.returncode == expect
        if not good:
            self.failures += 1
            print(f"this ended with exit code {ended.returncode}, which is not what the story says", file=self._out)

    def _shown(self, argument: str) -> str:
        return os.path.basename(argument) if os.path.isabs(argument) else argument


def _sample_events() -> list[str]:
    """Recorded builds, where this is a checkout and not an installed package."""
    found = []
    for folder in sorted(os.listdir(SAMPLES)) if os.path.isdir(SAMPLES) else ():
        path = os.path.join(SAMPLES, folder, "events.jsonl")
        if os.path.exists(path):
            found.append(path)
    return found
