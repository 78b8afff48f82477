"""Writes that a crash lost or tore: the history ends earlier, at a whole transaction, and goes on from there."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.histories import history, starts
from tests.store.beginning import begin
from tests.store.files import url
from toolkit.core import events as ev
from toolkit.store import open_store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("step", [1, 13, 4096 + 24])
def test_a_torn_log_gives_up_its_last_facts_and_nothing_else(tmp_path: Path, step: int) -> None:
    """Cut anywhere, as a crash cuts what was not on disk yet, the log holds whole transactions: a beginning of them."""
    path = tmp_path / "history.db"
    with closing(open_store(url(path))) as store:
        writer = begin(store, history(starts(5)))
        for number in range(8):
            facts = [ev.RecordDegraded(build=writer.build, ts_ms=number, reason=half) for half in ("one", "two")]
            writer.append(*facts)
        whole = store.events(writer.build)
        kept = [(name, (tmp_path / name).read_bytes()) for name in ("history.db", "history.db-wal")]
    size = len(kept[1][1])
    counts = set()
    for number, length in enumerate({max(0, size - lost) for lost in range(0, size, max(step, size // 40))}):
        torn = tmp_path / str(number) / "history.db"
        torn.parent.mkdir()
        torn.write_bytes(kept[0][1])
        torn.chmod(0o600)
        torn.with_name("history.db-wal").write_bytes(kept[1][1][:length])
        with closing(open_store(url(torn))) as store:
            events = store.events(writer.build)
            assert events == whole[: len(events)]
            assert (len(events) - 3) % 2 == 0 or not events
            assert store.check() == []
            if events:
                store.writer(writer.build).append(ev.BuildAbandoned(build=writer.build, ts_ms=9))
        counts.add(len(events))
    assert len(counts) > 3


def test_a_damaged_last_record_is_dropped_with_its_transaction(tmp_path: Path) -> None:
    """A flipped byte in what was written last: the log's checksums tell, and the history ends one fact earlier."""
    path = tmp_path / "history.db"
    with closing(open_store(url(path))) as store:
        writer = begin(store, history(starts(5)))
        before = store.events(writer.build)
        first = (tmp_path / "history.db-wal").stat().st_size
        writer.append(ev.RecordDegraded(build=writer.build, ts_ms=1, reason="last"))
        log, file = (tmp_path / "history.db-wal").read_bytes(), path.read_bytes()
    for place in range(first, len(log), max(1, (len(log) - first) // 20)):
        torn = tmp_path / str(place) / "history.db"
        torn.parent.mkdir()
        torn.write_bytes(file)
        torn.chmod(0o600)
        torn.with_name("history.db-wal").write_bytes(log[:place] + bytes([log[place] ^ 0x55]) + log[place + 1 :])
        with closing(open_store(url(torn))) as store:
            assert store.events(writer.build) == before
            assert store.check() == []
