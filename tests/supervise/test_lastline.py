"""The last line of a log that grows: news, not dots, whatever the log looks like."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from toolkit.supervise.lastline import LastLines, last_line
from toolkit.supervise.redact import Redactor
from toolkit.supervise.spool import Spool

if TYPE_CHECKING:
    from pathlib import Path


def spool(folder: Path, cap: int = 1 << 30) -> Spool:
    def fail(what: str) -> None:
        raise AssertionError(what)

    return Spool(str(folder), run=1, redactor=Redactor({}, ()), trouble=fail, cap=cap)


@pytest.mark.parametrize(
    ("printed", "line"),
    [
        (b"", ""),
        (b"unpacking\n", "unpacking"),
        (b"unpacking\n......\n|/-\\\n\n", "unpacking"),
        (b"one\ntwo", "two"),
        (b"fetch\n\x1b[32mTASK [base]\x1b[0m ***\n", "TASK [base] ***"),
        (b"getting a.rpm\r 10% a.rpm\r 99% a.rpm\r", "99% a.rpm"),
        (b"poll: not yet\nready\npoll: not yet\n", "ready"),
        (b"\xff\xfe broken\n", "\ufffd\ufffd broken"),
    ],
)
def test_the_last_line_is_the_last_news(tmp_path: Path, printed: bytes, line: str) -> None:
    """Dots, spinners, empty lines and what was said a moment ago are passed over; colours are taken off."""
    log = spool(tmp_path / "b-1")
    log.begin(5, 1)
    log.write(1, printed)
    log.flush()
    said = LastLines().of(str(tmp_path / "b-1"))
    assert (said.text if said else "") == line
    log.close()


def test_a_log_is_read_while_it_grows_and_only_then(tmp_path: Path) -> None:
    """Each look gives what was flushed last; a new attempt that has said nothing yet leaves the old line."""
    log, lines = spool(tmp_path / "b-1"), LastLines()
    seen: list[str | None] = []
    for state, text in ((5, b"first\n"), (5, b"second\n"), (10, b"....\n"), (10, b"third\n")):
        if state != 5 or not seen:
            log.begin(state, 1)
        log.write(1, text)
        log.flush()
        said = lines.of(str(tmp_path / "b-1"))
        seen.append(said.text if said else None)
    log.close()
    assert seen == ["first", "second", "second", "third"]


def test_a_huge_log_is_read_from_its_end(tmp_path: Path) -> None:
    """Beyond the cap the end is in the file whose turn it is, and only its last megabytes are looked at."""
    log = spool(tmp_path / "b-1", cap=8 << 20)
    log.begin(5, 1)
    for number in range(60):
        log.write(1, os.urandom(200_000).hex().encode() + b"\nstep %d of many\n" % number)
    log.flush()
    said = LastLines().of(str(tmp_path / "b-1"))
    log.close()
    assert said is not None
    assert said.text == "step 59 of many"


@given(st.binary(max_size=300), st.integers(0, 400))
def test_any_file_is_survived(tmp_path_factory: pytest.TempPathFactory, noise: bytes, cut: int) -> None:
    """Noise, torn frames and frames that claim endless content give a line or none, never an error."""
    path = tmp_path_factory.getbasetemp() / "any.log.zst"
    path.unlink(missing_ok=True)
    frame = zstandard.ZstdCompressor().compress(b"said before\n")
    path.write_bytes((frame + noise + zstandard.ZstdCompressor().compress(bytes(64 << 20)))[: len(frame) + cut])
    assert "said before" in last_line(str(path)) or noise


def test_no_log_is_no_line(tmp_path: Path) -> None:
    """A build that ran elsewhere, or whose log is a link to something else, has no last line here."""
    assert LastLines().of(str(tmp_path / "b-1")) is None
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "b-1").mkdir()
    (tmp_path / "b-1" / "0001-005-0001.log.zst").symlink_to(tmp_path / "secret")
    assert LastLines().of(str(tmp_path / "b-1")) is None
