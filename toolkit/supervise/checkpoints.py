"""Checkpoints: what a completed state left behind, kept aside by its own commands, to start again from there.

Each lies in a folder of its own, `.toolkit/checkpoints/BUILD/STATE-ATTEMPT`, which the commands find as
TOOLKIT_CHECKPOINT. It counts only when the note beside it says that it is whole.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Final

from toolkit.core.moments import duration_text
from toolkit.core.values import Value
from toolkit.supervise.clock import monotonic, wall
from toolkit.supervise.hooks import LOOK_SECONDS, run_hook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from toolkit.core.pipeline import StateConfig
    from toolkit.project import Project

NOTE: Final = ".whole"
RECIPES: Final = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "recipes")
TIMEOUT_SECONDS: Final = 3600.0

_NAME: Final = re.compile(r"(\d+)-(\d+)")


class Checkpoint(Value):
    """One that was begun. `saved` is when it was whole, in seconds since 1970; None: it never was."""

    build: str
    state: int
    attempt: int
    path: str
    saved: float | None = None


def save(
    state: StateConfig, project: Project, build: str, attempt: int, *, wanted: Callable[[], bool] | None = None
) -> str:
    """Keep what a completed attempt left behind; says why it could not, empty when it did or need not.

    A state has one checkpoint in a build: those of its earlier attempts go once the new one is whole.
    """
    if not state.checkpoint:
        return ""
    checkpoint = _at(project, build, state.code, attempt)
    try:
        _remove(checkpoint.path)
        os.makedirs(checkpoint.path, mode=0o700)
    except OSError as error:
        return f"there is no room for a checkpoint of state {state.code}: {error.strerror}"
    wrong = _hook(state.checkpoint, project, checkpoint, wanted)
    if not wrong:
        wrong = _note(checkpoint)
    if wrong:
        discard(checkpoint, state, project)
        return wrong
    for other in list_checkpoints(project, build):
        if other.state == state.code and other.attempt != attempt:
            discard(other, state, project)
    return ""


def restore(
    state: StateConfig, project: Project, build: str, attempt: int, *, wanted: Callable[[], bool] | None = None
) -> str:
    """Put back what an attempt left behind; says why it could not, and then nothing may go on from here."""
    if wrong := unavailable(state, project, build, attempt):
        return wrong
    checkpoint = _at(project, build, state.code, attempt)
    return _hook(state.restore, project, checkpoint, wanted)


def unavailable(state: StateConfig, project: Project, build: str, attempt: int) -> str:
    """Say why an attempt's checkpoint cannot be gone back to; empty when it can."""
    if not state.restore:
        return "it has no `restore`"
    saved = _at(project, build, state.code, attempt).saved
    if saved is None:
        return "there is no whole checkpoint of it"
    if _is_old(saved, state):
        return f"its checkpoint is older than {duration_text(state.checkpoint_age or 0)}"
    return ""


def discard(checkpoint: Checkpoint, state: StateConfig, project: Project) -> str:
    """Remove a checkpoint, by its state's own command first; says why something is left, empty when nothing is."""
    wrong = ""
    _unlink(checkpoint.path + NOTE)
    if state.discard:
        wrong = run_hook(state.discard, project, extra=_environment(checkpoint), timeout_seconds=TIMEOUT_SECONDS)
    try:
        _remove(checkpoint.path)
        os.rmdir(os.path.dirname(checkpoint.path))
    except OSError as error:
        wrong = wrong or ("" if os.path.isdir(os.path.dirname(checkpoint.path)) else str(error.strerror))
    return wrong


def expire(project: Project, statuses: Mapping[str, str]) -> tuple[str, ...]:
    """Remove checkpoints that are too old, or whose build is `completed` or `abandoned`; says what went wrong.

    `statuses` are those of all builds; one that is not among them is another history's, and only its age counts. What
    is not whole goes too, unless its build is `in_progress`.
    """
    trouble = []
    for checkpoint in list_checkpoints(project):
        status = statuses.get(checkpoint.build, "unknown")
        state = project.state(checkpoint.state)
        half = checkpoint.saved is None and status != "unknown"
        over = status in {"completed", "abandoned"}
        old = checkpoint.saved is not None and _is_old(checkpoint.saved, state)
        if status != "in_progress" and (half or over or old) and (wrong := discard(checkpoint, state, project)):
            trouble.append(f"checkpoint of state {checkpoint.state} of {checkpoint.build}: {wrong}")
    return tuple(trouble)


