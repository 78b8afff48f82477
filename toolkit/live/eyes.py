"""Keeps looking at a history that may not be there yet, be away for a while, or be one that we may only read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.errors import NotFound, StoreUnavailable
from toolkit.live.looking import Looking
from toolkit.live.view import View
from toolkit.store import open_store, sqlite_path
from toolkit.supervise.ledger import now_ms

if TYPE_CHECKING:
    from toolkit.store import Store


class Eyes:
    """What is going on in one project; belongs to one thread."""

    def __init__(self, url: str, directory: str) -> None:
        """Look at the history at `url`; logs lie in the project's `directory`."""
        self._url = url
        self._directory = directory
        self._store: Store | None = None
        self._looking: Looking | None = None
        self._last = View(at_ms=now_ms())

    def look(self, build: str | None = None, *, recent: int = 0) -> View:
        """Give what is going on, or how one build stands; NotFound for one there is not, StoreUnavailable."""
        looking = self._open()
        if build is None:
            self._last = View(at_ms=now_ms()) if looking is None else looking.now(recent=recent)
        else:
            self._last = View(at_ms=now_ms()) if looking is None else looking.at(build)
            if not self._last.builds:
                raise NotFound(f"there is no build {build}")
        return self._last

    def try_look(self, build: str | None = None, *, recent: int = 0) -> View:
        """Do the same; when the history cannot be read, give what was known with the reason."""
        try:
            return self.look(build, recent=recent)
        except StoreUnavailable as error:
            self.close()
            return self._last.but(trouble=f"the history cannot be read: {error}")

    def store(self) -> Store | None:
        """Give the open store; None when there is no history yet."""
        self._open()
        return self._store

    def close(self) -> None:
        """Let go of the store; the next look opens it again."""
        if self._store is not None:
            self._store.close()
        self._store = self._looking = None

    def _open(self) -> Looking | None:
        if self._looking is not None:
            return self._looking
        if self._url.startswith("sqlite:") and not Path(sqlite_path(self._url)).exists():
            return None
        try:
            self._store = open_store(self._url, create=False)
        except StoreUnavailable:
            self._store = open_store(self._url, create=False, read_only=True)
        self._looking = Looking(self._store, self._directory)
        return self._looking
