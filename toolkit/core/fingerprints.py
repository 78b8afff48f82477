"""Fingerprints of what a state is made from and what it makes: how they are written down, and how two of them differ.

Written down, a fingerprint is one line, `v1:ID {…}`: an id that is all that equality needs, and behind it what each
part was, so that a difference can be told by name. Others see the id alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

from toolkit.core.values import NOTHING, Value

SCHEMA: Final = 1
"""Of the way in which parts are made; a fingerprint of another schema is told apart, never taken for a change."""

MISSING: Final = "missing"
UNREADABLE: Final = "unreadable"
CHANGING: Final = "changing"
UNSET: Final = "unset"
ELUSIVE: Final = frozenset({UNREADABLE, CHANGING})
"""What is equal to nothing, not even to itself."""

MOST_NAMED: Final = 3
"""So many files of one glob or folder are named when they changed; the others are counted."""

_ID_LENGTH: Final = 32


class Fingerprint(Value):
    """What a state declares, part by part, as it was found."""

    parts: Mapping[str, str] = NOTHING
    """As declared (`ks.cfg`, `roles/**`, `env:RELEASE`) -> SHA-256 of the content in hex, or a word such as `missing`.
    The value of a variable is hashed with the project's key."""
    run: str = ""
    """Of the state's own command line, hashed with the project's key; empty when it has none."""
    files: Mapping[str, Mapping[str, str]] = NOTHING
    """Of a glob or a folder: its files -> the beginnings of their hashes; without those that hold too many files."""
    key: str = ""
    """Which key was used: hashes made with two keys say nothing about each other."""

    @property
    def id(self) -> str:
        """Two fingerprints are of the same content exactly when their ids are the same."""
        from hashlib import sha256

        told = json.dumps([SCHEMA, sorted(self.parts.items()), self.run, self.key])
        return sha256(told.encode()).hexdigest()[:_ID_LENGTH]

    @property
    def missing(self) -> tuple[str, ...]:
        """The files, globs and folders of which there is nothing."""
        return tuple(name for name, part in self.parts.items() if part == MISSING)

    @property
    def text(self) -> str:
        """The fingerprint in a line, for the record."""
        told = {name: value for name, value in self.__dict__.items() if value}
        return f"v{SCHEMA}:{self.id} {json.dumps(told, sort_keys=True, separators=(',', ':'))}"


def fingerprint_from(text: str) -> Fingerprint | None:
    """Read what `Fingerprint.text` wrote; None for another schema, or where only the id was kept."""
    head, _, told = text.partition(" ")
    if not head.startswith(f"v{SCHEMA}:"):
        return None
    try:
        return Fingerprint(**json.loads(told))
    except (TypeError, ValueError):
        return None


def id_of(text: str | None) -> str | None:
    """Give the short form of a fingerprint, `v1:ID`, which is all that others are told."""
    return None if text is None else text.partition(" ")[0]


def changes(recorded: str | None, now: Fingerprint) -> tuple[str, ...]:
    """Say part by part what is not as it was: `ks.cfg changed`, `build/green.qcow2 missing`; nothing when all is.

    A part that is no longer declared does not matter; one that was not declared then does.
    """
    if recorded is None:
        return ("none were recorded",) if now.parts or now.run else ()
    if id_of(recorded) == id_of(now.text) and not ELUSIVE & set(now.parts.values()):
        return ()
    before = fingerprint_from(recorded)
    if before is None:
        ours = recorded.startswith(f"v{SCHEMA}:")
        return ("changed, their parts were not recorded" if ours else "recorded by a version that cannot be compared",)
    told = [*_of_parts(before, now)]
    if before.run != now.run:
        told.append("`run` changed" if before.key == now.key or not before.run or not now.run else _other_key("`run`"))
    return tuple(told)


def _of_parts(before: Fingerprint, now: Fingerprint) -> Iterator[str]:
    for name, part in now.parts.items():
        was = before.parts.get(name)
        if part == UNREADABLE:
            yield f"{name} cannot be read"
        elif part == CHANGING:
            yield f"{name} is being written"
        elif was is None:
            yield f"{name} is new"
        elif was == part:
            continue
        elif part == MISSING:
            yield f"{name} missing"
        elif was == MISSING:
            yield f"{name} was missing"
        elif name.startswith("env:") and before.key != now.key and UNSET not in {was, part}:
            yield _other_key(name)
        else:
            yield _of_files(name, before.files.get(name), now.files.get(name))


def _of_files(name: str, before: Mapping[str, str] | None, now: Mapping[str, str] | None) -> str:
    if before is None or now is None:
        return f"{name} changed"
    told = [
        f"{file} {'is new' if file not in before else 'missing' if file not in now else 'changed'}"
        for file in sorted({*before, *now})
        if before.get(file) != now.get(file)
    ]
    more = f" and {len(told) - MOST_NAMED} more" if len(told) > MOST_NAMED else ""
    return f"{', '.join(told[:MOST_NAMED])}{more}" if told else f"{name} changed"


def _other_key(name: str) -> str:
    return f"{name} cannot be compared: it was recorded elsewhere, with another key"
