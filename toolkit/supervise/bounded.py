"""Acts that may hang, because a disk or a server hangs: waited for as long as a build can be asked to wait."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

from toolkit.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

BEFORE_SECONDS = 15.0
"""How long a build waits for its history before it begins."""
AFTER_SECONDS = 10.0
"""How long a tracked build that has ended waits until that is written down."""
LONG_AFTER_SECONDS = 600.0
"""The same where large outputs may have to be read for it."""


def within(seconds: float | None, act: Callable[[], T]) -> T:
    """Give what `act` gives, or raise what it raises; StoreUnavailable when it takes longer, and it is left behind.

    None waits for ever.
    """
    given: list[T] = []
    raised: list[BaseException] = []

    def work() -> None:
        try:
            given.append(act())
        except BaseException as error:  # noqa: BLE001 - raised again by who waits
            raised.append(error)

    thread = threading.Thread(target=work, name="bounded", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise StoreUnavailable("the store does not answer")
    if raised:
        raise raised[0]
    return given[0]
