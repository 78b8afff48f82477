"""Reports lay out what was found, in the width there is, and let nothing out of a log command the reader's screen."""

from __future__ import annotations

import fcntl
import io
import json
import os
import re
import struct
import termios
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from analysis.export import export
from analysis.findings import find
from analysis.history import History
from analysis.report import html, markdown, tables, terminal
from tests.analysis.lives import Recorded
from tests.analysis.taught import WHY, taught
from tests.histories import T0, completes, fails, history, restarts, waits
from toolkit.errors import UsageError

if TYPE_CHECKING:
    from analysis.findings_model import Findings
    from toolkit.core import events as ev

HOUR = 60 * 60_000
DAY = 24 * HOUR
NOW = datetime.fromtimestamp(T0 / 1000 + 30 * 86_400, UTC)
HOSTILE = "</script><img src=x onerror=alert(1)>\x1b[31mred\x07 \u202egpj.exe | `code` [link](http://evil.example) @all"


def builds(hostile: str = "Network timeout") -> list[ev.Event]:
    """Six builds in three weeks: four green, one after a start-over, one failed."""
    green = (completes(5, "kickstart"), completes(10, "base"), completes(100, "image"))
    late = (completes(5, "kickstart"), fails(10, "net.timeout", hostile, name="base"), waits(7200), restarts(), *green)
    told = [history(*green, build=f"b-{n}", start_ms=T0 + n * 5 * DAY, pace_ms=HOUR) for n in range(4)]
    told.append(history(*late, build="b-4", start_ms=T0 + 6 * DAY, pace_ms=HOUR, host="builder2"))
    told.append(
        history(fails(5, "disk.full", "No space left", "resource"), build="b-5", start_ms=T0 + 12 * DAY, pace_ms=HOUR)
    )
    return [fact for build in told for fact in build]


@pytest.fixture
def found(tmp_path: Path) -> Findings:
    with History.open(Recorded(builds()), tmp_path / "cache") as opened:
        return find(opened, now=NOW)


@pytest.fixture
def hostile(tmp_path: Path) -> Findings:
    with History.open(Recorded(builds(HOSTILE)), tmp_path / "cache") as opened:
        return find(opened, now=NOW)


EXPECTED_80 = """\
golden-image · 2026-03-01 to 2026-03-16

Failures cost 3h of 18h machine time (17%): 2h in 2 failed attempts, 1h in work
that was done before.
67% (34% to 90%) of the builds are green at the first run; 1 came green only
later, 1 ended failed.
State 10 base accounts for 67% of the loss, failing in 17% (3% to 49%) of its
attempts.
"""


def test_the_terminal_report_begins_with_what_matters(found: Findings) -> None:
    """The first lines say what failures cost, how often builds are green, and where the loss is."""
    assert terminal.render(found, 80).startswith(EXPECTED_80)


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_terminal_report_keeps_to_the_width(found: Findings, width: int) -> None:
    """No line is wider than the terminal, and the tables say more where there is room."""
    lines = terminal.render(found, width).splitlines()

    assert max(map(len, lines)) <= width
    assert any(line.startswith("5 kickstart") for line in lines)
    assert any("net.timeout" in line for line in lines)
    assert ("recovered" in "\n".join(lines)) == (width >= 110)
    assert ("p90" in "\n".join(lines)) == (width >= 150)


def test_where_recovery_is_told_of_the_latest_builds_it_says_so(found: Findings) -> None:
    """Beside the shares that were not learnt from all builds stands from how many they were; else nothing does."""
    part = found.model_copy(update={"quality": found.quality.model_copy(update={"folded": 1, "folded_of": 2})})
    told = "of the latest 1 of 2 builds with failures"

    assert [told in terminal.render(each, 120) for each in (found, part)] == [False, True]
    assert [told in markdown.render(each) for each in (found, part)] == [False, True]


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_terminal_report_reads_as_it_is_written_here(found: Findings, width: int) -> None:
    """Everything that findings can hold, at three widths, word for word; `transcripts/` shows what people see."""
    shown = terminal.render(taught(found), width)
    told = Path(__file__).parent / "transcripts" / f"report-{width}.txt"

    assert shown.splitlines() == told.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("width", [80, 120, 200])
