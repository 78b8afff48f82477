"""The history of builds: `open_store(url)`, and the protocol that every store keeps."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from toolkit.errors import StoreUnavailable, UsageError
from toolkit.store.protocol import BuildRow, ImportCount, Lease, Store, Writer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolkit.core.events import Event

__all__ = ["BuildRow", "ImportCount", "Lease", "Store", "Writer", "open_store", "salvage", "sqlite_path"]


def open_store(url: str, *, create: bool = True, read_only: bool = False, wait_seconds: float = 5.0) -> Store:
    """Open the store that `url` names, `sqlite:///PATH` or `postgresql://…`; a missing one is made if `create`.

    A write waits at most `wait_seconds` for other writers. StoreUnavailable, StoreTooNew, StoreDamaged; UsageError for
    a URL that names no store.
    """
    if url.startswith("sqlite:"):
        from toolkit.store.sqlite import SqliteStore

        return SqliteStore(sqlite_path(url), create=create, read_only=read_only, wait_seconds=wait_seconds)
    if url.startswith(("postgresql:", "postgres:")):
        try:
            from toolkit.store.postgres import PostgresStore
        except ImportError as error:
            raise StoreUnavailable(
                f"PostgreSQL cannot be reached from here: {error}",
                hint="Install the toolkit with its extra: build-state-toolkit[postgres].",
            ) from error

        return PostgresStore(url, create=create, read_only=read_only, wait_seconds=wait_seconds)
    raise UsageError(f"'{url}' names no store", hint="Write sqlite:///PATH or postgresql://USER@HOST/DATABASE.")


def salvage(url: str) -> Iterator[tuple[int, Event]]:
    """Give `(id, event)` for what is still readable of a store that `open_store` refuses; the store is left untouched.

    StoreDamaged, while iterating, when nothing is.
    """
    if url.startswith("sqlite:"):
        from toolkit.store.sqlite_check import readable

        return readable(sqlite_path(url))
    return open_store(url, create=False, read_only=True).readable()


def sqlite_path(url: str) -> str:
    """Give the absolute path that a `sqlite:` URL means.

    `sqlite:////var/x.db` is absolute, `sqlite:///x.db` is in the current folder. People also write `sqlite:///var/x.db`
    and mean the former: it is taken so when `/var` is a folder and `./var` is not.
    """
    if not url.startswith("sqlite:///") or url.endswith("/"):
        raise UsageError(f"'{url}' names no file", hint="Write sqlite:///PATH.")
    path = url.removeprefix("sqlite:///")
    first, slash, _ = path.partition("/")
    if slash and first and os.path.isdir(f"/{first}") and not os.path.isdir(first):
        path = f"/{path}"
    return os.path.abspath(path)
