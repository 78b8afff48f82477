"""Rules against what is recorded: what they would change, which failures wait for one, which rules prove nothing."""

from __future__ import annotations

import json
from contextlib import closing, redirect_stdout
from io import StringIO
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from analysis.database import connect
from analysis.reclassify import Again, NoLogs, changed_by, ended, reclassify
from analysis.unmatched import beginning, queue
from analysis.watch import watch
from tests.analysis.frames import Telling, attempts
from toolkit.cli.opening import print_json, print_long_json
from toolkit.core.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BROKER = Rule("vmforge.broker", "network", r"E\d+ broker handshake lost")


class Kept:
    """Logs that are kept in memory, by build."""

    def __init__(self, **logs: bytes) -> None:
        self.logs = logs
        self.read_so_far = 0
        self.asked: list[tuple[str, int]] = []

    def size(self, build: str, state: int, attempt: int) -> int:  # noqa: ARG002 - the protocol
        return len(self.logs.get(build, b""))

    def read(self, build: str, state: int, attempt: int) -> Iterator[bytes]:
        del state
        self.read_so_far += 1
        self.asked.append((build, attempt))
        yield self.logs[build]


def mystery(build: str, text: str = "E7713 broker handshake lost", at: float = 0.0, **more: Any) -> Telling:
    signature = more.pop("signature", "tmpl.0000000001")
    failure_class = more.pop("failure_class", "unknown")
    said = {"evidence": json.dumps([[12, text]]), "error": text, "exit_code": 70, "host": "h1", **more}
    return Telling(build, at=at).fails(20, signature, failure_class=failure_class, **said)


def judged(*told: Telling, own: tuple[Rule, ...] = (), logs: Any = None) -> list[Again]:
    with TemporaryDirectory() as folder, closing(connect()) as con:
        attempts(*told).write_parquet(file := f"{folder}/attempts.parquet")
        con.read_parquet(file).create_view("attempts")
        return list(reclassify(ended(con), own, logs or NoLogs()))


def test_a_new_rule_changes_what_it_knows_and_nothing_else() -> None:
    """Failures that the rule matches are called by it; the others keep the name under which they were recorded."""
    told = (mystery("a"), mystery("b", "zorg is out of flux"), Telling("c").fails(5, error="curl: (28) timed out"))

    again = judged(*told, own=(BROKER,))

    assert [(each.build, each.changed, each.present.rule) for each in again if each.changed] == [
        ("a", True, "vmforge.broker")
    ]
    assert changed_by(again, ["vmforge.broker"]) == ({"vmforge.broker": 1}, 3)


def test_a_rule_that_the_history_knows_is_not_new() -> None:
    """Only rules that no recorded failure carries are reported as new."""
    again = judged(mystery("a", rule="vmforge.broker", failure_class="network"), own=(BROKER,))

    assert changed_by(again, ["vmforge.broker"]) == ({}, 1)


def test_a_captured_log_says_more_than_the_lines_that_were_kept() -> None:
    """With the log at hand a rule sees all of it, under the log's own line numbers."""
    log = b"one\ntwo\nE99 broker handshake lost\nzorg\n"
    again = judged(mystery("a", "zorg"), own=(BROKER,), logs=Kept(a=log))

    assert (again[0].basis, again[0].evidence) == ("log", (3, "E99 broker handshake lost"))
    assert again[0].present.rule == "vmforge.broker"


def test_what_earlier_successes_printed_too_proves_nothing_afterwards() -> None:
    """A log is judged again as it was when the build was live: against the successes before it."""
    noise = b"E1 broker handshake lost\n"
    good = Telling("g").completes(20)
    again = judged(good, mystery("a", at=10_000), own=(BROKER,), logs=Kept(g=noise, a=noise + b"zorg went down\n"))

    assert again[0].present.rule is None


def test_a_rule_that_is_gone_no_longer_speaks() -> None:
    """A failure recorded by a rule that was deleted since is judged by the rules that there are."""
    again = judged(mystery("a", "No space left on device", rule="vmforge.old", failure_class="dirty"))

    assert (again[0].present.failure_class, again[0].present.rule) == ("resource", "disk.full")


def test_what_no_rule_knows_waits_in_a_queue() -> None:
    """Alike failures are one entry, with when, where and how often; the most frequent kind comes first."""
    alike = [mystery(f"a{n}", f"E{n} zorg is out of flux in /srv/{n}/x", at=n * 1000.0) for n in range(3)]
    other = mystery("b", "quux: the bar is too low", signature="tmpl.0000000002")

    found = queue(judged(other, *alike))

    assert [(each.failures, each.states, each.hosts, each.line) for each in found] == [
        (3, (20,), ("h1",), 12),
        (1, (20,), ("h1",), 12),
    ]
    assert found[0].builds == ("a2", "a1", "a0")
    assert found[0].first_ms is not None
    assert found[0].last_ms == found[0].first_ms + 2_000_000
    assert queue(judged(mystery("c"), own=(BROKER,))) == []


