"""The facts and their stored form."""

from __future__ import annotations

import json

import pytest
from hypothesis import given

from tests.histories import BUILD, T0, facts
from toolkit.core import events as ev


@given(facts())
def test_every_fact_survives_the_round_trip(event: ev.Event) -> None:
    """A fact written as JSON and read again is the same fact, of the same class."""
    body = json.loads(json.dumps(ev.body_of(event)))

    assert ev.event_from(event.kind, event.build, event.ts_ms, body) == event


@given(facts())
def test_only_what_says_something_is_stored(event: ev.Event) -> None:
    """Defaults and the envelope are left out, so old facts stay true when a field with a default is added."""
    body = ev.body_of(event)

    assert not {"build", "ts_ms", "kind"} & body.keys()
    assert all(name in event.required or body[name] != event.defaults[name] for name in body)


@given(facts())
def test_fields_of_a_newer_toolkit_are_left_out(event: ev.Event) -> None:
    """What a newer version added to a fact does not keep this one from reading it."""
    body = {**ev.body_of(event), "of_the_future": [1, {"x": None}]}

    assert ev.event_from(event.kind, event.build, event.ts_ms, json.loads(json.dumps(body))) == event


def test_a_kind_of_a_newer_toolkit_is_nothing_to_us() -> None:
    """A fact that this version does not know reads as none, not as an error."""
    assert ev.event_from("build_dreamt", BUILD, T0, {"of": "sheep"}) is None


def test_a_fact_without_what_it_must_say_is_refused() -> None:
    """A damaged body is an error, never a fact with holes."""
    with pytest.raises(TypeError, match="missing"):
        ev.event_from("attempt_started", BUILD, T0, {"run": 1})


def test_the_set_of_facts_is_closed() -> None:
    """Every class of fact has its own kind, named as the class is, and is among the kinds."""

    def leaves(cls: type[ev.Event]) -> set[type[ev.Event]]:
        below = {leaf for each in cls.__subclasses__() if each.__module__ == ev.__name__ for leaf in leaves(each)}
        return below | ({cls} if cls.kind else set())

    assert set(ev.KINDS.values()) == leaves(ev.Event)
    assert all(
        kind == "".join(f"_{c.lower()}" if c.isupper() else c for c in cls.__name__)[1:]
        for kind, cls in ev.KINDS.items()
    )


def test_facts_are_never_edited() -> None:
    """A fact refuses every change; a copy with something changed is another fact."""
    fact = ev.RecordDegraded(build=BUILD, ts_ms=T0, reason="disk full")

    with pytest.raises(AttributeError, match="frozen"):
        fact.reason = "all is well"  # type: ignore[misc]
    assert fact.but(reason="no space").reason == "no space"
    assert fact.reason == "disk full"
