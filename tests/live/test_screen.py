"""The live view as text: transcripts in the widths that terminals have."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.histories import MINUTE, T0
from toolkit.live.following import NOTHING
from toolkit.live.screen import plain
from toolkit.live.view import Done, LiveBuild, View, Waiting, shape
from toolkit.live.words import DASH

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = T0 + 12 * MINUTE + 5_000
DONE = Done(median=1080.0, low=840.0, high=1860.0, coverage=0.902, n=48, reached=55, completed=48)
RUNNING = LiveBuild(
    build="b-0042", pipeline="golden-image", target="green", status="in_progress", doing="running",
    phase="selective-retry", run=2, state=20, name="base", attempt=2, state_status="in_progress", started_ms=T0,
    state_started_ms=NOW - 192_000, done=DONE, said="TASK [base : install the packages that every machine has] ****",
)  # fmt: skip
WAITING = RUNNING.but(
    build="b-0043", target=None, doing="waiting", state_status="failed", error="curl: (28) Operation timed out",
    waiting=Waiting(action="retry", reason="net.timeout is worth another attempt", until_ms=NOW + 30_000),
    done=Done(reached=4, completed=3, why="not enough history: 3 of 5 completed runs to compare with"),
)  # fmt: skip
HELD = LiveBuild(
    build="b-0041", pipeline="golden-image", status="failed", doing="held", run=1, state=70, name="tests", attempt=1,
    state_status="failed", held=True, held_why="test.assert waits for a person", held_since_ms=NOW - 7_440_000,
    error="2 of 80 tests failed",
)  # fmt: skip
VIEW = View(at_ms=NOW, builds=(HELD, RUNNING, WAITING))

AT_120 = """\
b-0042  golden-image for green                                                                        running for 12m 5s
  state 20 base, attempt 2 for 3m 12s; run 2, selective-retry
  done in 18m (14m~31m in 90%, from 48 runs), about 10:30 UTC
  48 of 55 runs that came here were completed
  ━━━━━━━━━╸               about 40% of the time
  | TASK [base : install the packages that every machine has] ****

b-0043  golden-image                                                                              waiting, 12m 5s so far
  state 20 base, attempt 2 failed; run 2, selective-retry
  tries again in 30s, at 10:12:35 UTC: net.timeout is worth another attempt
  failed: curl: (28) Operation timed out
  no estimate: not enough history: 3 of 5 completed runs to compare with
  3 of 4 runs that came here were completed
  | TASK [base : install the packages that every machine has] ****

b-0041  golden-image                                                                                      held for 2h 4m
  state 70 tests, attempt 1 failed; run 1
  held test.assert waits for a person
  failed: 2 of 80 tests failed
  toolkit release b-0041 lets it go on
""".replace("~", DASH)
AT_60 = """\
b-0042  golden-image for green            running for 12m 5s
  state 20 base, attempt 2 for 3m 12s; run 2, selective-ret…
  done in 18m (14m~31m in 90%, from 48 runs), about 10:30 U…
  48 of 55 runs that came here were completed
  | TASK [base : install the packages that every machine ha…
""".replace("~", DASH)


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The reader sits in Greenwich."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_transcript() -> None:
    """What runs comes first, then what waits for a person; each sentence stands on its own line."""
    assert plain(VIEW, 120, nothing=NOTHING) == AT_120
    assert plain(VIEW.but(builds=(RUNNING,)), 60, nothing=NOTHING) == AT_60


@pytest.mark.parametrize("width", [80, 120, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    """At any width a line of the view is a line of the terminal, and the words at its end are not lost."""
    lines = plain(VIEW, width, nothing=NOTHING).splitlines()

    assert len(lines) == len(AT_120.splitlines())
    assert max(map(len, lines)) == width
    assert [line.strip() for line in lines] != []
    assert lines[0].startswith("b-0042  golden-image for green")
    assert lines[0].endswith("running for 12m 5s")


def test_hostile_output_commands_nothing() -> None:
    """Escape sequences, line breaks and signs that turn text around are seen, not obeyed."""
    hostile = "\x1b]0;owned\x07\x1b[2J \u202eknup\r\nb-0099 is green"
    view = View(at_ms=NOW, builds=(RUNNING.but(said=hostile, name=hostile, target=hostile, error=hostile),))
    text = plain(view, 200, nothing=NOTHING)

    assert not {"\x1b", "\x07", "\r", "\u202e"} & set(text)
    assert not any(line.startswith("b-0099") for line in text.splitlines())


def test_nothing_is_said_in_words() -> None:
    """Where nothing goes on, that is what stands there; trouble with the history is said below."""
    assert plain(View(at_ms=NOW), 80, nothing=NOTHING) == "no build is running or held\n"
    trouble = View(at_ms=NOW, builds=(HELD,), trouble="the history cannot be read: away")
    assert plain(trouble, 80, nothing=NOTHING).splitlines()[-1] == "the history cannot be read: away"


def test_the_document_for_scripts() -> None:
    """Each build in JSON: RFC 3339 times, durations in seconds, null for what is not known."""
    document = shape(VIEW)
    held, running, waiting = document["builds"]

    assert (document["at"], document["trouble"]) == ("2026-03-01T10:12:05.000Z", None)
    assert [running[key] for key in ("build", "doing", "currentState", "name", "attempt", "run", "held")] == [
        "b-0042", "running", 20, "base", 2, 2, False
    ]  # fmt: skip
    assert running["done"] == {
        "seconds": {"median": 1080.0, "low": 840.0, "high": 1860.0}, "at": "2026-03-01T10:30:05.000Z",
        "coverage": 0.902, "n": 48, "reached": 55, "completed": 48, "sameTarget": False, "why": None,
    }  # fmt: skip
    assert (running["elapsed"], running["stateElapsed"], running["wait"]) == (725.0, 192.0, None)
    assert waiting["wait"] == {
        "action": "retry", "reason": "net.timeout is worth another attempt", "until": "2026-03-01T10:12:35.000Z",
        "seconds": 30.0,
    }  # fmt: skip
    assert (waiting["done"]["seconds"], waiting["done"]["n"]) == (None, 0)
    assert held["hold"]["reason"] == "test.assert waits for a person"
    assert (held["done"], held["lastLine"]) == (None, None)
    assert document["builds"][0].keys() == document["builds"][1].keys()
