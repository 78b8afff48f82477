"""Tells a run that has ended where `[publish]` says: a process of its own, which the build neither sees nor fails by.

What the CI system reads from its log comes back through a pipe and is printed by who ran the build, so that nothing of
ours can appear after the caller's next command.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import redirect_stderr, suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from toolkit.core.events import event_from
from toolkit.core.progress import fold
from toolkit.project import Publish, load_project

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Sequence

    from toolkit.core.events import Event
    from toolkit.core.progress import Progress
    from toolkit.project import Project

PATIENCE_SECONDS: Final = 15.0
"""How long the end of a run waits until it has been told of everywhere."""
LONGEST_SECONDS: Final = 60
"""After so long the process ends itself, whatever it waits for."""
TRYING_SECONDS: Final = 1.5
"""How long a collector that refuses is asked again, once or twice: the end of the run waits for it."""
MOST_BYTES: Final = 1 << 20
"""Of lines for the CI system's log."""


def publish(
    project: Project, store: str, build: str, more: Sequence[Event] = (), patience: float = PATIENCE_SECONDS
) -> None:
    """Tell of a build's last run what the project wants told, and wait a little until that is done.

    `more` is what the store would not take of it: what is told says that the record is not whole.
    """
    if project.publish == Publish():
        return
    deadline = monotonic() + patience
    from toolkit.store.rows import fact
    from toolkit.supervise.apart import start_apart

    order = {"directory": project.directory, "store": store, "build": build, "more": [fact(each) for each in more]}
    child = start_apart("toolkit.cli.publishing", order, heard=True)
    lines = _said(child, deadline)
    with suppress(OSError):
        os.write(_outlet(), lines)
    import subprocess

    try:
        child.wait(max(0.0, deadline - monotonic()))
    except subprocess.TimeoutExpired:
        child.returncode = 0  # it ends by itself, long after us


def _said(child: subprocess.Popen[bytes], deadline: float) -> bytes:
    """Give what it says until it closes its output; nothing when it takes too long, for half a line is none."""
    import select

    if child.stdout is None:
        return b""
    text = b""
    waiting = select.poll()
    with child.stdout as pipe:
        waiting.register(pipe, select.POLLIN)
        while waiting.poll(max(0.0, deadline - monotonic()) * 1000):
            piece = os.read(pipe.fileno(), 1 << 16)
            if not piece:
                return text[:MOST_BYTES]
            text += piece
    return b""


def _outlet() -> int:
    """Give where the system looks for its commands: in either stream, but for the one that reads only stdout."""
    return 1 if os.environ.get("TEAMCITY_VERSION") else 2


# ---------------------------------------------------------------- in the process of its own


def main() -> None:
    """Read the order from standard input, carry it out, and complain in the log of what did not work."""
    import signal

    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    signal.alarm(LONGEST_SECONDS)
    order: dict[str, Any] = json.load(sys.stdin)
    _try(order, "everything", lambda: _carry_out(order))
    os._exit(0)  # a connection that hangs must not keep this process


def _carry_out(order: dict[str, Any]) -> str:
    project = load_project(order["directory"])
    wanted = project.publish
    progress = _progress(order)
    _try(order, "the CI system", lambda: _for_ci(progress, project))
    if wanted.junit:
        _try(order, wanted.junit, lambda: _junit(progress, os.path.join(project.directory, wanted.junit)))
    sys.stdout.flush()
    os.close(1)  # what is printed is complete, and who ran the build need not wait for it any longer
    if wanted.otlp:
        _try(order, "the collector", lambda: _traces(project, order))
    return ""


def _try(order: dict[str, Any], what: str, tell: Callable[[], str]) -> None:
    from toolkit.supervise.notifying import complain

    try:
        wrong = tell()
    except Exception as error:  # noqa: BLE001 - there is nobody to hear of it but the log
        wrong = str(error) or type(error).__name__
    if wrong:
        complain(order["directory"], f"[publish] {what}, build {order['build']}: {wrong}")


def _progress(order: dict[str, Any]) -> Progress:
    from toolkit.store import open_store

    store = open_store(order["store"], create=False)
    try:
        return fold(_more(order), store.progress(order["build"]))
    finally:
        store.close()


def _more(order: dict[str, Any]) -> list[Event]:
    found = (event_from(kind, order["build"], ts_ms, json.loads(body)) for ts_ms, kind, body in order["more"])
    return [event for event in found if event is not None]


def _for_ci(progress: Progress, project: Project) -> str:
    import io

    from toolkit.cli.ci import summarise, tell_log
    from toolkit.exporters.dialects import detected

    dialect = detected(os.environ)
    wrong = io.StringIO()
    with redirect_stderr(wrong):
        if project.publish.annotations:
            tell_log(progress, dialect, project.directory)
        if project.publish.summary:
            summarise(progress, dialect)
    return wrong.getvalue().strip()


def _junit(progress: Progress, path: str) -> str:
    from toolkit.cli.writing import write_whole
    from toolkit.exporters.junit import junit

    write_whole(path, junit(progress))
    return ""


def _traces(project: Project, order: dict[str, Any]) -> str:
    from toolkit.cli.outward import traces_sent

    traces_sent(project, order["store"], order["build"], project.publish.otlp, _more(order), TRYING_SECONDS)
    return ""


if __name__ == "__main__":
    main()
