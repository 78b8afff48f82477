"""Keeps the checked form of a configuration file for as long as the file's bytes are the same."""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any, Final

_FORMAT: Final = 1
"""Part of the file's name: to be raised when keys change their meaning or their normal form."""


def recall(folder: str, content: bytes) -> dict[str, Any] | None:
    """Give the checked form of a file's content, kept in the state directory `folder`; None when there is none."""
    try:
        handle = os.open(_place(folder, content), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(handle, "rb") as kept:
            document = json.loads(kept.read())
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def remember(folder: str, content: bytes, document: dict[str, Any]) -> None:
    """Keep a checked form and drop those before it; when that fails, the next command checks again."""
    path = _place(folder, content)
    cache, name = os.path.split(path)
    with contextlib.suppress(OSError):
        for each in (folder, cache):
            if os.path.islink(each) or not os.path.isdir(each):
                os.mkdir(each, 0o700)
        _ignored_by_git(folder)
        draft = f"{path}.{os.getpid()}"
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(handle, "w", encoding="utf-8") as written:
            json.dump(document, written)
        os.replace(draft, path)
        for other in os.listdir(cache):
            if other.startswith("project-") and other != name:
                os.unlink(os.path.join(cache, other))


def forget(folder: str, content: bytes) -> None:
    """Drop what is kept for a file's content."""
    with contextlib.suppress(OSError):
        os.unlink(_place(folder, content))


def _ignored_by_git(folder: str) -> None:
    with contextlib.suppress(FileExistsError):
        handle = os.open(os.path.join(folder, ".gitignore"), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(handle, "w", encoding="utf-8") as file:
            file.write("*\n")


def _place(folder: str, content: bytes) -> str:
    try:
        from _blake2 import blake2b  # hashlib would load a library of ciphers for this
    except ImportError:
        from hashlib import blake2b
    digest = blake2b(content, digest_size=16).hexdigest()
    return os.path.join(folder, "cache", f"project-{_FORMAT}-{digest}.json")
