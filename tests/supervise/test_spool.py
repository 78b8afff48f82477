"""Logs on disk: complete, private, readable while they grow and after a crash."""

# ruff: noqa: E501 - a scene is a line of shell, and broken lines would be another scene

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from toolkit.supervise.redact import Redactor
from toolkit.supervise.spool import Spool, log_name, read_log

ROOT = Path(__file__).parents[2]


def spool(folder: Path, *, cap: int = 1 << 30, troubles: list[str] | None = None) -> Spool:
    told = [] if troubles is None else troubles
    return Spool(
        f"{folder}/logs/b-1", run=1, redactor=Redactor({"A_TOKEN": "top-secret"}), trouble=told.append, cap=cap
    )


def log(folder: Path, state: int = 0, attempt: int = 1) -> Path:
    return folder / "logs" / "b-1" / log_name(1, state, attempt)


def text(path: Path) -> bytes:
    return b"".join(read_log(str(path)))


def test_cut_by_attempt(tmp_path: Path) -> None:
    """Each attempt has its own log, and one that is come back to is gone on with."""
    kept = spool(tmp_path)
    for state, attempt, line in ((0, 1, b"a\n"), (5, 1, b"b\n"), (5, 2, b"c"), (0, 1, b"d\n")):
        kept.begin(state, attempt)
        kept.write(1, line)
    kept.close()

    assert [text(log(tmp_path)), text(log(tmp_path, 5)), text(log(tmp_path, 5, 2))] == [b"a\nd\n", b"b\n", b"c"]


def test_no_secret_is_kept(tmp_path: Path) -> None:
    """The log holds what was printed, without its secrets, even one that came in two pieces."""
    kept = spool(tmp_path)
    kept.begin(0, 1)
    for piece in (b"it is top-", b"secret!\n"):
        kept.write(1, piece)
    kept.close()

    assert text(log(tmp_path)) == b"it is [redacted]!\n"


def test_readable_while_it_grows(tmp_path: Path) -> None:
    """What was printed a second ago can be read though the build still runs and prints nothing more."""
    kept = spool(tmp_path)
    kept.begin(0, 1)
    kept.write(1, b"early\n")
    deadline = time.monotonic() + 60
    while not log(tmp_path).exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    seen = text(log(tmp_path))
    kept.close()

    assert seen == b"early\n"


def test_private(tmp_path: Path) -> None:
    """Nobody else may read logs, whatever the umask is."""
    before = os.umask(0)
    try:
        kept = spool(tmp_path)
        kept.begin(0, 1)
        kept.write(1, b"x\n")
        kept.close()
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in sorted(tmp_path.rglob("*"))}

    assert modes == {"logs": 0o700, "b-1": 0o700, log_name(1, 0, 1): 0o600}


@pytest.mark.parametrize("where", ["logs", "logs/b-1", f"logs/b-1/{log_name(1, 0, 1)}"])
def test_symlinks_are_refused(where: str, tmp_path: Path) -> None:
    """A symlink in the way is not followed: nothing is written elsewhere, and the trouble is told once."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    link = tmp_path / where
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(elsewhere if not where.endswith("zst") else elsewhere / "file")
    troubles: list[str] = []
    kept = spool(tmp_path, troubles=troubles)
    kept.begin(0, 1)
    for _ in range(3):
        kept.write(1, b"x" * (1 << 20) + b"\n")
    kept.close()

    assert list(elsewhere.iterdir()) == []
    assert len(troubles) == 1


def test_floods(tmp_path: Path) -> None:
    """What comes too fast to be compressed is kept all the same, byte for byte, and zstd's own tools read it."""
    kept = spool(tmp_path)
    kept.begin(0, 1)
    block = os.urandom(3 << 18).replace(b"\n", b"") + b"\n"
    for _ in range(24):
        kept.write(1, block)
    kept.close()

    assert text(log(tmp_path)) == block * 24


def test_beginning_and_end_of_too_much(tmp_path: Path) -> None:
    """Beyond the cap the middle is left out, with a line that says how much; beginning and end are kept."""
    kept = spool(tmp_path, cap=8 << 20)
    kept.begin(0, 1)
    lines = [b"line %07d %b\n" % (number, b"." * 80) for number in range(400_000)]
    whole = b"".join(lines)
    for at in range(0, len(whole), 100_000):
        kept.write(1, whole[at : at + 100_000])
    kept.close()
    head, _, rest = text(log(tmp_path)).partition(b"\n[... ")
    left_out, _, tail = rest.partition(b" bytes left out ...]\n")
    size = sum(path.stat().st_size for path in (tmp_path / "logs" / "b-1").iterdir())

    assert whole.startswith(head)
    assert whole.endswith(tail)
    assert len(head) + int(left_out) + len(tail) == len(whole)
    assert len(head) > 3 << 20
    assert len(tail) > 1 << 20
    assert size < 8 << 20


@pytest.mark.parametrize("torn", [1, 10, 100])
def test_torn_tails(torn: int, tmp_path: Path) -> None:
    """A log whose last write was cut off is readable up to there, and again after what is appended later."""
    kept = spool(tmp_path)
    kept.begin(0, 1)
    kept.write(1, b"".join(b"first %d\n" % n for n in range(300)))
    kept.close()
    whole = text(log(tmp_path))
    with log(tmp_path).open("r+b") as file:
        file.truncate(log(tmp_path).stat().st_size - torn)
    again = spool(tmp_path)
    broken = text(log(tmp_path))
    again.begin(0, 1)
    again.write(1, b"later\n")
    again.close()

    assert whole.startswith(broken)
    assert text(log(tmp_path)).endswith(b"later\n")


def test_a_full_disk(tmp_path: Path) -> None:
    """Where nothing can be written any more, one trouble is told, and what was complete stays readable."""
    program = (
        "import resource, signal, sys; sys.path.insert(0, sys.argv[1]); "
        "from toolkit.supervise.spool import Spool, read_log; from toolkit.supervise.redact import Redactor; import os; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)); troubles = []; "
        "kept = Spool(sys.argv[2] + '/logs/b-1', run=1, redactor=Redactor({}), trouble=troubles.append); kept.begin(0, 1); "
        "kept.write(1, b'kept\\n'); kept.begin(0, 1); "
        "[kept.write(1, os.urandom(1 << 19).replace(b'\\n', b'') + b'\\n') for _ in range(8)]; kept.close(); print(len(troubles))"
    )
    ended = subprocess.run([sys.executable, "-I", "-c", program, ROOT, tmp_path], capture_output=True, check=False)

    assert (ended.returncode, ended.stdout) == (0, b"1\n"), ended.stderr
    assert text(log(tmp_path)) == b"kept\n"