def test_a_terminal_gets_colours_and_its_own_width(
    found: Findings, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal there are colours, no line is wider than it is, and the words are those of a pipe of that width."""
    for name in ("NO_COLOR", "COLUMNS", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    pieces: list[bytes] = []
    reading = threading.Thread(target=lambda: pieces.extend(iter(lambda: _read(ours), b"")))
    reading.start()
    with os.fdopen(theirs, "w", encoding="utf-8") as out:
        terminal.show(taught(found), out)
    reading.join()
    os.close(ours)
    shown = b"".join(pieces).decode()
    words = [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines()]

    assert "\x1b[1m" in shown
    assert words == terminal.render(taught(found), width).splitlines()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # nobody holds the other end any more
        return b""


def test_every_rendering_says_what_was_learnt(found: Findings) -> None:
    """Advice, replays, shadow decisions, the trial, changes and what is worth a look stand in each of them."""
    whole = taught(found)
    page = json.loads(html.render(whole).partition('id="findings">')[2].partition("</script>")[0])

    for text in (terminal.render(whole, 200), markdown.render(whole)):
        said = " ".join(text.replace("\\", "").split())
        assert "saves" in said
        assert "11.2 (8.0\N{EN DASH}14.9)" in said
        assert WHY in said
        assert "1.02 (0.92\N{EN DASH}1.12)" in said
        assert "better: 0.40 hours to green less" in said
        assert "state 5 fails in 24.0% of its attempts of late" in said
        assert "look at the host" in said
        assert "31.5" in said
    assert page == json.loads(whole.model_dump_json(by_alias=True))


def test_a_pipe_gets_plain_text(found: Findings) -> None:
    """What is piped holds no colours and no control characters but line ends."""
    out = io.StringIO()
    terminal.show(found, out)

    assert re.findall(r"[\x00-\x09\x0b-\x1f\x7f]", out.getvalue()) == []
    assert "golden-image" in out.getvalue()


def test_the_costliest_build_is_drawn(found: Findings) -> None:
    """Each run is a line, what was repeated looks different, and the estimate is called one."""
    lines = terminal.render(found, 80).splitlines()
    place = next(at for at, line in enumerate(lines) if line.startswith("The costliest build: b-4"))
    first, wait, second, without = lines[place + 1 : place + 5]

    assert first.startswith("run 1      ██")
    assert "▓" in first
    assert wait.strip() == "waited 2h"
    assert second.startswith("run 2      ░░")
    assert without.endswith("4h (estimated)")


def test_markdown_holds_the_same_figures(found: Findings) -> None:
    """A summary for a pull request: headline, builds, states, failures, and how far to trust it."""
    text = markdown.render(found)

    assert "| 10 base | 83% | 6 | 1 | 17% (3.0%\N{EN DASH}49%) | 1 of 1 | 2h |" in text
    assert "| `net.timeout` | network | 1 | 50% | 10 |" in text
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "# Failure report", "## States", "## Failures", "## Trend", "## How far to trust this",
    ]  # fmt: skip


def test_markdown_is_not_commanded_by_a_log(hostile: Findings) -> None:
    """Markup, links, mentions and table bars in a message stay text."""
    text = markdown.render(hostile)
    row = next(line for line in text.splitlines() if "onerror" in line and line.startswith("|"))

    assert row.count(" | ") == 7
    assert re.findall(r"(?<!\\)\]\(|(?<!\\)[<`]", row.replace("`net.timeout`", "")) == []
    assert "http://" not in text
    assert "@all" not in text
    assert "\x1b" not in text


def test_the_terminal_is_not_commanded_by_a_log(hostile: Findings) -> None:
    """Escape sequences, bells and turned-around text of a message are shown as what they are."""
    text = terminal.render(hostile, 200)

    assert "onerror" in text
    assert re.findall("[\x00-\x09\x0b-\x1f\x7f\u202e]", text) == []


def test_the_page_needs_nothing_but_itself(found: Findings) -> None:
    """One file below 3 MB: no address is loaded, the scripts that may run are named by their hashes."""
    page = html.render(found)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)

    assert policy is not None
    assert policy[1].startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-inline" not in policy[1].split("style-src")[0]
    assert re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', page.split("<script")[0]) == []
    assert len(page.encode()) < 3_000_000


def test_the_page_says_the_same_without_scripts(found: Findings) -> None:
    """The headline is in the markup itself, for readers whose mail program runs nothing."""
    body = html.render(found).split("<script")[0]

    for sentence in found.headline:
        assert sentence.replace("'", "&#x27;") in body


def test_no_log_line_becomes_markup(hostile: Findings) -> None:
    """Whatever a message holds, the page's data ends where we end it and holds no tag."""
    page = html.render(hostile)
    data = page.partition('<script type="application/json" id="findings">')[2].partition("</script>")[0]

    assert "<" not in data
    assert "onerror" in json.loads(data)["signatures"][1]["title"]
    assert page.count("</script>") == 3
    assert "<img" not in page.split("<script")[0]


def test_a_huge_report_makes_a_page_that_still_travels(found: Findings) -> None:
    """What does not fit are the least costly builds, and the page says how many it leaves out."""
    line = found.builds[0]
    many = found.model_copy(
        update={"builds": tuple(line.model_copy(update={"build": f"b-{n:09}"}) for n in range(20_000))}
    )
    page = html.render(many)
    data = json.loads(page.partition('id="findings">')[2].partition("</script>")[0])

    assert len(page.encode()) < 3_000_000
    assert len(data["builds"]) + data["builds_left_out"] == 20_000
    assert data["builds"][0]["build"] == "b-000000000"


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_every_table_can_be_taken_along(found: Findings, tmp_path: Path, form: tables.Form) -> None:
    """A file for each table, with the counts behind every share."""
    files = tables.write(found, tmp_path / "out", form)
    states = (pl.read_csv if form == "csv" else pl.read_parquet)(tmp_path / "out" / f"states.{form}")

    assert [file.stem for file in files] == [
        "states", "classes", "signatures", "weeks", "days", "hosts", "builds", "totals", "quality", "timeline",
        "cube_attempts", "cube_builds",
    ]  # fmt: skip
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(file.name for file in files)
    assert states["failure_rate_n"].to_list() == [7, 6, 5]
    assert states["code"].to_list() == [5, 10, 100]
    with pytest.raises(UsageError, match="cannot write"):
        tables.write(found, tmp_path / "out" / "states.csv", form) if form == "csv" else tables.write(
            found, tmp_path / "out" / "states.parquet", form
        )


def test_what_was_learnt_can_be_taken_along_too(found: Findings, tmp_path: Path) -> None:
    """Recommendations and their rules, previews, shadows, changes, the trial's arms, hosts, incidents: a table each."""
    whole = taught(found)
    written = {file.stem for file in tables.write(whole, tmp_path, "csv")}
    rules = pl.read_csv(tmp_path / "rules.csv").row(0, named=True)

    assert written > {
        "recommendations", "rules", "previews", "shadows", "changes", "arms", "host_problems", "incidents",
        "worthless_rules",
    }  # fmt: skip
    assert (rules["pipeline"], rules["code"], rules["on"], rules["p_recover_low"]) == (
        "golden-image", 5, "network", 0.74,
    )  # fmt: skip
    assert pl.read_csv(tmp_path / "arms.csv")["new_mean"].to_list() == [1.2]
    assert pl.read_csv(tmp_path / "cube_attempts.csv")["attempts"].sum() == found.totals.attempts


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_table_of_the_history_is_written_whole(tmp_path: Path, form: str) -> None:
    """Events go out in the interchange shape; an unknown table is refused and leaves nothing behind."""
    with History.open(Recorded(builds()), tmp_path / "cache") as opened:
        rows = export(opened, tmp_path / f"events.{form}", form)  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="no table 'plenty'"):
            export(opened, tmp_path / "plenty.csv", "csv", "plenty")
        with pytest.raises(UsageError, match="cannot write"):
            export(opened, tmp_path / f"events.{form}" / "below", "csv")
    read = pl.read_csv(tmp_path / "events.csv") if form == "csv" else pl.read_parquet(tmp_path / "events.parquet")

    assert read.height == rows == 36
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", f"events.{form}"]
    if form == "csv":
        assert read["ts"][0] == "2026-03-01T10:00:00.000Z"


def test_an_empty_history_makes_short_reports(tmp_path: Path) -> None:
    """Before the first build each rendering says so and is no error."""
    with History.open(Recorded([]), tmp_path / "cache") as opened:
        nothing = find(opened, now=NOW)

    assert "No builds are recorded" in terminal.render(nothing, 80)
    assert "No builds are recorded" in markdown.render(nothing)
    assert "No builds are recorded" in html.render(nothing)
