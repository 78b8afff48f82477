"""Finds a few letters in a flood: as bytes do it, until so much has come that loading the C library's search pays.

Python looks for a word at 1.6 GB a second and lets no other thread run meanwhile; memmem(3) is more than twice as fast,
and the loop goes on copying.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Search = Callable[[bytes, bytes], int]

PAYS_FROM = 1 << 20
"""Bytes, looked through until now."""
SMALL = 1 << 13
"""In fewer bytes than this, calling out of Python takes longer than looking."""


class Finder:
    """Says where something begins, as `bytes.find` does."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._seen = 0
        self._search: Search | None = None

    def __call__(self, data: bytes, literal: bytes) -> int:
        """Give the offset of the first occurrence, -1 for none."""
        if len(data) < SMALL:
            return data.find(literal)
        if self._search is None:
            self._seen += len(data)
            if self._seen <= PAYS_FROM:
                return data.find(literal)
            self._search = _memmem()
        return self._search(data, literal)


def _memmem() -> Search:
    """Give the C library's search, or Python's where there is none."""
    try:
        import ctypes

        memmem = ctypes.CDLL(None).memmem
    except (ImportError, OSError, AttributeError):
        return bytes.find
    memmem.restype = ctypes.c_void_p
    memmem.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]

    def search(data: bytes, literal: bytes) -> int:
        begin = ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0
        found = memmem(begin, len(data), literal, len(literal))
        return -1 if found is None else int(found) - begin

    return search
