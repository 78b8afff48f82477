"""One build in the three ways in which builds tell their states: instrumented, as a pipeline, by markers."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.transcripts import Shell

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

CODES = (5, 20, 40, 100)
STEP = """#!/bin/sh
# Notes that it ran; fails as long as there is a file `fail-CODE`, waits as long as there is one `wait-CODE`.
echo "$1" >>ran
while [ -e "wait-$1" ]; do sleep 0.05; done
[ ! -e "fail-$1" ] || { echo "error: state $1 is not to be"; exit 3; }
cat "in-$1" >"out-$1" 2>/dev/null || echo "made by $1" >"out-$1"
"""
INSTRUMENTED = """#!/bin/sh
set -e
. "$TOOLKIT_SHELL"
for code in 5 20 40 100; do state "$code" "s$code" -- ./step.sh "$code"; done
"""
MARKED = """#!/bin/sh
from=${2:-0}
for code in 5 20 40 100; do
    [ "$code" -ge "$from" ] || continue
    echo "::state $code started s$code::"
    ./step.sh "$code" || { status=$?; echo "::state $code failed s$code - as asked::"; exit $status; }
    echo "::state $code completed s$code::"
done
"""
KINDS = ("instrumented", "pipeline", "marked")


class Build:
    """A build of one kind in a folder of its own."""

    def __init__(self, folder: Path, kind: str, *, phase: str = "full-resume") -> None:
        self.shell, self.kind, self.folder, self.phase = Shell(folder), kind, folder, phase
        self.shell.script("step.sh", STEP)
        self.command: tuple[str, ...] = ()
        if kind != "pipeline":
            name = self.shell.script("build.sh", INSTRUMENTED if kind == "instrumented" else MARKED)
            self.command = ("--", name)
        self.configure()

    def configure(self, states: Mapping[int, str] | None = None, pipeline: str = "") -> None:
        """Write toolkit.toml, with more lines for some states and for the pipeline."""
        enters = 'resume_command = "./build.sh --from {state}"\n' if self.kind == "marked" else ""
        told = [f'phase = "{self.phase}"\n\n[pipeline]\nname = "image"\n{enters}{pipeline}\n']
        for code in CODES:
            runs = f'run = "./step.sh {code}"\n' if self.kind == "pipeline" else ""
            told.append(f'[[states]]\ncode = {code}\nname = "s{code}"\n{runs}{(states or {}).get(code, "")}\n')
        (self.folder / "toolkit.toml").write_text("\n".join(told))

    def run(self, *options: str) -> tuple[int, str, str]:
        """Type `toolkit run`, with options."""
        return self.shell.run("run", *options, *self.command)

    def resume(self, *options: str) -> tuple[int, str, str]:
        """Type `toolkit resume`, with options."""
        return self.shell.run("resume", *options)

    def ran(self) -> list[int]:
        """Give the states whose steps ran since this was last asked, in order."""
        kept = self.folder / "ran"
        told = [int(line) for line in kept.read_text().split()] if kept.exists() else []
        kept.unlink(missing_ok=True)
        return told

    def fails_at(self, code: int, *options: str) -> None:
        """Run it so that it fails at a state; then let that pass."""
        (self.folder / f"fail-{code}").touch()
        assert self.run(*options)[0] == 3
        (self.folder / f"fail-{code}").unlink()
        assert self.ran() == [each for each in CODES if each <= code]

    @contextmanager
    def waiting_at(self, code: int) -> Iterator[None]:
        """Let a state take for ever that a build told by markers can be ended in only while it runs."""
        wait = self.folder / f"wait-{code}"
        if self.kind == "marked":
            wait.touch()
        yield
        wait.unlink(missing_ok=True)

    def actions(self, *options: str) -> dict[int, str]:
        """Give the plan's actions."""
        return {each["code"]: each["action"] for each in self.shell.json("plan", *options)["states"]}
