"""`toolkit export --otlp` and `--prometheus`: traces and metrics for those who watch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.cli.opening import history_of
from toolkit.cli.writing import write_whole
from toolkit.core.words import how_many
from toolkit.errors import NotFound, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from analysis.history import History
    from toolkit.core.events import Event
    from toolkit.exporters.traces import Span
    from toolkit.project import Project


def send_traces(project: Project, store: str | None, build: str | None, endpoint: str) -> None:
    """Send the traces of a build, or of all that are not running, and say how much that was."""
    sent, builds = traces_sent(project, store, build, endpoint)
    print(f"sent {how_many(sent, 'span')} of {how_many(builds, 'build')}")


def traces_sent(
    project: Project,
    store: str | None,
    build: str | None,
    endpoint: str,
    more: Sequence[Event] = (),
    trying_seconds: float | None = None,
) -> tuple[int, int]:
    """Send them; gives how many spans of how many builds. `more` is what the store lacks of a build that is named."""
    try:
        from toolkit.exporters.otlp import send
    except ImportError as error:
        raise _missing(error, "otel", "--otlp") from None
    from toolkit.exporters.traces import spans

    builds = 0

    def told() -> Iterator[Span]:
        nonlocal builds
        for name in names:
            found = spans([*kept.events(name), *more])
            builds += bool(found)
            yield from found

    with history_of(project, store) as kept:
        if build is not None and kept.row(build) is None:
            raise NotFound(f"there is no build {build}")
        names = [build] if build is not None else [row.build for row in kept.builds()]
        sent = send(told(), endpoint, **({} if trying_seconds is None else {"trying_seconds": trying_seconds}))
    return sent, builds


def write_metrics(tables: History, file: str) -> None:
    """Write the metrics of the whole history into a file, whole or not at all."""
    try:
        from analysis.metrics import exposition
    except ImportError as error:
        raise _missing(error, "metrics", "--prometheus") from None

    write_whole(file, exposition(tables).decode())


def _missing(error: ImportError, extra: str, option: str) -> UsageError:
    return UsageError(
        f"{option} needs a package that is not installed: {error.name}",
        hint=f"Install the toolkit with its extra: build-state-toolkit[{extra}].",
    )
