"""The tables of the history say what the fold of the facts says, however and in how many steps they came in."""

from __future__ import annotations

import io
import itertools
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from analysis import segments
from analysis.attempts import tidy, understood
from analysis.history import History
from analysis.tables import COSTED, TABLES
from tests.analysis.lives import START, Recorded, turns
from tests.searching import worth
from toolkit.core import events as ev
from toolkit.core.interchange import interchange
from toolkit.core.moments import parse_rfc3339, rfc3339
from toolkit.core.progress import fold
from toolkit.errors import BadInput, NotFound, UsageError
from toolkit.importers.events import read_events
from toolkit.store import open_store

if TYPE_CHECKING:
    from collections.abc import Sequence


def tables(history: History) -> dict[str, pl.DataFrame]:
    order = {
        "events": ["build", "seq"],
        "attempts": ["build", "started_ord", "ended_ord"],
        "runs": ["build", "run"],
        "builds": ["build"],
    }
    loose = {"id", "started_id", "ended_id", "started_ord", "ended_ord"}
    found = {name: getattr(history, name)().collect().sort(keys) for name, keys in order.items()}
    found |= {f"costed_{name}": history.frame(f"from costed_{name}").sort(order[name]) for name in COSTED}
    return {name: rows.drop([column for column in rows.columns if column in loose]) for name, rows in found.items()}


def told(facts: Sequence[ev.Event], **more: Any) -> dict[str, pl.DataFrame]:
    with tempfile.TemporaryDirectory() as cache, History.open(Recorded(facts), Path(cache), **more) as history:
        return tables(history)


def of_build(facts: Sequence[ev.Event], build: str) -> list[ev.Event]:
    return [fact for fact in facts if fact.build == build]


def millis(moment: Any) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)


@worth(25)
@given(turns())
def test_attempts_and_builds_are_what_the_fold_says(facts: list[ev.Event]) -> None:
    """DuckDB over a million builds and the core over one tell the same."""
    found = told(facts)

    for row in found["builds"].iter_rows(named=True):
        progress = fold(of_build(facts, row["build"]))
        assert (row["status"], row["current"], row["runs"], row["held"], row["abandoned"], row["degraded"]) == (
            progress.status, progress.current, progress.run, progress.held, progress.abandoned, progress.degraded,
        )  # fmt: skip
        assert (row["pipeline"], row["target"], row["arm"]) == (progress.pipeline, progress.target, progress.arm)
        assert (millis(row["started"]), millis(row["ended"])) == (progress.started_ms, progress.updated_ms)
        executed = found["attempts"].filter((pl.col("build") == row["build"]) & pl.col("attempt").is_not_null())
        assert [
            (one["run"], one["state"], one["attempt"], one["status"],
             millis(one["started"]), millis(one["ended"]), one["duration"],
             one["error"], one["exit_code"], one["class"], one["signature"], one["rule"], one["decision"] is None)
            for one in executed.iter_rows(named=True)
        ] == [
            (one.run, one.state, one.attempt, one.status, one.started_ms, one.ended_ms, one.duration,
             "reboot" if one.status == "interrupted" and one.duration is not None else one.error, one.exit_code,
             one.failure_class, one.signature, one.rule, one.decision is None)
            for one in progress.attempts
        ]  # fmt: skip


@worth(25)
@given(turns())
def test_events_are_the_interchange_events(facts: list[ev.Event]) -> None:
    """What `sql` shows line by line is what `export` writes line by line."""
    found = told(facts)["events"]

    for build in {fact.build for fact in facts}:
        lines = list(interchange(of_build(facts, build)))
        rows = found.filter(pl.col("build") == build).rows(named=True)
        shown = [{key: value for key, value in row.items() if value is not None and key != "group"} for row in rows]
        for row in shown:
            row["ts"] = rfc3339(round(row["ts"].timestamp() * 1000))
            row |= {key: json.loads(row[key]) for key in ("decision", "shadow") if key in row}
        assert shown == [{key: value for key, value in line.items() if key != "schema"} for line in lines]


@worth(15)
@given(turns(), st.lists(st.integers(0, 60), max_size=4))
def test_in_how_many_steps_it_came_in_changes_nothing(facts: list[ev.Event], cuts: list[int]) -> None:
    """An end, a diagnosis or a decision that comes later is put where it belongs."""
    recorded = Recorded([])
    found: dict[str, pl.DataFrame] = {}
    with tempfile.TemporaryDirectory() as cache:
        for cut in [*sorted(cuts), len(facts)]:
            recorded.facts = facts[:cut]
            with History.open(recorded, Path(cache), identity="one") as history:
                found = tables(history)

    whole = told(facts)
    for name, frame in found.items():
        assert_frame_equal(frame, whole[name])


@worth(15)
@given(turns())
def test_what_is_exported_is_the_same_history(facts: list[ev.Event]) -> None:
    """Events analysed from a file, imported into a store or never exported at all give the same attempts."""
    builds = sorted({fact.build for fact in facts})
    lines = [line for build in builds for line in interchange(of_build(facts, build))]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    imported = [fact for _, each in read_events(io.BytesIO(text.encode()), "e") for fact in each]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "e.jsonl").write_text(text)
        with History.open(Path(folder) / "e.jsonl", Path(folder) / "cache") as history:
            bulk = tables(history)

    through_store = told(imported)
    assert_frame_equal(bulk["attempts"].drop("decision"), through_store["attempts"].drop("decision"))
    assert_frame_equal(bulk["events"].drop("decision"), through_store["events"].drop("decision"))
    assert_frame_equal(bulk["runs"], through_store["runs"])
    assert_frame_equal(bulk["builds"], through_store["builds"])


