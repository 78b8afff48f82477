"""The stores that must pass the contract: each opened anew for a test, on a real file or a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest

from tests.histories import completes, fails, history
from tests.store.files import BUILDS
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


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give a history of some builds, closed."""
    path = tmp_path / "state" / "history.db"
    with closing(open_store(f"sqlite:///{path}")) as store:
        store.import_builds(
            (name, history(fails(5, error="x" * 300), completes(5), completes(10), build=name))
            for name in (f"b-{number:04d}" for number in range(1, BUILDS + 1))
        )
    return path
