"""A killed package manager leaves a tree that looks usable and is not: it is refused or replaced, never kept."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.transcripts import Shell

FILES = 60
CONFIGURATION = """
phase = "full-resume"

[pipeline]
name = "golden-image"

[[states]]
code = 10
name = "tree"
run = "rm -rf root && mkdir -p root/var/lib/dpkg/info root/var/lib/dpkg/updates && touch root/var/lib/dpkg/status"
{more}

[[states]]
code = 20
name = "packages"
run = "sh install.sh"
verify = '[ -z "$(dpkg --root=root --audit)" ] && [ "$(ls root/usr/share/p | wc -l)" = 60 ]'
"""
CHECKPOINT = """
checkpoint = 'sh "$TOOLKIT_RECIPES/tree.sh" save root'
restore = 'sh "$TOOLKIT_RECIPES/tree.sh" restore root'
"""
INSTALL = """
# What is there is not unpacked again: so a build saves time, and so it goes on in what was left half done.
aim=
[ ! -e kill ] || aim="strace -f -qq -o /dev/null -e trace=rename -e inject=rename:signal=KILL:when=30"
[ -d root/usr/share/p ] || $aim dpkg --root=root --force-not-root --unpack p.deb || exit 9
dpkg --root=root --force-not-root --configure -a
"""

pytestmark = [
    pytest.mark.skipif(os.getuid() != 0, reason="dpkg changes owners"),
    pytest.mark.skipif(any(shutil.which(each) is None for each in ("dpkg", "dpkg-deb", "strace")), reason="no dpkg"),
]


def killed_while_unpacking(shell: Shell, more: str) -> None:
    """Run a build whose dpkg is killed in the middle of a package."""
    (shell.folder / "toolkit.toml").write_text(CONFIGURATION.format(more=more))
    (shell.folder / "install.sh").write_text(INSTALL)
    package = shell.folder / "p"
    (package / "DEBIAN").mkdir(parents=True)
    (package / "DEBIAN" / "control").write_text(
        "Package: p\nVersion: 1\nArchitecture: all\nMaintainer: p <p@example.org>\nDescription: many files\n"
    )
    (package / "usr/share/p").mkdir(parents=True)
    for number in range(FILES):
        (package / "usr/share/p" / str(number)).write_text(f"{number}\n")
    subprocess.run(["dpkg-deb", "--build", "p", "p.deb"], cwd=shell.folder, check=True, capture_output=True)
    (shell.folder / "kill").touch()
    assert shell.run("run")[0] == 9
    (shell.folder / "kill").unlink()
    assert len(list((shell.folder / "root/usr/share/p").iterdir())) > 0
    assert shell.statuses("b-0001")[-2:] == [(20, "started", 1), (20, "failed", 1)]


def test_going_on_in_a_dirty_tree_is_refused(shell: Shell) -> None:
    """In the same tree dpkg itself ends well and the image is a ruin: `verify` does not believe it, however often."""
    killed_while_unpacking(shell, more="")
    for _ in range(2):
        assert shell.run("resume")[0] != 0
        assert subprocess.run(["sh", "install.sh"], cwd=shell.folder, capture_output=True, check=False).returncode == 0
    assert {status for state, status, _ in shell.statuses("b-0001") if state == 20} == {"started", "failed"}


def test_resuming_from_a_frozen_tree_passes(shell: Shell) -> None:
    """With a checkpoint of the state before it, the resumed state starts from a clean tree, and the image is whole."""
    killed_while_unpacking(shell, more=CHECKPOINT)
    code, _, error = shell.run("resume")

    assert code == 0, error
    assert len(list((shell.folder / "root/usr/share/p").iterdir())) == FILES
    told = [(status, attempt) for state, status, attempt in shell.statuses("b-0001") if state == 10]
    assert told == [("started", 1), ("completed", 1), ("reused", None)]
    assert subprocess.run(
        ["dpkg", f"--root={shell.folder}/root", "--audit"], capture_output=True, check=True
    ).stdout == b""  # fmt: skip
