"""Notices that toolkit.toml was changed while a build runs, by somebody or by a guard."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from toolkit.errors import ToolkitError

if TYPE_CHECKING:
    from toolkit.project import Project

Mark = tuple[int, int, int]


class Rereader:
    """Looks at the file's inode, size and time, which costs nothing, before every state."""

    def __init__(self, project: Project) -> None:
        """Begin with a project that has just been read."""
        self._directory = project.directory
        self._mark = self._look()

    def changed(self) -> Project | None:
        """Give the project as it is written now; None when nothing changed, or what stands there cannot be used."""
        mark = self._look()
        if mark == self._mark:
            return None
        self._mark = mark
        from toolkit.project import load_project

        try:
            return load_project(self._directory)
        except ToolkitError:
            return None

    def _look(self) -> Mark | None:
        from toolkit.project import FILE

        try:
            found = os.stat(os.path.join(self._directory, FILE))
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns
