"""The PostgreSQL store's connection: bounded in patience, made again when it breaks, its schema kept up to date."""

from __future__ import annotations

from time import monotonic, sleep, time
from typing import TYPE_CHECKING, Any, LiteralString, TypeVar

import psycopg
from psycopg import conninfo, errors
from psycopg.pq import TransactionStatus

from toolkit.errors import StoreTooNew, StoreUnavailable
from toolkit.store.migrate import migrations
from toolkit.store.rows import no_history

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    Values = tuple[Any, ...] | Mapping[str, Any]

OURS = 0x6273746B
"""The advisory lock under which the schema is made."""

HAS_SCHEMA = "select to_regclass('toolkit.migration') is not null"
VERSION = "select coalesce(max(number), 0) from toolkit.migration"
NOTE = "insert into toolkit.migration (number, name, applied_ms) values (%s, %s, %s)"
LOCK = "select pg_advisory_xact_lock(%s)"
DURABLE = """
    select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') in ('off', 'local')
"""

PATIENCE = {
    "connect_timeout": 5, "tcp_user_timeout": 2000, "keepalives_idle": 2, "keepalives_interval": 1,
    "keepalives_count": 2, "application_name": "toolkit",
}  # fmt: skip
"""What the URL need not say: a network that breaks costs seconds, where it costs many minutes by default."""

T = TypeVar("T")


class Link:
    """A connection that comes back after the server was restarted or the network broke."""

    def __init__(self, url: str, *, create: bool, read_only: bool, wait_seconds: float) -> None:
        """Connect to `url` and see to the schema; StoreUnavailable, StoreTooNew."""
        self.url = url
        self.read_only = read_only
        self.wait_seconds = wait_seconds
        self._streams = 0
        try:
            given = conninfo.conninfo_to_dict(url)
        except psycopg.ProgrammingError as error:
            raise StoreUnavailable(
                f"not a PostgreSQL URL: {error}", hint="Write postgresql://USER@HOST/DATABASE."
            ) from None
        self.where = f"{given.get('host') or 'localhost'}/{given.get('dbname') or given.get('user') or ''}"
        try:
            self.connection = self._connect()
        except psycopg.Error as error:
            raise self.explained(error) from error
        try:
            self._bring_up_to_date(create=create)
        except BaseException as error:
            self.connection.close()
            if isinstance(error, psycopg.Error):
                raise self.explained(error) from error
            raise

    def lasting(self, work: Callable[[], T], settled: Callable[[], T | None] | None = None) -> T:
        """Do `work`, again on a new connection when this one breaks, for as long as our patience lasts.

        `work` may have been done although its answer was lost: before it is repeated, `settled` looks, and gives its
        result if so. Without `settled` the work is one that may be done twice. Inside a transaction work is only done:
        whoever began that does all of it again.
        """
        if self.connection.info.transaction_status is TransactionStatus.INTRANS:
            return work()
        deadline = monotonic() + self.wait_seconds
        broken: psycopg.Error | None = None
        while True:
            try:
                if broken is not None:
                    self._connect_again()
                    done = settled() if settled is not None else None
                    if done is not None:
                        return done
                return work()
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                if not self.connection.closed or monotonic() >= deadline:
                    raise self.explained(error) from error
                broken = error
                sleep(0.1)
            except psycopg.Error as error:
                raise self.explained(error) from error

    def ask(self, sql: str, values: Values = ()) -> list[Any]:
        """Give all rows of a query; psycopg's errors."""
        return self.connection.execute(_literal(sql), values).fetchall()

    def ask_nothing(self, sql: str, values: Values = ()) -> int:
        """Run statements that give no rows; tells how many rows they touched."""
        return self.connection.execute(_literal(sql), values or None).rowcount

    def stream(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """Give the rows of a query without holding them all, inside a transaction."""
        self._streams += 1
        with self.connection.cursor(name=f"stream_{self._streams}") as cursor:
            yield from cursor.execute(_literal(sql))

    def send(self, sql: str, lines: Iterable[tuple[Any, ...]]) -> None:
        """Copy rows into a table."""
        with self.connection.cursor() as cursor, cursor.copy(_literal(sql)) as copy:
            for line in lines:
                copy.write_row(line)

    def explained(self, error: psycopg.Error) -> StoreUnavailable:
        """Say in our words what PostgreSQL, or the lack of it, says; never with a password."""
        told = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, errors.LockNotAvailable):
            return StoreUnavailable(
                f"{self.where}: another process has kept the store from writing for {self.wait_seconds:g} s",
                hint="Look for a stopped toolkit process, or a very large import, and let it end.",
            )
        if isinstance(error, errors.InsufficientPrivilege):
            return StoreUnavailable(
                f"{self.where}: {told}", hint="Grant this user the right to create and write there."
            )
        return StoreUnavailable(
            f"cannot use the store at {self.where}: {told}", hint="Check the server, the URL and the user's rights."
        )

    def close(self) -> None:
        """Hang up."""
        self.connection.close()

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        patience = max(1, round(self.wait_seconds * 1000))
        settings = (
            "-c search_path=toolkit -c client_encoding=utf8 -c idle_in_transaction_session_timeout=10000"
            f" -c lock_timeout={patience} -c default_transaction_read_only={'on' if self.read_only else 'off'}"
        )
        given: dict[str, Any] = {**PATIENCE, **conninfo.conninfo_to_dict(self.url)}
        given["options"] = f"{given.get('options') or ''} {settings}".strip()
        connection = psycopg.connect(conninfo.make_conninfo(**given), autocommit=True)
        connection.execute(DURABLE)
        return connection

    def _connect_again(self) -> None:
        if self.connection.closed:
            self.connection = self._connect()

    def _bring_up_to_date(self, *, create: bool) -> None:
        latest = migrations("postgres")
        exists = bool(self.ask(HAS_SCHEMA)[0][0])
        version = int(self.ask(VERSION)[0][0]) if exists else 0
        if version > len(latest):
            raise StoreTooNew(
                f"{self.where} was written by a newer toolkit: its schema is {version}, this one knows {len(latest)}",
                hint="Upgrade the toolkit, or name another store with --store. The store was left untouched.",
            )
        if version == len(latest):
            return
        if not exists and (self.read_only or not create):
            raise no_history(self.where)
        if self.read_only:
            raise StoreUnavailable(
                f"{self.where} was written by an older toolkit",
                hint="Any command that writes, such as `toolkit run`, adapts it.",
            )
        with self.connection.transaction():
            self.connection.execute(LOCK, (OURS,))
            self.connection.execute("create schema if not exists toolkit")
            version = int(self.ask(VERSION)[0][0]) if self.ask(HAS_SCHEMA)[0][0] else 0
            for step in latest[version:]:
                self.connection.execute(_literal(step.sql))
                self.connection.execute(NOTE, (step.number, step.name, int(time() * 1000)))


def _literal(sql: str) -> LiteralString:
    """Vouch for a statement: all of ours are constants at the top of a module, or our own files."""
    return sql
