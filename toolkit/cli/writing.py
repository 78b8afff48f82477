"""Files that a command writes where its user says: whole or not at all, and said when it cannot be."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from toolkit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable


def write_whole(path: str, text: str | Iterable[str]) -> None:
    """Write a file whole or not at all; `-` is stdout. UsageError when it cannot be written.

    What a link names is replaced, not the link; a device or a pipe is written into.
    """
    pieces = [text] if isinstance(text, str) else text
    if path == "-":
        sys.stdout.writelines(pieces)
        return
    try:
        if _takes_a_stream(path):
            with open(path, "a", encoding="utf-8") as file:
                file.writelines(pieces)
        else:
            _replace(os.path.realpath(path), pieces)
    except OSError as error:
        hint = "Name a file in a folder that can be written."
        raise UsageError(f"cannot write {path}: {error.strerror}", hint=hint) from None


def _takes_a_stream(path: str) -> bool:
    """Tell a device, a pipe or a descriptor from a file or a place for one: as root, /dev/null could be replaced."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    named = os.path.join(os.path.dirname(path), os.readlink(path)) if os.path.islink(path) else path
    inherited = any(  # a file behind /dev/stdout or /dev/fd/3 is written on
        os.path.realpath(os.path.dirname(each)).startswith("/proc/") for each in (path, named)
    )
    return inherited or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _replace(path: str, pieces: Iterable[str]) -> None:
    part = f"{path}.part"
    try:
        with open(part, "w", encoding="utf-8") as file:
            file.writelines(pieces)
        os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(part)
        raise


def make_folder(path: str) -> None:
    """Make a folder where there is none. UsageError when it cannot be made."""
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", hint="Name a folder that can be written.") from None