def list_checkpoints(project: Project, build: str | None = None) -> tuple[Checkpoint, ...]:
    """List what there is, of one build or of all, the whole and the half."""
    return tuple(_listed(project, build))


def _listed(project: Project, build: str | None) -> Iterator[Checkpoint]:
    top = os.path.join(project.state_directory, "checkpoints")
    for each in sorted(_names(top)) if build is None else [build]:
        for name in sorted(_names(os.path.join(top, each))):
            if parts := _NAME.fullmatch(name):
                yield _at(project, each, int(parts[1]), int(parts[2]))


def _at(project: Project, build: str, state: int, attempt: int) -> Checkpoint:
    path = os.path.join(project.state_directory, "checkpoints", build, f"{state}-{attempt}")
    try:
        with open(path + NOTE, encoding="utf-8") as file:
            saved = float(json.load(file)["saved"]) if os.path.isdir(path) else None
    except (OSError, ValueError, KeyError, TypeError):
        saved = None
    return Checkpoint(build=build, state=state, attempt=attempt, path=path, saved=saved)


def _is_old(saved: float, state: StateConfig) -> bool:
    return state.checkpoint_age is not None and wall() - saved > state.checkpoint_age


def _note(checkpoint: Checkpoint) -> str:
    """Say, after everything else is on disk, that the checkpoint is whole."""
    aside = f"{checkpoint.path}{NOTE}.{os.getpid()}"
    try:
        os.sync()
        with open(aside, "w", encoding="utf-8") as file:
            json.dump({"saved": wall()}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, checkpoint.path + NOTE)
    except OSError as error:
        return f"the checkpoint of state {checkpoint.state} cannot be noted: {error.strerror}"
    return ""


def _hook(command: str, project: Project, checkpoint: Checkpoint, wanted: Callable[[], bool] | None) -> str:
    """Run a command on a checkpoint, alone: one that outlived its supervisor is waited for."""
    lock = os.open(os.path.dirname(checkpoint.path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if wrong := _locked(lock, wanted):
            return wrong
        told = _environment(checkpoint)
        return run_hook(command, project, extra=told, timeout_seconds=TIMEOUT_SECONDS, wanted=wanted, lock=lock)
    finally:
        os.close(lock)


def _locked(lock: int, wanted: Callable[[], bool] | None) -> str:
    import fcntl
    import time

    deadline = monotonic() + TIMEOUT_SECONDS
    while monotonic() < deadline and (wanted is None or wanted()):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOOK_SECONDS)
        else:
            return ""
    return "another command is still at work on this build's checkpoints"


def _environment(checkpoint: Checkpoint) -> dict[str, str]:
    return {
        "TOOLKIT_CHECKPOINT": checkpoint.path, "TOOLKIT_RECIPES": RECIPES, "TOOLKIT_BUILD": checkpoint.build,
        "TOOLKIT_STATE": str(checkpoint.state), "TOOLKIT_ATTEMPT": str(checkpoint.attempt),
    }  # fmt: skip


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return


def _remove(path: str) -> None:
    """Remove a folder and all that is in it, but nothing of what is mounted there. OSError."""
    try:
        about = os.lstat(path)
    except FileNotFoundError:
        return
    _remove_below(path, about.st_dev)
    os.rmdir(path)


def _remove_below(path: str, device: int) -> None:
    for entry in list(os.scandir(path)):
        if not entry.is_dir(follow_symlinks=False):
            os.unlink(entry.path)
        elif entry.stat(follow_symlinks=False).st_dev == device:
            _remove_below(entry.path, device)
            os.rmdir(entry.path)
        else:
            raise OSError(16, "another file system is mounted in it", entry.path)
