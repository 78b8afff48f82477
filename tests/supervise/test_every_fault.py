"""Every single write of the recorder fails once: the build prints and ends as if nothing had been."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from typing import TYPE_CHECKING

import pytest

from tests.supervise.faulty import Played, judge, play, play_later

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace makes the faults"),
]

BUILD = """
. "$TOOLKIT_SHELL"
state 5 one -- echo a
state 10 two -- sh -c 'echo bad >&2; exit 5'
echo end
exit 5
"""
END = (5, "a\nend\n", "bad\n")
FULL = ("ENOSPC", "EIO", "EDQUOT", "EROFS")
FAULTS = {
    "write": FULL, "writev": FULL, "pwrite64": FULL, "fdatasync": ("EIO", "ENOSPC"), "fsync": ("EIO", "ENOSPC"),
    "ftruncate": ("EIO", "ENOSPC", "EROFS"), "fallocate": ("ENOSPC",), "openat": ("EROFS", "ENOSPC", "EMFILE"),
    "mkdir": ("EROFS", "ENOSPC"), "mkdirat": ("EROFS", "ENOSPC"), "unlink": ("EROFS", "EIO"),
    "fchown": ("EROFS",), "flock": ("EIO", "ENOLCK"), "mmap": ("ENOMEM",),
}  # fmt: skip
"""The calls that write, or make room for writing, and what they fail with, in turn."""
FROM_THE_START, LATER = "from the first call on", "once the build has begun"
PLAYS: dict[str, Callable[[Path, str, str | None], Played]] = {FROM_THE_START: play, LATER: play_later}


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "calls", [["pwrite64"], [each for each in FAULTS if each != "pwrite64"]], ids=["pages", "else"]
)
@pytest.mark.parametrize("when", PLAYS)
def test_each_write_fails_once(when: str, calls: list[str], tmp_path: Path) -> None:
    """Whichever write of the recorder fails, alone: output and exit code are the build's, and holes are admitted."""
    counted = PLAYS[when](tmp_path / "counted", BUILD, None)
    judge(counted, tmp_path / "counted", *END)
    faults = [
        f"{call}:error={error}:when={number}"
        for call in calls
        for number, error in zip(range(1, counted.calls[call] + 1), cycle(FAULTS[call]), strict=False)
    ]
    assert {"pwrite64", "fdatasync", "openat"} & set(calls) <= {fault.partition(":")[0] for fault in faults}

    def fails(numbered: tuple[int, str]) -> tuple[str, int, str]:
        number, fault = numbered
        folder = tmp_path / str(number)
        played = PLAYS[when](folder, BUILD, fault)
        try:
            judge(played, folder, *END)
        except AssertionError as wrong:
            return fault, played.injected, f"{fault}: {wrong} {played[:3]}"
        return fault, played.injected, ""

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(fails, enumerate(faults)))

    assert not [wrong for _, _, wrong in results if wrong]
    # How often the recorder writes depends a little on the clock, so the last of a kind may not be reached again.
    missed = [fault for fault, injected, _ in results if not injected]
    assert len(missed) <= len(faults) // 10, missed


@pytest.mark.parametrize("fault", ["fdatasync:delay_enter=20s:when=1", "pwrite64:delay_enter=20s:when=9+"])
def test_a_write_that_hangs(fault: str, tmp_path: Path) -> None:
    """A disk that does not answer costs a build some seconds and a line, and neither its output nor its end."""
    played = play_later(tmp_path / "project", BUILD, fault)
    assert (played.status, played.output) == END[:2]
    assert played.error.count("toolkit: warning: ") == 1
