"""Runs a build once, keeps what it prints, and notes when its markers came by: the log and the events of a sample."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

MARKER = re.compile(r"^::state (\d+) (started|completed|failed)(?: ([^ ]+))?(?: - (.*))?::\s*$")
TELLING = re.compile(
    r"error|fail|fatal|cannot|could not|refused|denied|no space|timed out|undefined|panic|^E: ", re.IGNORECASE
)
EXIT = re.compile(r"^exit (\d+)$")
COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
ERROR_LINES, ERROR_LENGTH = 3, 400

Watcher = Callable[["Run", str], None]
"""Sees every line as it comes; may disturb the build."""


@dataclass
class Run:
    """One pass of a build's command: its lines, and what its markers said."""

    number: int
    first_line: int
    process: subprocess.Popen[bytes]
    lines: list[str] = field(default_factory=list)
    marks: list[dict[str, Any]] = field(default_factory=list)
    cancelled: bool = False
    exit_code: int | None = None
    signal: int | None = None

    def cancel(self) -> None:
        """Do what Ctrl-C does: interrupt the whole process group."""
        self.cancelled = True
        os.killpg(self.process.pid, signal.SIGINT)

    def kill(self, command: str) -> None:
        """Kill, as the kernel does without memory, the newest process of the build with this text in its command."""
        found = [pid for pid in _descendants(self.process.pid) if command in _command(pid)]
        os.kill(found[-1], signal.SIGKILL)


class Build:
    """A build that is being recorded into a folder, over all its runs."""

    def __init__(
        self, folder: Path, build: str, pipeline: str, target: str, clock: Callable[[], float] = time.time
    ) -> None:
        self.folder, self.build, self.pipeline, self.target = folder, build, pipeline, target
        self.clock = clock
        self.attempts: dict[int, int] = {}
        self.events: list[dict[str, Any]] = []
        self.failures: list[dict[str, Any]] = []
        self.runs: list[Run] = []
        self.lines = 0

    def run(self, command: Sequence[str], environment: Mapping[str, str], watch: Watcher | None = None) -> Run:
        """Run the build's command once; stdout and stderr go into one pipe, as in most CI systems."""
        process = subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        run = Run(len(self.runs) + 1, self.lines + 1, process)
        self.runs.append(run)
        assert process.stdout is not None
        with (self.folder / "build.log").open("ab") as log, process.stdout:
            for raw in process.stdout:
                log.write(raw)
                line = raw.decode(errors="replace").rstrip("\r\n")
                run.lines.append(line)
                if mark := MARKER.match(line):
                    run.marks.append(
                        {
                            "state": int(mark[1]),
                            "status": mark[2],
                            "name": mark[3],
                            "reason": mark[4],
                            "at": self.clock(),
                            "line": self.lines + len(run.lines),
                        }
                    )
                if watch is not None:
                    watch(run, line)
        code = process.wait()
        run.exit_code, run.signal = (code, None) if code >= 0 else (None, -code)
        self._tell(run, self.clock())
        self.lines += len(run.lines)
        return run

    def _tell(self, run: Run, ended: float) -> None:
        started: dict[str, Any] | None = None
        for mark in run.marks:
            if mark["status"] == "started":
                started = mark
                self.attempts[mark["state"]] = self.attempts.get(mark["state"], 0) + 1
                self._event(run, mark, "started", mark["at"])
            elif started is not None:
                what: dict[str, Any] = {"duration": round(mark["at"] - started["at"], 3)}
                if mark["status"] == "failed":
                    code = EXIT.match(mark["reason"] or "")
                    what |= {"exit_code": int(code[1]) if code else None, "signal": None}
                    what["error"] = self._failed(run, started, mark["line"], what)
                self._event(run, started, mark["status"], mark["at"], what)
                started = None
        if started is None:
            return
        what = {"duration": round(ended - started["at"], 3)}
        if run.cancelled:
            self._event(run, started, "interrupted", ended, what)
            return
        what |= {"exit_code": run.exit_code, "signal": run.signal}
        what["error"] = self._failed(run, started, self.lines + len(run.lines), what)
        self._event(run, started, "failed", ended, what)

    def _failed(self, run: Run, started: dict[str, Any], last: int, what: dict[str, Any]) -> str | None:
        """Remember where in the log the failing attempt stands; give its last telling lines, if it said anything."""
        offset = run.first_line - 1
        said = [COLOURS.sub("", line).strip() for line in run.lines[started["line"] - offset : last - offset]]
        said = [line for line in said if line and not MARKER.match(line)]
        telling = [line for line in said if TELLING.search(line)][-ERROR_LINES:] or said[-1:]
        self.failures.append(
            {
                "run": run.number,
                "state": started["state"],
                "name": started["name"],
                "attempt": self.attempts[started["state"]],
                "lines": [started["line"], last],
                "exit_code": what["exit_code"],
                "signal": what["signal"],
            }
        )
        return "\n".join(telling)[-ERROR_LENGTH:] or None

    def _event(
        self, run: Run, mark: dict[str, Any], status: str, at: float, what: Mapping[str, Any] | None = None
    ) -> None:
        self.events.append(
            {
                "schema": 1,
                "build": self.build,
                "pipeline": self.pipeline,
                "target": self.target,
                "run": run.number,
                "state": mark["state"],
                "name": mark["name"],
                "attempt": self.attempts[mark["state"]],
                "status": status,
                "ts": moment(at),
                "host": "builder1",
            }
            | {name: value for name, value in (what or {}).items() if value is not None}
        )

    def write_events(self) -> None:
        """Write what happened, an event a line."""
        (self.folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in self.events))


def moment(at: float) -> str:
    """Write seconds since 1970 as RFC 3339 in UTC with milliseconds."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    found: list[int] = []
    for child in map(int, children.read_text().split()) if children.exists() else ():
        found += [child, *_descendants(child)]
    return found


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
