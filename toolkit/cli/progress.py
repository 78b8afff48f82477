"""How far long work is: a line on a terminal's stderr that is gone when the work is done; silence anywhere else."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator


class Work:
    """The work that is being done: call `stage` when it turns to something else, `reached` as it goes on."""

    def __init__(self, line: Any = None) -> None:  # noqa: ANN401 - a rich Progress, imported only where one is shown
        """Take the line to write; without one nothing is shown."""
        self._line = line
        self._task: Any = None

    def stage(self, what: str) -> None:
        """Say what is being done from now on."""
        if self._line is not None:
            if self._task is not None:
                self._line.remove_task(self._task)
            self._task = self._line.add_task(what, total=None, count="")

    def reached(self, number: int, unit: str = "") -> None:
        """Say how many have been done."""
        if self._line is not None and self._task is not None:
            self._line.update(self._task, count=f"{number:,} {unit}".rstrip())


NOBODY_WATCHES: Final = Work()


@contextmanager
def telling() -> Iterator[Work]:
    """Show what happens inside as a line on stderr, if that is a terminal."""
    if not sys.stderr.isatty():
        yield Work()
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as line:
        yield Work(line)
