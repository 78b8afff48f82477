"""Files that a command writes where its user says: whole or not at all, and said when it cannot be."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from toolkit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable


def write_whole(path: str, text: str | Iterable[str]) -> None:
    """Write a file whole or not at all; `-` is stdout. UsageError when it cannot be written."""
    pieces = [text] if isinstance(text, str) else text
    if path == "-":
        sys.stdout.writelines(pieces)
        return
    part = f"{path}.part"
    try:
        with open(part, "w", encoding="utf-8") as file:
            file.writelines(pieces)
        os.replace(part, path)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(part)
        if isinstance(error, OSError):
            hint = "Name a file in a folder that can be written."
            raise UsageError(f"cannot write {path}: {error.strerror}", hint=hint) from None
        raise


def make_folder(path: str) -> None:
    """Make a folder where there is none. UsageError when it cannot be made."""
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", hint="Name a folder that can be written.") from None
