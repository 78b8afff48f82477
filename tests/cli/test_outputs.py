"""Where a command's output goes: files, links, devices, a disk that is full, nowhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from toolkit.cli.writing import write_whole

if TYPE_CHECKING:
    from tests.transcripts import Shell

FULL = Path("/dev/full")
SHOWN = (
    ["status"], ["history"], ["report"], ["report", "--json"], ["export"], ["sql", "select * from range(20000)"],
    ["--help"],
)  # fmt: skip


def build(shell: Shell) -> None:
    assert shell.run("run", "--", "sh", "-c", "echo a line; exit 3")[0] == 3


def typed(shell: Shell, arguments: list[str], redirected: str) -> subprocess.CompletedProcess[str]:
    """Type a command with its output sent somewhere by a shell."""
    line = f'exec "$@" {redirected}'
    return subprocess.run(
        ["sh", "-c", line, "sh", sys.executable, "-m", "toolkit", *arguments], cwd=shell.folder, env=shell.environment,
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip


@pytest.mark.skipif(not FULL.is_char_device(), reason="there is no device that is always full")
def test_output_that_nobody_takes_is_an_error(shell: Shell) -> None:
    """A full disk behind stdout is said, and is no success: whoever reads the file later must not believe it whole."""
    build(shell)
    for arguments in SHOWN:
        ended = typed(shell, arguments, ">/dev/full")

        assert ended.returncode == 5, arguments
        assert ended.stderr.splitlines() == [
            "error: cannot write to stdout: No space left on device",
            "hint: Make room, or send the output elsewhere.",
        ]


def test_a_closed_output_is_no_fault(shell: Shell) -> None:
    """Who closes stdout wants to see nothing: every command does its work, and no file of ours takes that place."""
    build(shell)
    for arguments in SHOWN:
        ended = typed(shell, arguments, ">&-")

        assert (ended.returncode, ended.stderr) == (0, ""), arguments


def test_a_link_goes_on_naming_its_file(tmp_path: Path) -> None:
    """What a link names is replaced, and nothing is left beside it."""
    (tmp_path / "there").mkdir()
    (tmp_path / "there/file").write_text("old")
    (tmp_path / "link").symlink_to("there/file")
    write_whole(str(tmp_path / "link"), "new")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there/file").read_text() == "new"
    assert [each.name for each in (tmp_path / "there").iterdir()] == ["file"]


def test_a_pipe_is_written_into(shell: Shell) -> None:
    """A pipe or a device is no file to be replaced: as root, /dev/null would become one for everybody."""
    build(shell)
    pipe = shell.folder / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True) as reader:
        code, out, error = shell.run("export", "-o", str(pipe))
        told, _ = reader.communicate(timeout=60)

    assert (code, out, error) == (0, "", "")
    assert pipe.is_fifo()
    assert '"status": "failed"' in told


def test_a_file_behind_stdout_is_written_on(shell: Shell) -> None:
    """/dev/stdout is what stdout is, at the place where it stands."""
    build(shell)
    (shell.folder / "kept").write_text("before\n")
    ended = typed(shell, ["export", "-o", "/dev/stdout"], ">>kept")
    told = (shell.folder / "kept").read_text()

    assert (ended.returncode, ended.stderr) == (0, "")
    assert told.startswith("before\n{")
    assert '"status": "failed"' in told
