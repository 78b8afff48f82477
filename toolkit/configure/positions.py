"""Tells on which line of a TOML file each table and key stands, which the standard parser does not."""

from __future__ import annotations

import re
from typing import Final

Path = tuple[str | int, ...]

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_QUOTED: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'')
_OPENING: Final = re.compile(r'"""|\'\'\'|["\'#\[\]{}]')
_CLOSING: Final = {'"""': re.compile(r'(?:[^\\]|\\.)*?"""', re.DOTALL), "'''": re.compile(r"(?:.)*?'''", re.DOTALL)}


def positions(text: str) -> dict[Path, int]:
    """Map each table and key of a valid TOML text to its line, counted from 1.

    Entries of arrays of tables have their index in the path: `("states", 1, "code")`. Keys inside inline values are
    left out.
    """
    found: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    at = 0
    while at < len(text):
        at = _blank(text, at)
        if at >= len(text):
            break
        line = text.count("\n", 0, at) + 1
        brackets = 2 if text.startswith("[[", at) else 1 if text[at] == "[" else 0
        keys, at = _keys(text, at + brackets)
        if brackets:
            table = _table(keys, counts, many=brackets > 1)
            found.setdefault(table, line)
            at = _line_end(text, at)
        else:
            for depth in range(1, len(keys) + 1):
                found.setdefault((*table, *keys[:depth]), line)
            at = _value_end(text, max(text.find("=", at), at) + 1)
    return found


def line_of(found: dict[Path, int], path: Path) -> int | None:
    """Give the line of a path, or of the nearest thing around it that has one."""
    for depth in range(len(path), 0, -1):
        if path[:depth] in found:
            return found[path[:depth]]
    return None


def _table(keys: list[str], counts: dict[Path, int], *, many: bool) -> Path:
    """Give the path of a table's header, which speaks of the latest entry of every array on its way."""
    path: Path = ()
    for place, key in enumerate(keys):
        path = (*path, key)
        if many and place == len(keys) - 1:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path


def _keys(text: str, at: int) -> tuple[list[str], int]:
    """Read a dotted key; give its parts and where it ends."""
    keys: list[str] = []
    while True:
        while text[at : at + 1] in {" ", "\t"}:
            at += 1
        part = _QUOTED.match(text, at) or _BARE.match(text, at)
        if part is None:
            return keys, max(at, 1)
        keys.append(part[0].strip("\"'"))
        at = part.end()
        while text[at : at + 1] in {" ", "\t"}:
            at += 1
        if text[at : at + 1] != ".":
            return keys, at
        at += 1


def _value_end(text: str, at: int) -> int:
    """Give where the value that begins at `at` ends, with the rest of its last line."""
    depth = 0
    while at < len(text):
        end = _line_end(text, at)
        opening = _OPENING.search(text, at, end)
        if opening is None or opening[0] == "#":
            if depth == 0:
                return end
            at = end
        elif opening[0] in _CLOSING:
            closing = _CLOSING[opening[0]].match(text, opening.end())
            at = closing.end() if closing else len(text)
        elif opening[0] in "\"'":
            string = _QUOTED.match(text, opening.start())
            at = string.end() if string else end
        else:
            depth += 1 if opening[0] in "[{" else -1
            at = opening.end()
    return at


def _blank(text: str, at: int) -> int:
    """Skip white space and comments."""
    while at < len(text):
        if text[at] == "#":
            at = _line_end(text, at)
        elif text[at].isspace():
            at += 1
        else:
            break
    return at


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1
