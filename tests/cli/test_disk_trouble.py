"""A disk that is full, or cannot be written any more, under a build that is to be resumed."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.transcripts import Shell

CONFIGURATION = """
phase = "full-resume"

[pipeline]
name = "golden-image"
"""
BUILD = """#!/bin/sh
. "$TOOLKIT_SHELL"
set -e
one() {{ echo one >>effects; }}
state 5 one -- one
two() {{ echo two >>effects; {trouble}; }}
state 20 two -- two
three() {{ echo three >>effects; }}
state 30 three -- three
[ -e good ]
"""
as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a disk")


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Give a disk of one megabyte."""
    disk = folder / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


def effects(folder: Path) -> list[str]:
    return (folder / "effects").read_text().split()


FILL = "cat /dev/zero >disk/{name} 2>/dev/null || :"


@as_root
def test_what_could_not_be_recorded_is_not_resumed(shell: Shell) -> None:
    """The build goes on with one warning. While the disk is full there is no resume; then all starts over."""
    (shell.folder / "toolkit.toml").write_text(CONFIGURATION)
    shell.script("build.sh", BUILD.format(trouble=FILL.format(name="ballast")))
    with small_disk(shell.folder) as disk:
        store = ("--store", f"sqlite:///{disk}/history.db")
        code, _, error = shell.run("run", *store, "--", "./build.sh")
        assert code == 1
        assert error.count("toolkit: warning: recording is in trouble, the build goes on: ") == 1
        assert effects(shell.folder) == ["one", "two", "three"]
        subprocess.run(["sh", "-c", FILL.format(name="more")], cwd=shell.folder, check=True)
        code, _, error = shell.run("resume", *store)
        assert (code, error.splitlines()[0][:7]) == (5, "error: ")
        assert effects(shell.folder) == ["one", "two", "three"]
        for name in ("ballast", "more"):
            (disk / name).unlink()
        shell.script("build.sh", BUILD.format(trouble=":"))
        (shell.folder / "good").touch()
        code, _, error = shell.run("resume", *store)
        assert code == 0
        assert "toolkit: warning: build b-0001 starts over: its record may have holes" in error
        assert effects(shell.folder) == ["one", "two", "three"] * 2


@as_root
def test_nothing_is_resumed_that_cannot_be_recorded(shell: Shell) -> None:
    """On a disk that became read-only a resume is refused before anything runs; afterwards it goes on as ever."""
    (shell.folder / "toolkit.toml").write_text(CONFIGURATION)
    shell.script("build.sh", BUILD.format(trouble="[ -e good ]"))
    with small_disk(shell.folder) as disk:
        store = ("--store", f"sqlite:///{disk}/history.db")
        assert shell.run("run", *store, "--", "./build.sh")[0] == 1
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        code, _, error = shell.run("resume", *store)
        assert (code, error.splitlines()[0][:7]) == (5, "error: ")
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        assert effects(shell.folder) == ["one", "two"]
        (shell.folder / "good").touch()
        assert shell.run("resume", *store)[0] == 0
        assert effects(shell.folder) == ["one", "two", "two", "three"]
