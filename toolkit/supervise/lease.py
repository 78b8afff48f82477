"""A lease on a build: renewed while its supervisor lives, given up before it runs out, judged by whoever finds it.

The fencing token, checked by the database with every insert, is the guarantee. The lease is for what no database sees:
what a build does outside. Its holder measures on a clock that cannot be set and counts the time in which the machine
slept. Who finds it has a clock that may be wrong, so that clock is only a hint: before anything is taken from a holder
that cannot be looked at, it is watched for longer than it takes to renew.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

from toolkit.errors import BuildLeased, ToolkitError
from toolkit.supervise.clock import boot_seconds, monotonic
from toolkit.supervise.control import GRACE_SECONDS
from toolkit.supervise.holder import fate

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolkit.core.progress import Progress
    from toolkit.store import Store

LEASE_SECONDS = 30.0
VARIABLE = "TOOLKIT_LEASE"
"""Environment: another length of the lease, as a duration such as `90s`."""
RENEWALS = 4
"""So many fit into a lease."""
WATCHED = 2 / 3
"""The part of a lease for which a holder is watched: much longer than the time between two renewals."""
KEPT = 2 / 3
"""When so much of a lease is over, what cannot be renewed is given up: the rest is for ending what the build runs."""
LONG_AGO = 2
"""So many times its own length ago a lease ran out that is not worth a look any more."""
LOOK_SECONDS = 0.2


def lease_seconds() -> float:
    """Give the length of the leases that this process takes; ConfigurationError."""
    told = os.environ.get(VARIABLE)
    if not told:
        return LEASE_SECONDS
    from toolkit.core.moments import parse_duration
    from toolkit.errors import ConfigurationError

    try:
        seconds = parse_duration(told)
    except ValueError as error:
        raise ConfigurationError(f"{VARIABLE}: {error}", hint="Write a duration such as 90s.") from None
    if seconds < 1:
        raise ConfigurationError(f"{VARIABLE}: a lease of {told} is too short", hint="Write 1s or more.")
    return seconds


def grace_of(lease: float | None) -> float:
    """Give the seconds that a build which is lost has to end by itself: half of what is left of its lease then."""
    return GRACE_SECONDS if lease is None else min(GRACE_SECONDS, lease * (1 - KEPT) / 2)


def holder_is_gone(
    store: Store, progress: Progress, *, patient: bool, say: Callable[[str], None] | None = None
) -> bool:
    """Tell whether the supervisor of an open run is dead, or has let its lease run out.

    With patience, a lease that seems to have run out is watched first; `say` is told so.

    | the holder              | the lease                          | patient        | not patient |
    | ----------------------- | ---------------------------------- | -------------- | ----------- |
    | known here to be dead   |                                    | gone           | gone        |
    | known here to live      |                                    | not gone       | not gone    |
    | cannot be looked at     | none was taken                     | not gone       | not gone    |
    |                         | fresh                              | not gone       | not gone    |
    |                         | from the future: a clock was set   | gone if silent | not gone    |
    |                         | run out                            | gone if silent | not gone    |
    |                         | run out long ago, by a server that | gone if silent | gone        |
    |                         | keeps the time for all             |                |             |
    """
    known = fate(progress.holder or "")
    if known != "unknown" or progress.lease is None:
        return known == "dead"
    age = _age(store, progress.build)
    if age is not None and 0 <= age < progress.lease:
        return False
    if not patient:
        return age is not None and age > LONG_AGO * progress.lease and not store.url.startswith("sqlite:")
    if say is not None:
        say(f"waiting {progress.lease * WATCHED:.0f} s to see whether build {progress.build} is still being run")
    return is_silent(store, progress.build, progress.lease * WATCHED)


def is_silent(store: Store, build: str, seconds: float) -> bool:
    """Watch a build's lease; tell whether nobody renewed it or took it over, and nothing was recorded, for so long."""
    before, end = _signs(store, build), monotonic() + seconds
    while monotonic() < end:
        time.sleep(min(LOOK_SECONDS, max(0.0, end - monotonic())))
        if _signs(store, build) != before:
            return False
    return True


def seconds_left(store: Store, progress: Progress) -> float:
    """Give how long a lease is good for, as far as the store's clock can tell."""
    return max(0.0, (progress.lease or 0.0) - (_age(store, progress.build) or 0.0))


class Keeper:
    """Renews a lease on a thread of its own, over a connection of its own: whoever records may be waiting."""

    def __init__(  # noqa: PLR0913 - what there is to know of a lease
        self,
        connect: Callable[[], Store],
        build: str,
        token: int,
        *,
        seconds: float,
        lost: Callable[[str], None],
        strict: bool,
    ) -> None:
        """Call `lost` with a reason when the lease was taken by another, or, if `strict`, cannot be renewed in time.

        Strict is right where another host might take the build over although we cannot reach the store.
        """
        self._connect = connect
        self._build = build
        self._token = token
        self._seconds = seconds
        self._lost = lost
        self._strict = strict
        self._stopped = threading.Event()
        self._renewed = boot_seconds()
        self._tell: Callable[[float], None] | None = None

    def tell(self, until: Callable[[float], None]) -> None:
        """Say, now and at each renewal, until when what the build runs may go on without us, in boot seconds."""
        if self._strict:
            self._tell = until
            until(self._given_up)

    @property
    def _given_up(self) -> float:
        """The moment at which a lease that was not renewed any more is given up, in boot seconds."""
        return self._renewed + self._seconds * KEPT

    def start(self) -> None:
        """Begin; the first renewal comes when a quarter of the lease is over, so a short build pays nothing."""
        threading.Thread(target=self._renew, name="lease", daemon=True).start()
        if self._strict:
            threading.Thread(target=self._guard, name="lease-guard", daemon=True).start()

    def stop(self) -> None:
        """Leave the lease to itself."""
        self._stopped.set()

    def _renew(self) -> None:
        store: Store | None = None
        pause = self._seconds / RENEWALS
        while not self._stopped.wait(pause):
            began, pause = boot_seconds(), self._seconds / RENEWALS
            try:
                store = store or self._connect()
                store.renew(self._build, self._token)
                self._renewed = began
                if self._tell is not None:
                    self._tell(self._given_up)
            except BuildLeased:
                self._lose("another toolkit process has taken it over")
            except (ToolkitError, OSError):  # the guard knows how long that may go on
                pause = min(1.0, pause)
                _close(store)
                store = None
        _close(store)

    def _guard(self) -> None:
        """Give up in time: what the build started has to be ended before somebody else may begin."""
        while not self._stopped.wait(max(0.01, self._given_up - boot_seconds())):
            if boot_seconds() >= self._given_up:
                self._lose("its lease cannot be renewed, and another host may take it over")

    def _lose(self, reason: str) -> None:
        if not self._stopped.is_set():
            self._stopped.set()
            self._lost(reason)


def _age(store: Store, build: str) -> float | None:
    """Give the seconds since a lease was renewed; negative when a clock was set back meanwhile, None: it never was."""
    lease = store.lease(build)
    return None if lease.renewed_ms is None else (lease.now_ms - lease.renewed_ms) / 1000


def _signs(store: Store, build: str) -> tuple[int, int | None, int]:
    lease, row = store.lease(build), store.row(build)
    return lease.token, lease.renewed_ms, 0 if row is None else row.updated_ms


def _close(store: Store | None) -> None:
    if store is not None:
        store.close()
