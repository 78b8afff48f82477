"""The project's key: what may be secret, such as a variable's value, is recorded only as a hash made with it."""

from __future__ import annotations

import os
from typing import Final

LENGTH: Final = 32


class Key:
    """Makes hashes that nobody can guess from, and that only this project's own can be compared with."""

    def __init__(self, directory: str) -> None:
        """Read the key kept in `directory`, or make one; where it cannot be kept, hashes compare with nothing later."""
        self._secret = _read(directory) or _make(directory)

    @property
    def id(self) -> str:
        """Tells whether two hashes were made with the same key."""
        return self.hash("which key is this?")[:8]

    def hash(self, text: str) -> str:
        """Hash a text, 64 hexadecimal digits."""
        from hashlib import blake2b

        return blake2b(os.fsencode(text), key=self._secret, digest_size=32).hexdigest()


def _path(directory: str) -> str:
    return os.path.join(directory, "key")


def _read(directory: str) -> bytes:
    try:
        with open(_path(directory), "rb") as file:
            secret = file.read(LENGTH + 1)
    except OSError:
        return b""
    return secret if len(secret) == LENGTH else b""


def _make(directory: str) -> bytes:
    """Put a new key in place whole, unless somebody else did so first."""
    secret = os.urandom(LENGTH)
    aside = f"{_path(directory)}.{os.getpid()}"
    try:
        os.makedirs(directory, exist_ok=True)
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, secret)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            os.link(aside, _path(directory))
        finally:
            os.unlink(aside)
    except FileExistsError:
        return _read(directory) or secret
    except OSError:
        return secret
    return secret
