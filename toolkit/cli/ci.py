"""`toolkit why --ci`: a build told in the log, the summary and the reports of the CI system around us."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from toolkit.cli.writing import write_whole
from toolkit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.core.progress import Attempt, Progress
    from toolkit.exporters.dialects import Dialect

KEPT_BYTES = 1 << 20
AGENT_SECONDS = 30


def tell_ci(progress: Progress, directory: str, system: str | None) -> None:
    """Print what the system reads from a log, and hand it the summary where it takes one."""
    from toolkit.exporters.dialects import SYSTEMS, detected

    if system is not None and system not in SYSTEMS:
        raise UsageError(f"there is no CI system '{system}' here", hint=f"There are {', '.join(SYSTEMS)}.")
    dialect = detected(os.environ) if system is None else SYSTEMS[system]
    tell_log(progress, dialect, directory)
    summarise(progress, dialect)


def tell_log(progress: Progress, dialect: Dialect, directory: str) -> None:
    """Print what a system reads from its log."""
    from toolkit.exporters.ci import told

    for line in told(progress, dialect, lambda attempt: _excerpt(directory, progress.build, attempt)):
        print(line)
    sys.stdout.flush()


def summarise(progress: Progress, dialect: Dialect) -> None:
    """Hand a system the build as Markdown, where it takes that."""
    from toolkit.exporters.ci import summary

    _hand_over(dialect, progress, summary(progress))


def _excerpt(directory: str, build: str, attempt: Attempt) -> Sequence[str]:
    """Give the end of what an attempt printed, as far as it is kept here."""
    from toolkit.supervise.logs import find_logs, log_directory, read_log

    text = b""
    for path in find_logs(log_directory(directory, build), state=attempt.state, attempt=attempt.attempt):
        for piece in read_log(path):
            text = (text + piece)[-KEPT_BYTES:]
    return text.decode("utf-8", "replace").splitlines()


def _hand_over(dialect: Dialect, progress: Progress, text: str) -> None:
    try:
        if dialect.name == "github" and (path := os.environ.get("GITHUB_STEP_SUMMARY")):
            with open(path, "a", encoding="utf-8") as file:
                file.write(text)
        elif dialect.name == "azure" and (folder := os.environ.get("AGENT_TEMPDIRECTORY")):
            path = os.path.join(folder, f"toolkit-{os.getpid()}.md")
            write_whole(path, text)
            print(f"##vso[task.uploadsummary]{path}")
        elif dialect.name == "buildkite" and shutil.which("buildkite-agent"):
            _annotate(progress, text)
    except OSError as error:
        print(f"warning: the summary cannot be handed over: {error}", file=sys.stderr)


def _annotate(progress: Progress, text: str) -> None:
    from toolkit.exporters.ci import style

    command = ["buildkite-agent", "annotate", "--style", style(progress), "--context", "build-state-toolkit"]
    try:
        ended = subprocess.run(command, input=text, text=True, timeout=AGENT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        print("warning: buildkite-agent took too long to show the summary", file=sys.stderr)
        return
    if ended.returncode:
        print(f"warning: buildkite-agent ended with {ended.returncode}", file=sys.stderr)
