"""What `toolkit import` takes: each file by what it holds, and of raw logs what they leave unsaid."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from toolkit.errors import BadInput, NotFound, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from toolkit.cli.progress import Work
    from toolkit.core.events import Event
    from toolkit.core.failure import Classifier
    from toolkit.project import Project


class Taking:
    """Files on their way into a history; remembers which raw logs leave something unsaid."""

    def __init__(self, project: Project, *, build: str | None, target: str | None, exit_code: int | None) -> None:
        """Take what a raw log does not say of itself."""
        self._project, self._build, self._target, self._exit_code = project, build, target, exit_code
        self._logs: set[str] = set()
        self._endless: list[str] = []
        self._timeless: list[str] = []

    def histories(self, files: Sequence[str], work: Work) -> Iterator[tuple[str, Sequence[Event]]]:
        """Give the builds that files tell of, each with its facts."""
        from toolkit.core.failure import Classifier

        classifier = Classifier([each.rule() for each in self._project.rules])  # compiles its rules when it is asked
        for name in files:
            yield from self._histories(name, work, classifier)

    def hints(self) -> Iterator[str]:
        """Say what could be told better, and how."""
        if self._endless:
            yield (
                f"{_named(self._endless)} not say how the build ended, so its last state counts as interrupted. "
                "--exit-code N says it; what was taken already needs another name then: --build ID."
            )
        if self._timeless:
            yield (
                f"{_named(self._timeless)} not say when: with a time at the beginning of lines it would be known how "
                "long states took."
            )

    def _histories(self, name: str, work: Work, classifier: Classifier) -> Iterator[tuple[str, Sequence[Event]]]:
        import io
        import time
        from pathlib import Path

        from toolkit.importers import HEAD, kind_of
        from toolkit.importers.events import read_events
        from toolkit.importers.rawlog import read_log
        from toolkit.importers.records import read_records

        if name == "-":
            shown, written = "stdin", time.time()
            source: Any = io.BytesIO(sys.stdin.buffer.read())
        elif os.path.isfile(name):
            shown, written = name, os.path.getmtime(name)
            source = Path(name)
        else:
            raise NotFound(f"there is no file {name}", hint="Name a file that exists, or - for stdin.")
        work.stage(f"importing {shown}")
        with source if name == "-" else open(name, "rb") as file:
            head = file.read(HEAD)
            file.seek(0)
            kind = kind_of(head)
            if kind == "events":
                yield from read_events(source, shown, lambda lines: work.reached(lines, "lines"))
            elif kind == "records":
                yield from read_records(file, shown)
            elif not head.strip():
                raise BadInput(f"{shown} is empty")
            else:
                build, facts = read_log(
                    file, shown, build=self._name(shown), written_ms=int(written * 1000), states=self._project.states,
                    pipeline=self._project.pipeline.name, target=self._target,
                    exit_code=self._exit_code, classifier=classifier,
                )  # fmt: skip
                self._look(shown, facts)
                yield build, facts

    def _name(self, shown: str) -> str:
        """Name a log's build; two logs that nobody named are never one build, as `a/build.log` and `b/build.log`."""
        if self._build is not None:
            return self._build
        stem = os.path.splitext(os.path.basename(shown))[0]
        if stem in self._logs:
            hint = "Import each by itself, with --build ID."
            raise UsageError(f"{shown} and another of these logs would both be build {stem}", hint=hint)
        self._logs.add(stem)
        return stem

    def _look(self, shown: str, facts: Sequence[Event]) -> None:
        from toolkit.importers.rawlog import CUT_OFF

        if any(getattr(each, "reason", None) == CUT_OFF for each in facts):
            self._endless.append(shown)
        if len({each.ts_ms for each in facts}) == 1:
            self._timeless.append(shown)


def _named(files: Sequence[str]) -> str:
    """`a.log does`, or `a.log and 3 more do`."""
    return f"{files[0]} does" if len(files) == 1 else f"{files[0]} and {len(files) - 1} more do"
