"""The contract that every store keeps about imports."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.histories import BUILD, T0, completes, ends, fails, histories, history, restarts, starts
from tests.store.beginning import begin, of, on_one_store
from toolkit.core import events as ev
from toolkit.core.interchange import interchange
from toolkit.core.moments import rfc3339
from toolkit.errors import BadInput, BuildLeased, Refused
from toolkit.importers.events import read_events
from toolkit.store import ImportCount, Store

Open = Callable[..., Store]
SUPERVISED = "builder1/boot/1/2"


@on_one_store
@given(told=st.lists(histories(), min_size=1, max_size=4))
def test_importing_twice_changes_nothing(store: Store, told: list[list[ev.Event]]) -> None:
    """An import adds what is not there; the same import again adds nothing, and says what it knew."""
    builds = len(store.builds())
    batch = {f"import-{builds}-{number}": events for number, events in enumerate(told)}
    batch = {name: [_unsupervised(event) for event in of(name, events)] for name, events in batch.items()}
    first = store.import_builds(batch.items())
    kept = {name: store.events(name) for name in batch}
    second = store.import_builds(batch.items())

    assert first.builds == len(batch)
    assert first.events + first.already == second.already == sum(len(events) for events in batch.values())
    assert (second.builds, second.events) == (0, 0)
    assert {name: store.events(name) for name in batch} == kept
    assert all(kept[name] == [e for n, e in enumerate(events) if e not in events[:n]] for name, events in batch.items())
    assert all(store.latest(events[0].pipeline, events[0].target) for events in kept.values())  # type: ignore[attr-defined]


@on_one_store
@given(events=histories())
def test_an_own_export_is_no_news(store: Store, events: list[ev.Event]) -> None:
    """What a store gave out changes nothing when it comes back, though an export leaves out what only we need."""
    writer = begin(store, [_unsupervised(event) for event in events])
    kept = store.events(writer.build)
    lines = "".join(json.dumps(line) + "\n" for line in interchange(kept))
    count = store.import_builds(read_events(io.BytesIO(lines.encode()), "export"))

    assert (count.builds, count.events) == (0, 0)
    assert store.events(writer.build) == kept


def test_an_older_export_is_no_news(store: Store) -> None:
    """An export from before a failure was understood and the build went on tells nothing new, nor forgets labels."""
    told = history(fails(5), restarts(), completes(5), completes(10))
    writer = begin(store, [told[0].but(labels={"kind": "release"}), *told[1:]])
    kept = store.events(writer.build)
    lines = [json.dumps({"build": writer.build, "state": 5, "status": status, "ts": rfc3339(moment)})
             for status, moment in (("started", kept[2].ts_ms), ("failed", kept[3].ts_ms))]  # fmt: skip
    count = store.import_builds(read_events(io.BytesIO("\n".join(lines).encode()), "export"))

    assert (count.builds, count.events) == (0, 0)
    assert store.progress(writer.build).labels == {"kind": "release"}


def test_what_is_new_in_an_export_is_taken(store: Store) -> None:
    """Of a build that went on elsewhere only the lines that are new are added, under the run that they belong to."""
    told = history(fails(5), restarts(), completes(5), completes(10))
    lines = [json.dumps(line) for line in interchange(told)]
    writer = begin(store, told[:4])
    count = store.import_builds(read_events(io.BytesIO("\n".join(lines).encode()), "export"))

    assert count.builds == 0
    assert list(interchange(store.events(writer.build))) == list(interchange(told))


def _unsupervised(event: ev.Event) -> ev.Event:
    return event.but(holder=None) if isinstance(event, ev.RunStarted) else event


def test_an_import_goes_on_where_the_last_one_stopped(store: Store) -> None:
    """A longer export of the same build adds its new facts; the build stands as all of them say."""
    longer = history(fails(5), completes(5), completes(10))
    store.import_builds([(BUILD, longer[:4])])
    count = store.import_builds([(BUILD, longer), ("b-0002", history(build="b-0002"))])

    assert count == ImportCount(builds=1, events=len(longer) - 4 + 2, already=4)
    assert store.events(BUILD) == longer
    assert store.builds()[0].current == 10


def test_a_fact_said_twice_happened_once(store: Store) -> None:
    """The same line twice in an import, or the same build in two parts of it, is no second fact."""
    told = history(completes(5))

    assert store.import_builds([(BUILD, [*told, told[-1]]), (BUILD, told)]) == ImportCount(
        builds=1, events=4, already=5
    )
    assert store.events(BUILD) == told


def test_an_import_is_all_or_nothing(store: Store) -> None:
    """When its source fails half-way, nothing of it is there."""

    def broken() -> Iterator[tuple[str, list[ev.Event]]]:
        yield "b-0001", history()
        raise BadInput("line 7 is not JSON")

    with pytest.raises(BadInput, match="line 7"):
        store.import_builds(broken())
    assert store.builds() == []
    assert list(store.scan()) == []
    assert store.import_builds([(BUILD, history())]).builds == 1


def test_an_import_does_not_write_into_a_build_at_work(opened: Open) -> None:
    """A build that is being run belongs to its supervisor; the import is refused whole, and the build goes on."""
    store = opened()
    writer = begin(store, history(starts(5), holder=SUPERVISED))

    with pytest.raises(Refused, match=f"build {writer.build} is being run"):
        opened().import_builds(
            [("other", history(build="other")), (writer.build, of(writer.build, history(completes(20))))]
        )
    assert [row.build for row in store.builds()] == [writer.build]
    writer.append(ev.RunEnded(build=writer.build, ts_ms=T0, run=1, outcome="completed"))
    assert opened().import_builds([(writer.build, store.events(writer.build))]).events == 0
    writer.append(ev.RunStarted(build=writer.build, ts_ms=T0, run=2))


def test_an_import_takes_over_from_an_old_writer(opened: Open) -> None:
    """After an import has added to a build, a writer from before is shut out rather than mixed in."""
    writer = begin(opened(), history(fails(5), ends("failed")))
    opened().import_builds([(writer.build, of(writer.build, history(restarts(), completes(5))[2:]))])

    with pytest.raises(BuildLeased):
        writer.append(ev.BuildAbandoned(build=writer.build, ts_ms=T0))
