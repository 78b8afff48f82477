"""Takes the fingerprints of what states declare: the content of files, globs and folders, variables, command lines.

Content decides, never a date: size, times and inode only save reading a large file that was read before. The hash of a
file is its SHA-256, as `sha256sum` prints it.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from toolkit.core.fingerprints import CHANGING, MISSING, UNREADABLE, UNSET, Fingerprint
from toolkit.supervise.hashes import Hashes
from toolkit.supervise.keys import Key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from toolkit.core.pipeline import StateConfig
    from toolkit.project import Project

OURS: Final = frozenset({".toolkit", ".git"})
"""Folders that are never part of a glob or a folder: they change with every build and every commit."""
MAGIC: Final = frozenset("*?[")
MOST_FILES: Final = 200
"""So many files of globs and folders are kept by name, in one fingerprint."""
MEMBER_LENGTH: Final = 12
READ_AGAIN: Final = 3


def inputs_of(
    state: StateConfig, project: Project, *, environ: Mapping[str, str] | None = None, hashes: Hashes | None = None
) -> str | None:
    """Give the fingerprint of a state's declared inputs and of its own command line; None when it declares nothing."""
    taken = take_inputs(state, project, environ=environ, hashes=hashes)
    return None if taken is None else taken.text


def outputs_of(state: StateConfig, project: Project, *, hashes: Hashes | None = None) -> str | None:
    """Give the fingerprint of a state's declared outputs; None when it declares none."""
    taken = take_outputs(state, project, hashes=hashes)
    return None if taken is None else taken.text


def missing_outputs(state: StateConfig, project: Project) -> tuple[str, ...]:
    """Name the declared outputs of which there is nothing: a state that lacks them has not completed."""
    return tuple(name for name in state.outputs if not _found(project.directory, name))


def take_inputs(
    state: StateConfig, project: Project, *, environ: Mapping[str, str] | None = None, hashes: Hashes | None = None
) -> Fingerprint | None:
    """Take the fingerprint of what a state is made from."""
    if not state.inputs and not state.run:
        return None
    return _take(state.inputs, state.run, project, os.environ if environ is None else environ, hashes)


def take_outputs(state: StateConfig, project: Project, *, hashes: Hashes | None = None) -> Fingerprint | None:
    """Take the fingerprint of what a state makes."""
    return _take(state.outputs, "", project, {}, hashes) if state.outputs else None


def _take(
    names: Iterable[str], run: str, project: Project, environ: Mapping[str, str], hashes: Hashes | None
) -> Fingerprint:
    known = Hashes(project.state_directory) if hashes is None else hashes
    names = sorted(set(names))
    secret = Key(project.state_directory) if run or any(name.startswith("env:") for name in names) else None
    parts: dict[str, str] = {}
    files: dict[str, Mapping[str, str]] = {}
    room = MOST_FILES
    for name in names:
        if name.startswith("env:") and secret is not None:
            value = environ.get(name.removeprefix("env:"))
            parts[name] = UNSET if value is None else secret.hash(value)
            continue
        parts[name], members = _content(project.directory, name, known)
        if members and len(members) <= room:
            files[name] = {member: digest[:MEMBER_LENGTH] for member, digest in members.items()}
            room -= len(members)
    known.save()
    return Fingerprint(
        parts=parts, files=files, run=secret.hash(run) if run and secret is not None else "",
        key="" if secret is None else secret.id,
    )  # fmt: skip


def _content(directory: str, name: str, known: Hashes) -> tuple[str, Mapping[str, str]]:
    """Hash what a name stands for; for a glob or a folder also its files, each with its hash."""
    path = os.path.join(directory, name)
    if os.path.lexists(path) and not os.path.isdir(path):
        return _file(path, known), {}
    members = {os.path.relpath(each, directory): _file(each, known) for each in _found(directory, name)}
    if not members:
        return MISSING, members
    for word in (UNREADABLE, CHANGING):
        if word in members.values():
            return word, members
    from hashlib import sha256

    together = sha256()
    for member, digest in sorted(members.items()):
        together.update(os.fsencode(member) + b"\0" + digest.encode() + b"\n")
    return together.hexdigest(), members


def _found(directory: str, name: str) -> list[str]:
    """Give the files that a name stands for, as sorted paths: itself, all below a folder, all that match a glob."""
    path = os.path.join(directory, name)
    if os.path.isdir(path):
        return sorted(_below(path)) or [path]
    if os.path.lexists(path):
        return [path] if os.path.exists(path) else []
    if not MAGIC & set(name):
        return []
    matches = set(_matches("/" if name.startswith("/") else directory, name.strip("/").split("/")))
    found = {file for match in matches for file in (_below(match) if os.path.isdir(match) else (match,))}
    return sorted(found)


def _matches(directory: str, pattern: list[str]) -> Iterator[str]:
    """Give what matches a pattern, a list of path components of which `**` is any number; links are not followed."""
    import fnmatch

    first, rest = pattern[0], pattern[1:]
    if first == "**":
        yield from _matches(directory, rest) if rest else _below(directory)
        for entry in _entries(directory):
            if entry.is_dir(follow_symlinks=False):
                yield from _matches(entry.path, pattern) if rest else ()
    elif MAGIC & set(first):
        for entry in _entries(directory):
            if fnmatch.fnmatchcase(entry.name, first) and (not rest or entry.is_dir()):
                yield from _matches(entry.path, rest) if rest else (entry.path,)
    else:
        path = os.path.join(directory, first)
        if os.path.lexists(path):
            yield from _matches(path, rest) if rest else (path,)


def _below(directory: str) -> Iterator[str]:
    """Give all files below a folder; a link to a folder is one of them, so that no loop can catch us."""
    for entry in _entries(directory):
        if entry.is_dir(follow_symlinks=False):
            yield from _below(entry.path)
        else:
            yield entry.path


def _entries(directory: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return [entry for entry in entries if entry.name not in OURS]
    except OSError:
        return []


def _file(path: str, known: Hashes) -> str:
    """Hash one file; a word where there is nothing to hash."""
    try:
        about = os.stat(path)
        if stat.S_ISDIR(about.st_mode):
            return _text(f"link {os.readlink(path)}" if os.path.islink(path) else "empty folder")
        if not stat.S_ISREG(about.st_mode):
            return _text(f"special {stat.S_IFMT(about.st_mode)} {about.st_rdev}")
        for _ in range(READ_AGAIN):
            digest = known.of(path)
            if digest:
                return digest
    except FileNotFoundError:
        return MISSING
    except OSError:
        return UNREADABLE
    return CHANGING


def _text(text: str) -> str:
    from hashlib import sha256

    return sha256(os.fsencode(text)).hexdigest()
