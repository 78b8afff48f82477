"""The PostgreSQL store when its server or the network fails it."""

from __future__ import annotations

import socket
import sys
import threading
import time
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.histories import T0, history, starts
from toolkit.core import events as ev
from toolkit.errors import StoreTooNew, StoreUnavailable
from toolkit.store import Store, Writer, open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.store.servers import Server

SOCKET = ".s.PGSQL.5432"


@pytest.fixture
def url(server: Server) -> str:
    """Name an empty database."""
    return server.database()


def begin(store: Store) -> Writer:
    return store.begin(lambda name: history(starts(5), build=name))


def note(writer: Writer, reason: str) -> None:
    writer.append(ev.RecordDegraded(build=writer.build, ts_ms=T0, reason=reason))


def reasons(store: Store, build: str) -> list[str]:
    return [event.reason for event in store.events(build) if isinstance(event, ev.RecordDegraded)]


def test_a_newer_store_is_refused_and_left_untouched(url: str) -> None:
    """A history of a newer toolkit is not guessed at."""
    with closing(open_store(url)) as store:
        begin(store)
    with psycopg.connect(url) as connection:
        connection.execute("insert into toolkit.migration values (99, 'of the future', 0)")
    with pytest.raises(StoreTooNew, match="its schema is 99, this one knows 1"):
        open_store(url)


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("insert into event values (99, 'b-0001', 4, 0, 'x', '{}', 0, gen_random_uuid())", "leased"),
        ("insert into event values (99, 'b-0001', 3, 0, 'x', '{}', 1, gen_random_uuid())", "duplicate key"),
        ("update event set kind = 'x'", "never edited or removed"),
        ("delete from event", "never edited or removed"),
        ("truncate event", "never edited or removed"),
    ],
)
def test_the_database_itself_keeps_facts(url: str, statement: str, told: str) -> None:
    """Whoever sends it: an old token, a number that is taken, an edit, a removal are all turned away."""
    with closing(open_store(url)) as store:
        begin(store)
    with psycopg.connect(url, options="-c search_path=toolkit") as connection, pytest.raises(psycopg.Error, match=told):
        connection.execute(statement)  # type: ignore[call-overload, unused-ignore]


def test_the_check_finds_what_does_not_fit(url: str) -> None:
    """Gaps and lines that disagree with their facts are named."""
    with closing(open_store(url)) as store, psycopg.connect(url, autocommit=True) as connection:
        begin(store)
        connection.execute("alter table toolkit.event disable trigger user")
        connection.execute("delete from toolkit.event where seq = 2")

        assert store.check() == [
            "build b-0001 has 2 events numbered up to 3",
            "build b-0001 does not stand as its events say: runs",
        ]


def test_a_server_that_is_not_there_is_explained_without_the_password(tmp_path: Path) -> None:
    """The message names the place and what is wrong with it; a password in the URL stays out of it."""
    with pytest.raises(StoreUnavailable, match="cannot use the store at") as caught:
        open_store(f"postgresql://ann:hunter2@/history?host={tmp_path}")
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"
    with pytest.raises(StoreUnavailable, match="not a PostgreSQL URL"):
        open_store("postgresql://host/history?no-such-option=1")


def test_a_writer_outlives_its_server(server: Server, url: str) -> None:
    """The server crashes and comes back: the same writer goes on, and what was acknowledged is there."""
    with closing(open_store(url)) as store:
        writer = begin(store)
        note(writer, "before")
        server.stop("immediate")
        server.start()
        note(writer, "after")
        reader = open_store(url, read_only=True)
        server.stop("immediate")
        server.start()

        with closing(reader):
            assert reasons(reader, writer.build) == ["before", "after"]
        assert store.check() == []


def test_a_server_that_stays_away_costs_patience_only(server: Server, url: str) -> None:
    """A write fails after its time; nothing is half recorded, and the writer goes on when the server is back."""
    with closing(open_store(url, wait_seconds=0.5)) as store:
        writer = begin(store)
        server.stop("fast")
        try:
            began = time.monotonic()
            with pytest.raises(StoreUnavailable, match="cannot use the store at"):
                note(writer, "lost")
            assert time.monotonic() - began < 30
        finally:
            server.start()
        note(writer, "kept")
        assert reasons(store, writer.build) == ["kept"]