def test_an_entry_proposes_the_rule_that_finds_it() -> None:
    """The longest piece that stays the same becomes an expression that matches the line it came from."""
    assert beginning("zorg[<n>]: flux (low) on <host>", "zorg[3]:  flux  (low) on h1.example") is not None
    assert beginning("flux <n> too low (again)", "flux 3 too low (again)") == r"too low \(again\)"
    assert beginning("<n> <path>", "3 /srv") is None


def test_a_failure_without_words_waits_with_its_exit_code() -> None:
    """Where only the exit code is known, it is what a rule can ask for."""
    (entry,) = queue(judged(Telling("a").fails(20, None, failure_class=None, error=None, exit_code=7)))

    assert (entry.exit_code, entry.match) == (7, None)


def test_rules_are_watched_on_the_logs_of_successes(tmp_path: Path) -> None:
    """A rule that sees more than a tenth of the successes is told as worthless; the reading is remembered."""
    good = [Telling(f"g{n}", at=n * 1000.0).completes(20) for n in range(12)]
    bad = mystery("a", at=50_000, rule="vmforge.broker", signature="vmforge.broker")
    logs = Kept(**{f"g{n}": b"E1 broker handshake lost\n" if n % 4 == 0 else b"fine\n" for n in range(12)})

    found = watch(attempts(*good, bad), (BROKER,), logs, tmp_path)

    assert [(each.rule, each.own, each.matched, each.successes) for each in found.worthless] == [
        ("broad.network", False, 3, 12),  # a lost handshake near the end of an output
        ("vmforge.broker", True, 3, 12),
    ]
    assert found.lines[0].startswith("rule vmforge.broker also matches 3 of 12 successful attempts")
    assert logs.read_so_far == 12
    assert watch(attempts(*good, bad), (BROKER,), logs, tmp_path) == found
    assert logs.read_so_far == 12


def test_many_builds_failing_alike_at_once_are_one_incident(tmp_path: Path) -> None:
    """The same signature on several builds within minutes is told once; an old outage is kept but not news."""
    old = [mystery(f"o{n}", at=n * 60.0) for n in range(3)]
    new = [mystery(f"n{n}", at=30 * 86_400 + n * 60.0) for n in range(4)]

    found = watch(attempts(*old, *new), (), NoLogs(), tmp_path)

    assert [each.builds for each in found.incidents] == [3, 4]
    assert [line for line in found.lines if "one incident" in line] == [
        line for line in found.lines if "hit 4 builds" in line
    ]


def test_an_empty_history_has_nothing_to_watch(tmp_path: Path) -> None:
    """Nothing recorded: nothing judged, nothing waiting, nothing worth a look."""
    assert judged() == []
    assert watch(attempts(), (), NoLogs(), tmp_path).lines == ()


def test_a_long_history_is_judged_as_it_is_read() -> None:
    """Nothing waits for the end of the history, nor is held until then."""
    read = 0

    def told() -> Iterator[dict[str, Any]]:
        nonlocal read
        for read in range(1, 1_000):
            yield {**FAILURE, "build": f"b-{read}", "over": read}

    again = reclassify(told(), (BROKER,), NoLogs())

    assert [(next(again).build, read) for _ in range(3)] == [("b-1", 1), ("b-2", 2), ("b-3", 3)]


def test_of_successes_the_last_of_three_builds_explain_a_failure() -> None:
    """Those that ended before it; of one that succeeded again only the latest attempt is looked at."""
    logs = Kept(**{name: f"E{name} broker handshake lost\n".encode() for name in "abcdef"})
    rows = [
        {**FAILURE, "status": status, "build": build, "over": over, "attempt": attempt}
        for build, status, over, attempt in (
            ("a", "completed", 1, 1), ("b", "completed", 2, 1), ("c", "completed", 3, 1), ("b", "completed", 4, 2),
            ("d", "completed", 5, 1), ("f", "failed", 6, 1),
        )
    ]  # fmt: skip
    assert len(list(reclassify(rows, (BROKER,), logs))) == 1
    assert sorted(logs.asked) == [("b", 2), ("c", 1), ("d", 1), ("f", 1)]


def test_what_succeeds_in_the_same_moment_explains_nothing() -> None:
    """A success can only tell what is normal afterwards."""
    noise = b"E1 broker handshake lost\n"
    again = judged(Telling("g").completes(20), mystery("a", at=540), own=(BROKER,), logs=Kept(g=noise, a=noise))

    assert again[0].present.rule == "vmforge.broker"


FAILURE = dict.fromkeys(
    ("name", "host", "error", "exit_code", "signal", "class", "signature", "rule", "template", "evidence")
) | {"status": "failed", "pipeline": "image", "state": 20, "run": 1, "attempt": 1}


@given(items=st.lists(st.dictionaries(st.text(), st.integers() | st.lists(st.text()))))
def test_a_long_list_is_printed_like_a_short_one(items: list[dict[str, Any]]) -> None:
    """However it is put together: the document is, to the byte, what printing all of it at once gives."""
    told = StringIO()
    with redirect_stdout(told):
        print_long_json(lambda: {"failures": len(items)}, "changed", iter(items))
        long = told.getvalue()
        told.truncate(0)
        told.seek(0)
        print_json({"failures": len(items), "changed": items})

    assert long == told.getvalue()
