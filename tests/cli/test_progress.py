"""Long work says how far it is where somebody looks, is silent elsewhere, and can be broken off without a trace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.transcripts import Shell

pytestmark = pytest.mark.long
MANY = 4000
SECONDS = 120


def events(builds: int, *, prefix: str = "b") -> Iterator[str]:
    """Tell of builds that pass three states, one in ten of which fails and is started over."""
    clock = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(builds):
        for run in (1, 2) if number % 10 == 0 else (1,):
            for state in (5, 20, 100):
                fails = run == 1 and number % 10 == 0 and state == 20
                for status in ("started", "failed" if fails else "completed"):
                    clock += timedelta(seconds=60)
                    line = {"build": f"{prefix}-{number}", "run": run, "state": state, "status": status}
                    error = {"error": "Connection timed out"} if status == "failed" else {}
                    yield json.dumps({**line, "ts": clock.isoformat(), **error}) + "\n"
                if fails:
                    break


@pytest.fixture
def project(shell: Shell) -> Shell:
    """Give a project that recorded twenty builds."""
    for name, text in (("toolkit.toml", ""), ("few.jsonl", "".join(events(20)))):
        (shell.folder / name).write_text(text)
    (shell.folder / "many.jsonl").write_text("".join(events(MANY, prefix="m")))
    assert shell.run("import", "few.jsonl")[0] == 0
    return shell


def broken_off(shell: Shell, *words: str, at: str) -> tuple[int, str]:
    """Run a command with a terminal for its stderr, press Ctrl-C when that shows a text; gives exit code and stderr."""
    ours, theirs = os.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "toolkit", *words], cwd=shell.folder, stderr=theirs, stdout=subprocess.DEVNULL,
        env={**shell.environment, "TERM": "xterm"},
    )  # fmt: skip
    os.close(theirs)
    shown, pressed = b"", False
    while piece := _read(ours):
        shown += piece
        if at.encode() in shown and not pressed:
            child.send_signal(signal.SIGINT)
            pressed = True
    os.close(ours)
    return child.wait(SECONDS), shown.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # nobody holds the other end any more
        return b""


def builds(shell: Shell) -> list[str]:
    return [each["build"] for each in shell.json("builds")["builds"]]


def test_an_import_that_is_broken_off_took_nothing(project: Shell) -> None:
    """Ctrl-C while the second of two files is read: not even the first is there, and the next import takes both."""
    (project.folder / "more.jsonl").write_text("".join(events(5, prefix="x")))
    before = builds(project)
    code, shown = broken_off(project, "import", "more.jsonl", "many.jsonl", at="lines")

    assert (code, builds(project)) == (130, before)
    assert "importing many.jsonl" in shown
    assert "Traceback" not in shown
    code, out, error = project.run("import", "more.jsonl", "many.jsonl")
    assert out.startswith(f"{MANY + 5:,} builds and ")
    assert (code, error) == (0, ""), "nobody looks, so nothing is said"


def test_a_report_that_is_broken_off_leaves_the_one_before(project: Shell) -> None:
    """Ctrl-C while the phases are replayed: the old page still stands, and no half of a new one beside it."""
    page = project.folder / "page.html"
    page.write_text("the page of yesterday")
    code, shown = broken_off(project, "report", "--html", "page.html", "--csv", "tables", at="replaying under")

    assert code == 130
    assert "Traceback" not in shown
    assert page.read_text() == "the page of yesterday"
    assert sorted(path.name for path in project.folder.iterdir()) == [
        ".toolkit", "few.jsonl", "many.jsonl", "page.html", "toolkit.toml",
    ]  # fmt: skip
    assert project.run("report", "--html", "page.html") == (0, "", ""), "nobody looks, so nothing is said"
    assert page.read_text().startswith("<!doctype html>")
