"""What people get wrong, and what they are told: file, line, key and remedy, with everything left as it was."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.transcripts import Shell

GOOD = '{"build": "b-7", "state": 5, "status": "started", "ts": "2026-03-01T10:15:00.000Z"}\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("phase = 'track-only\n", "toolkit.toml:1"),
        ("phase = 'sometimes'\n", "toolkit.toml:1: phase"),
        ("[pipeline]\nnmae = 'x'\n", "toolkit.toml:2: pipeline.nmae"),
        ("[[states]]\ncode = 5\n\n[[states]]\ncode = 5\n", "toolkit.toml:5"),
        ("[[states]]\ncode = -5\n", "toolkit.toml:2: states.code"),
        ("[[states]]\ncode = 5\nmarker = '('\n", "toolkit.toml:3: states.marker"),
        ("[[states]]\ncode = 5\ntimeout = 'soon'\n", "toolkit.toml:3: states.timeout"),
        ("[[rules]]\nid = 'x'\nclass = 'network'\nmatch = '(?=x)y'\n", "toolkit.toml:4: rules.match"),
    ],
)
def test_a_wrong_configuration(shell: Shell, text: str, told: str) -> None:
    """A fault is told with file, line, key and remedy, by `check` as by `run`, which then starts nothing."""
    (shell.folder / "toolkit.toml").write_text(text)
    code, out, error = shell.run("check")
    assert code == 3
    assert told in error
    assert "hint: " in error
    code, out, error = shell.run("run", "--", "touch", "built")
    assert (code, out) == (3, "")
    assert error.startswith("error: ")
    assert not (shell.folder / "built").exists()


def test_all_faults_at_once(shell: Shell) -> None:
    """`check` reports all faults of a file together."""
    (shell.folder / "toolkit.toml").write_text("phase = 'x'\n[[states]]\ncode = -1\nnaem = 'y'\n")
    faults = json.loads(shell.run("check", "--json")[1])["faults"]
    assert sorted({fault["line"] for fault in faults}) == [1, 3, 4]


def test_a_malformed_import_takes_nothing(shell: Shell) -> None:
    """A wrong line is named with its number, and nothing of the file is taken."""
    (shell.folder / "events.jsonl").write_text(GOOD + '{"build": "b-7", "state": "five"}\n' + "not json\n")
    code, out, error = shell.run("import", "events.jsonl")
    assert (code, out) == (3, "")
    assert "events.jsonl:2: state" in error
    assert "events.jsonl:3" in error
    assert shell.json("builds") == {"builds": []}


def test_importing_twice_changes_nothing(shell: Shell) -> None:
    """The same events again are known already."""
    (shell.folder / "events.jsonl").write_text(GOOD + GOOD.replace("started", "completed").replace("15:00", "17:00"))
    assert shell.run("import", "events.jsonl")[:2] == (0, "1 build and 4 events are new, 0 events were known\n")
    before = shell.run("export")
    assert shell.run("import", "events.jsonl")[:2] == (0, "0 builds and 0 events are new, 4 events were known\n")
    assert shell.run("export") == before


def test_a_store_of_the_future_is_left_alone(shell: Shell) -> None:
    """A history written by a newer toolkit is refused, in words, and not touched; a tracked build still runs."""
    shell.run("run", "--", "true")
    path = shell.folder / ".toolkit" / "history.db"
    with sqlite3.connect(path) as store:
        store.execute("pragma user_version = 999")
        tables = [name for (name,) in store.execute("select name from sqlite_master where name like '%migration%'")]
        for table in tables:
            columns = [row[1] for row in store.execute(f"pragma table_info({table})")]
            values = [999 if "ver" in name or "number" in name or "step" in name else 0 for name in columns]
            store.execute(f"insert into {table} values ({', '.join('?' * len(columns))})", values)  # noqa: S608
    store.close()
    content = path.read_bytes()
    code, _, error = shell.run("status")
    assert code == 5
    assert "newer" in error
    assert "hint: " in error
    assert path.read_bytes() == content
    code, out, error = shell.run("run", "--", "echo", "built")
    assert (code, out) == (0, "built\n")
    assert len(error.splitlines()) == 1


def test_a_store_that_is_just_being_made_holds_nothing_yet(shell: Shell) -> None:
    """Who looks while the first build makes the file hears that nothing is recorded, and makes none."""
    made = shell.folder / ".toolkit" / "history.db"
    made.parent.mkdir()
    made.touch()

    for command in ("status", "history", "why", "report", "recommend"):
        code, out, error = shell.run(command)
        assert (code, out, error.splitlines()[0]) == (4, "", "error: no build has been recorded yet")
    assert shell.json("builds") == {"builds": []}
    assert made.stat().st_size == 0


def test_a_damaged_store_still_gives_what_is_readable(shell: Shell) -> None:
    """A file that is no history is refused and left as it is; `doctor` says so."""
    (shell.folder / ".toolkit").mkdir()
    path = shell.folder / ".toolkit" / "history.db"
    path.write_bytes(b"this is not a database, and never was one\n" * 200)
    content = path.read_bytes()
    code, _, error = shell.run("builds")
    assert code == 5
    assert "history.db" in error
    (shell.folder / "toolkit.toml").write_text("phase = 'track-only'\n")
    assert shell.run("doctor")[0] == 5
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["status", "b-99"], 4, "there is no build b-99"),
        (["status"], 4, "no build has been recorded yet"),
        (["logs", "--attempt", "2"], 2, "--attempt needs --state"),
        (["nonsense"], 2, "nonsense"),
        (["status", "--nonsense"], 2, "--nonsense"),
        (["--store", "x"], 2, "--store"),
        (["status", "--store", "mysql://x"], 2, "names no store"),
        (["status", "--project", "/does/not/exist"], 4, "/does/not/exist"),
        (["import", "nothing.jsonl"], 4, "nothing.jsonl"),
        (["phase", "set", "7"], 2, "'7' is not a phase"),
        (["run", "--phase", "7", "--", "true"], 2, "'7' is not a phase"),
        (["phase", "set", "2", "--states", "9-5"], 2, "9-5"),
        (["phase", "set", "2", "--share", "200%"], 2, "200%"),
        (["release", "b-99"], 4, "b-99"),
        (["sql", "selec 1"], 2, "syntax error"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_asked_wrongly(shell: Shell, arguments: list[str], code: int, said: str) -> None:
    """Each wrong question has its exit code, one line that says what is wrong, and one that says what to do."""
    if arguments[0] not in {"status", "builds"} or len(arguments) > 1:
        shell.run("run", "--", "true")
    ended, out, error = shell.run(*arguments)
    assert (ended, out) == (code, "")
    assert error.startswith("error: ")
    assert said in error.splitlines()[0]
    assert error.splitlines()[1].startswith("hint: ")


@pytest.mark.parametrize(
    "asked",
    [("export", "-o"), ("export", "--parquet"), ("report", "--html"), ("report", "--csv"), ("demo",)],
    ids=" ".join,
)
def test_what_cannot_be_written_is_said(shell: Shell, asked: tuple[str, ...]) -> None:
    """A file or folder that cannot be made is a mistake with a remedy, and nothing half is left."""
    assert shell.run("run", "--", "true")[0] == 0
    (shell.folder / "file").write_text("in the way\n")
    code, out, error = shell.run(*asked, "file/deeper")
    assert (code, out) == (2, "")
    assert error.startswith("error: cannot write file/deeper: Not a directory\nhint: Name a ")
    assert not (shell.folder / "file/deeper.part").exists()


def test_a_bug_of_ours_has_an_exit_code_of_its_own() -> None:
    """What nobody foresaw ends with 70, with the trace that we need and a word to whoever sees it."""
    broken = "def broken() -> None:\n    raise ValueError('no idea')"
    broken = f"from toolkit.cli import app\n@app.cli.command()\n{broken}\napp.app()"
    ended = subprocess.run([sys.executable, "-c", broken, "broken"], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (70, "")
    assert "Traceback" in ended.stderr
    assert ended.stderr.splitlines()[-2] == "error: this is a bug of ours: ValueError: no idea"
    assert ended.stderr.splitlines()[-1].startswith("hint: ")
