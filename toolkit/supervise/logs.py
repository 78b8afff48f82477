"""Where captured output lies: a folder per build, a file per attempt."""

from __future__ import annotations

import os
import re

from toolkit.supervise.spool import read_log

__all__ = ["attempt_of", "find_logs", "log_directory", "logs_directory", "read_log", "state_directory"]

_NAME = re.compile(r"(\d+)-(\d+)-(\d+)\.log\.zst")


def state_directory(project_directory: str) -> str:
    """Give the folder of everything that the toolkit keeps for a project."""
    return os.path.join(project_directory, ".toolkit")


def logs_directory(project_directory: str) -> str:
    """Give the folder that holds a folder of logs per build."""
    return os.path.join(state_directory(project_directory), "logs")


def log_directory(project_directory: str, build: str) -> str:
    """Give the folder of a build's captured output."""
    return os.path.join(logs_directory(project_directory), build)


def find_logs(directory: str, *, state: int | None = None, attempt: int | None = None) -> list[str]:
    """List the logs of a build, or of one state or attempt, in the order of runs and states."""
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return []
    found = []
    for name in names:
        parts = _NAME.fullmatch(name)
        if parts is None or state not in {None, int(parts[2])} or attempt not in {None, int(parts[3])}:
            continue
        found.append(os.path.join(directory, name))
    return found


def attempt_of(path: str) -> tuple[int, int, int]:
    """Tell whose output a log holds: run, state and attempt. ValueError when it is not a log's name."""
    parts = _NAME.fullmatch(os.path.basename(path))
    if parts is None:
        raise ValueError(f"{path} is not named like a log")
    return int(parts[1]), int(parts[2]), int(parts[3])
