"""How the tests of the contract begin builds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.core import events as ev
    from toolkit.store import Store, Writer

# The store stays the same through all examples of a test: each example has builds of its own in it.
on_one_store = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def begin(store: Store, events: Sequence[ev.Event], build: str | None = None) -> Writer:
    """Begin a build with these facts, under the id that the store gives."""
    return store.begin(lambda name: [event.but(build=name) for event in events], build)


def of(build: str, events: Sequence[ev.Event]) -> list[ev.Event]:
    return [event.but(build=build) for event in events]