class Proxy:
    """Stands between a client and the server, and can swallow an answer."""

    def __init__(self, server: Path, own: Path) -> None:
        """Listen on the socket `own` for connections to `server`."""
        self._server = server
        self._until_loss = 0
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listening = self._socket()
        self._listening.bind(str(own))
        self._listening.listen()
        self._start(self._accept)

    def lose_answer(self, number: int) -> None:
        """Let requests be carried out, and hang up instead of giving the answer `number` from now."""
        self._until_loss = number

    def close(self) -> None:
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in self._sockets:
            each.close()

    def _socket(self) -> socket.socket:
        self._sockets.append(socket.socket(socket.AF_UNIX))
        return self._sockets[-1]

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        self._threads.append(threading.Thread(target=work, args=arguments))
        self._threads[-1].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listening.accept()[0]
                self._sockets.append(client)
                server = self._socket()
                server.connect(str(self._server))
                self._start(self._carry, client, server, False)
                self._start(self._carry, server, client, True)

    def _carry(self, one: socket.socket, other: socket.socket, answers: bool) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                if answers and self._until_loss:
                    self._until_loss -= 1
                    if not self._until_loss:
                        break
                other.sendall(data)
        for each in (one, other):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def proxy(server: Server, url: str) -> Iterator[tuple[Proxy, str]]:
    """Give a proxy to the server, and the URL of the database through it."""
    folder = server.folder.parent / "proxy"
    folder.mkdir(exist_ok=True)
    (folder / SOCKET).unlink(missing_ok=True)
    standing = Proxy(server.folder / SOCKET, folder / SOCKET)
    with closing(open_store(url)), closing(standing):
        yield standing, url.replace(str(server.folder), str(folder))


def test_a_commit_whose_answer_was_lost_happens_once(proxy: tuple[Proxy, str]) -> None:
    """The connection breaks after the commit and before its answer: the fact is there, once, and nobody is bothered."""
    between, url = proxy
    with closing(open_store(url)) as store:
        writer = begin(store)
        for number in range(8):
            if number % 2:
                between.lose_answer(1)
            note(writer, f"{number}")

        assert reasons(store, writer.build) == [f"{number}" for number in range(8)]
        assert len(writer.progress.attempts) == 1
        assert store.check() == []


def test_a_beginning_whose_answer_was_lost_happens_once(proxy: tuple[Proxy, str]) -> None:
    """Wherever in its beginning the connection breaks, one build is begun, under one id."""
    between, url = proxy
    with closing(open_store(url)) as store:
        for number in range(1, 8):  # begin, turn, id, lease, build, facts, commit
            between.lose_answer(number)
            assert begin(store).build == f"b-{number:04d}"

        assert len(store.builds()) == 7
        assert store.check() == []


def test_a_fact_about_the_project_whose_answer_was_lost_happens_once(proxy: tuple[Proxy, str]) -> None:
    """A change of phase is not recorded twice."""
    between, url = proxy
    change = ev.PhaseChanged(build=ev.PROJECT, ts_ms=T0, phase="full-resume", by="ann")
    with closing(open_store(url)) as store:
        between.lose_answer(1)
        store.append_project(change)

        assert store.project_events() == [change]


@contextmanager
def in_the_way(url: str) -> Iterator[None]:
    """Hold the lock that every writer needs."""
    with psycopg.connect(url) as connection:
        connection.execute("select 1 from toolkit.counter for update")
        yield


def test_a_hanging_writer_costs_patience_only(url: str) -> None:
    """When another client holds the lock, a write fails after its time and says why."""
    with closing(open_store(url, wait_seconds=0.3)) as store:
        writer = begin(store)
        with in_the_way(url), pytest.raises(StoreUnavailable, match=r"kept the store from writing for 0\.3 s"):
            note(writer, "late")
        note(writer, "in time")
        assert reasons(store, writer.build) == ["in time"]


def test_without_its_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver is an extra of the toolkit; the error says which."""
    monkeypatch.delitem(sys.modules, "toolkit.store.postgres", raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", None)  # what Python itself puts there for a module that must not load

    with pytest.raises(StoreUnavailable) as caught:
        open_store("postgresql://host/history")
    assert "build-state-toolkit[postgres]" in caught.value.hint
