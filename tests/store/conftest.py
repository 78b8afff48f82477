"""The stores that must pass the contract: each opened anew for a test, on a real file or a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest

from tests.store.servers import Server, serving
from toolkit.store import Store, open_store

if TYPE_CHECKING:
    from pathlib import Path

Open = Callable[..., Store]


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Run a PostgreSQL server for the tests that want one."""
    with serving() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Name a store that does not exist yet."""
    if request.param == "postgres":
        running: Server = request.getfixturevalue("server")
        return running.database()
    return f"sqlite:///{tmp_path}/.toolkit/history.db"


@pytest.fixture
def opened(url: str) -> Iterator[Open]:
    """Open the store once more with each call; all are closed afterwards."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(closing(open_store(url, **options)))


@pytest.fixture
def store(opened: Open) -> Store:
    """Open a new store."""
    return opened()