def test_a_large_history_is_folded_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut into many parts, merged and cut again, the tables are the same as in one piece."""
    facts = [fact for number in range(40) for fact in _plain(f"b-{number:03}")]
    whole = told(facts)
    write = segments.take_in
    monkeypatch.setattr(
        "analysis.mirror.take_in", lambda con, staging, manifest: write(con, staging, manifest, chunk=20)
    )

    recorded = Recorded([])
    found: dict[str, pl.DataFrame] = {}
    files = 0
    for end in range(30, len(facts) + 30, 30):
        recorded.facts = facts[:end]
        with History.open(recorded, tmp_path, identity="parts") as history:
            found = tables(history)
            files = len(list(tmp_path.glob("*/segment-*")))

    for name, frame in found.items():
        assert_frame_equal(frame, whole[name])
    assert files < 40, "small segments are merged"


def _plain(build: str, at: int = START, pipeline: str = "green") -> list[ev.Event]:
    return [
        ev.BuildBegun(build=build, ts_ms=at, pipeline=pipeline),
        ev.RunStarted(build=build, ts_ms=at, run=1, holder="h"),
        ev.AttemptStarted(build=build, ts_ms=at, run=1, state=5, attempt=1),
        ev.AttemptFailed(build=build, ts_ms=at + 1000, run=1, state=5, attempt=1, failure_class="network"),
        ev.RunEnded(build=build, ts_ms=at + 2000, run=1, outcome="failed", exit_code=1),
    ]


def test_another_history_at_the_same_place_is_not_mixed_up(tmp_path: Path) -> None:
    """A store restored from a backup, or made anew, gets a mirror of its own facts only."""
    with History.open(Recorded([*_plain("b-1"), *_plain("b-2")]), tmp_path, identity="s") as history:
        assert history.builds().collect()["build"].sort().to_list() == ["b-1", "b-2"]
    with History.open(Recorded([*_plain("b-1"), *_plain("b-3")]), tmp_path, identity="s") as history:
        assert history.builds().collect()["build"].sort().to_list() == ["b-1", "b-3"]
    with History.open(Recorded(_plain("b-1")), tmp_path, identity="s") as history:
        assert history.builds().collect()["build"].to_list() == ["b-1"]


def test_a_damaged_mirror_is_made_anew(tmp_path: Path) -> None:
    """The mirror is only a mirror: what is cut off or missing in it costs time, never data."""
    for damage in (lambda path: path.write_bytes(b"PAR1"), Path.unlink):
        with History.open(Recorded(_plain("b-1")), tmp_path, identity="s") as history:
            assert history.builds().collect().height == 1
        damage(next(tmp_path.glob("*/segment-*/attempts.parquet")))
    next(tmp_path.glob("*/manifest.json")).write_text("{")

    with History.open(Recorded(_plain("b-1")), tmp_path, identity="s") as history:
        assert history.attempts().collect()["group"].to_list() == ["transient"]


def test_a_crash_while_writing_leaves_the_history_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was half written does not count and is swept away later."""
    recorded = Recorded(_plain("b-1"))
    History.open(recorded, tmp_path, identity="s").close()
    recorded.facts += _plain("b-2")
    monkeypatch.setattr("analysis.mirror.Manifest.write", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        History.open(recorded, tmp_path, identity="s")
    monkeypatch.undo()

    with History.open(recorded, tmp_path, identity="s") as history:
        assert history.builds().collect().height == 2
    History.open(recorded, tmp_path, identity="s").close()
    assert len(list(tmp_path.glob("*/segment-*"))) == 2


def test_a_reader_keeps_what_it_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process may take in more and tidy up: an open history does not change under its reader."""
    monkeypatch.setattr(segments, "MANY", 1)
    recorded = Recorded(_plain("b-1"))
    with History.open(recorded, tmp_path, identity="s") as reader:
        for number in range(2, 5):
            recorded.facts += _plain(f"b-{number}")
            History.open(recorded, tmp_path, identity="s").close()
        assert reader.frame("select build from builds")["build"].to_list() == ["b-1"]
        assert reader.attempts().collect().height == 1


def test_learning_reads_whole_builds_and_the_latest_of_each_pipeline(tmp_path: Path) -> None:
    """However long a history is, memory holds so many builds of a pipeline, and nothing is missing in them."""
    facts = [
        fact
        for number, name in enumerate(["green", "blue", "green", "green", "blue"])
        for fact in _plain(f"b-{number}", START + 10_000 * number, name)
    ]
    with History.open(Recorded(facts), tmp_path) as history:
        recent = history.recent(2)
        assert sorted(recent["build"]) == ["b-1", "b-2", "b-3", "b-4"]
        assert dict(recent.schema) == TABLES["attempts"]
        assert_frame_equal(history.recent(99).sort("build"), history.attempts().collect().sort("build"))


def test_of_many_pipelines_only_so_many_builds_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does memory grow with the number of pipelines: the one that is asked about is read before all others."""
    monkeypatch.setattr("analysis.history.MOST_LEARNT_FROM", 3)
    facts = [fact for number in range(8) for fact in _plain(f"b-{number}", START + 10_000 * number, f"p-{number // 2}")]
    with History.open(Recorded(facts), tmp_path) as history:
        assert sorted(history.recent(2)["build"]) == ["b-5", "b-6", "b-7"]
        assert sorted(history.recent(2, "p-0")["build"]) == ["b-0", "b-1", "b-7"]
        assert sorted(history.recent(1)["build"]) == ["b-3", "b-5", "b-7"]


def test_messages_are_understood_by_the_rules_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody classified is read once, when it is mirrored; and anew when the rules have changed."""
    facts = _plain("b-1")
    said = "curl: (6) Could not resolve host: mirror"
    facts[3] = ev.AttemptFailed(build="b-1", ts_ms=START + 1000, run=1, state=5, attempt=1, error=said)
    asked = "select failure_class, failure_signature from costed_attempts where status = 'failed'"
    with History.open(Recorded(facts), tmp_path, identity="s") as history:
        failure = understood(tidy(history.attempts().collect())).row(0, named=True)
        assert history.frame(asked).row(0) == (failure["class"], failure["signature"])
        assert failure["class"] == "network"
    monkeypatch.setattr("analysis.mirror.present_rules", lambda: "others")
    monkeypatch.setattr("analysis.segments.meanings", lambda told: told.with_columns(
        pl.lit("auth").alias("found_class"), pl.lit("other").alias("found_signature")
    ))  # fmt: skip
    with History.open(Recorded(facts), tmp_path, identity="s") as history:
        assert history.frame(asked).row(0) == ("auth", "other")


def test_an_empty_history_has_empty_tables(tmp_path: Path) -> None:
    """Before the first build every table is there, with its columns and no rows."""
    with History.open(Recorded([]), tmp_path) as history:
        for name, columns in TABLES.items():
            assert history.frame(f"from {name}").columns == list(columns)
            assert getattr(history, name)().collect().height == 0


def test_the_tables_keep_their_types(tmp_path: Path) -> None:
    """What the tables promise in `analysis.tables` holds in Polars."""
    with History.open(Recorded(_plain("b-1")), tmp_path) as history:
        for name, columns in TABLES.items():
            assert dict(getattr(history, name)().collect_schema()) == columns


def test_a_real_store_is_opened_by_its_url(tmp_path: Path) -> None:
    """The history stands beside the store that the builds are recorded in."""
    url = f"sqlite:///{tmp_path}/history.db"
    store = open_store(url)
    writer = store.begin(lambda build: [ev.BuildBegun(build=build, ts_ms=START, pipeline="green")])
    writer.append(ev.RunStarted(build=writer.build, ts_ms=START, run=1, holder="h"))

    with History.open(url, tmp_path / "cache") as history:
        assert history.builds().collect()["status"].to_list() == ["in_progress"]
    writer.append(ev.RunEnded(build=writer.build, ts_ms=START + 1000, run=1, outcome="completed", exit_code=0))
    writer.close()
    store.close()

    with History.open(url, tmp_path / "cache") as history:
        assert history.builds().collect()["status"].to_list() == ["completed"]
        assert history.query("select count(*) as n from runs")["n"].to_list() == [1]
        with pytest.raises(UsageError, match="nowhere"):
            history.query("select * from nowhere")


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_a_folder_of_files_is_a_history(tmp_path: Path, form: str) -> None:
    """Files may be added to a folder; a build may go on in a later one."""
    folder = tmp_path / "files"
    folder.mkdir()
    stories = [[(5, "started")], [(5, "failed"), (5, "started"), (5, "completed")]]
    clock = itertools.count(START, 1000)
    found = []
    for number, story in enumerate(stories):
        rows = [{"build": "b", "state": state, "status": status, "ts": rfc3339(next(clock))} for state, status in story]
        file = folder / f"{number}.{form}"
        if form == "jsonl":
            file.write_text("\n".join(json.dumps(row) for row in rows))
        else:
            pl.DataFrame(rows).write_parquet(file)
        with History.open(folder, tmp_path / "cache") as history:
            found.append(history.attempts().collect()["status"].to_list())

    assert found == [["in_progress"], ["failed", "completed"]]


def test_faulty_files_are_refused_by_name_and_line(tmp_path: Path) -> None:
    """What cannot be analysed says where it is wrong."""
    (tmp_path / "a.jsonl").write_text(
        '{"build": "b", "state": 5, "status": "started", "ts": "2026-03-01T10:00:00Z"}\n{"build": "b"}\n'
    )
    (tmp_path / "b.jsonl").write_text('{"build": "b", "state": "five"}\n')
    pl.DataFrame({"build": ["b"]}).write_parquet(tmp_path / "c.parquet")

    with pytest.raises(BadInput, match=r"a\.jsonl:2: "):
        History.open(tmp_path / "a.jsonl", tmp_path / "cache")
    with pytest.raises(BadInput, match=r"b\.jsonl"):
        History.open(tmp_path / "b.jsonl", tmp_path / "cache")
    with pytest.raises(BadInput, match="columns missing: state, status, ts"):
        History.open(tmp_path / "c.parquet", tmp_path / "cache")
    with pytest.raises(NotFound):
        History.open(tmp_path / "nothing.jsonl", tmp_path / "cache")


def test_times_survive_to_the_millisecond(tmp_path: Path) -> None:
    """A time goes through Parquet and both engines unchanged."""
    moment = "2026-03-01T10:15:00.123Z"
    (tmp_path / "e.jsonl").write_text(json.dumps({"build": "b", "state": 5, "status": "started", "ts": moment}))

    with History.open(tmp_path / "e.jsonl", tmp_path / "cache") as history:
        assert history.attempts().select(pl.col("started").dt.epoch("ms")).collect().item() == parse_rfc3339(moment)
        assert history.frame("select epoch_ms(ts) as ms from events").item() == parse_rfc3339(moment)
