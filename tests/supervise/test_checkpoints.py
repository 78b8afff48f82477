"""Checkpoints: kept whole or not at all, given back exactly, and gone when nobody needs them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.supervise.projects import project_in
from toolkit.core.pipeline import StateConfig
from toolkit.supervise.checkpoints import RECIPES, discard, expire, list_checkpoints, restore, save, unavailable

if TYPE_CHECKING:
    from toolkit.project import Project

BUILD = "b-0001"
KEEPS = {"checkpoint": 'cp disk "$TOOLKIT_CHECKPOINT/"', "restore": 'cp "$TOOLKIT_CHECKPOINT/disk" disk'}

needs_qemu = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project folder with a disk in it."""
    (tmp_path / "disk").write_text("kickstarted")
    return tmp_path


def keeping(folder: Path, **fields: Any) -> tuple[StateConfig, Project]:
    state = StateConfig(code=5, **{**KEEPS, **fields})
    return state, project_in(folder, state)


def test_what_a_state_left_behind_comes_back(folder: Path) -> None:
    """A checkpoint is restored as it was saved, as often as needed."""
    state, project = keeping(folder)
    assert save(state, project, BUILD, 1) == ""
    for _ in range(2):
        (folder / "disk").write_text("half provisioned")
        assert restore(state, project, BUILD, 1) == ""
        assert (folder / "disk").read_text() == "kickstarted"


def test_a_failing_save_leaves_nothing_to_trust(folder: Path) -> None:
    """A checkpoint that could not be finished does not exist, and the reason is told."""
    state, project = keeping(folder, checkpoint='cp disk "$TOOLKIT_CHECKPOINT/"; echo "no space left"; exit 1')

    assert save(state, project, BUILD, 1).endswith("ended with 1: no space left")
    assert list_checkpoints(project) == ()
    assert unavailable(state, project, BUILD, 1) == "there is no whole checkpoint of it"


def test_a_save_that_was_killed_counts_for_nothing(folder: Path) -> None:
    """What lies there without its note was never finished: it is not restored, and it is cleaned up."""
    state, project = keeping(folder)
    assert save(state, project, BUILD, 1) == ""
    Path(f"{list_checkpoints(project)[0].path}.whole").unlink()

    assert restore(state, project, BUILD, 1) == "there is no whole checkpoint of it"
    assert expire(project, {BUILD: "in_progress"}) == ()
    assert len(list_checkpoints(project)) == 1
    assert expire(project, {BUILD: "failed"}) == ()
    assert list_checkpoints(project) == ()


def test_a_later_attempt_replaces_the_checkpoint(folder: Path) -> None:
    """A state has one checkpoint in a build, that of the attempt that completed last."""
    state, project = keeping(folder, discard='echo "$TOOLKIT_STATE-$TOOLKIT_ATTEMPT" >> discarded')
    save(state, project, BUILD, 1)
    (folder / "disk").write_text("kickstarted again")
    save(state, project, BUILD, 2)

    assert [each.attempt for each in list_checkpoints(project)] == [2]
    assert (folder / "discarded").read_text() == "5-1\n"
    assert unavailable(state, project, BUILD, 1) == "there is no whole checkpoint of it"
    assert restore(state, project, BUILD, 2) == ""


def test_a_failing_restore_is_told(folder: Path) -> None:
    """Nothing may go on from a checkpoint that did not come back."""
    state, project = keeping(folder, restore="echo damaged; false")
    save(state, project, BUILD, 1)

    assert restore(state, project, BUILD, 1) == "`echo damaged; false` ended with 1: damaged"


def test_a_checkpoint_grows_old(folder: Path) -> None:
    """Past its age a checkpoint is not restored, and removed."""
    state, project = keeping(folder, checkpoint_age=3600.0)
    save(state, project, BUILD, 1)
    assert unavailable(state, project, BUILD, 1) == ""
    Path(f"{list_checkpoints(project)[0].path}.whole").write_text('{"saved": 1.0}')

    assert restore(state, project, BUILD, 1) == "its checkpoint is older than 1h"
    assert expire(project, {BUILD: "failed"}) == ()
    assert list_checkpoints(project) == ()


@pytest.mark.parametrize(
    ("status", "kept"),
    [("failed", 1), ("interrupted", 1), ("in_progress", 1), ("completed", 0), ("abandoned", 0), (None, 1)],
)
def test_checkpoints_go_with_their_build(folder: Path, status: str | None, kept: int) -> None:
    """As long as a build may be resumed its checkpoints stay; afterwards nothing of them is left."""
    state, project = keeping(folder)
    save(state, project, BUILD, 1)

    assert expire(project, {} if status is None else {BUILD: status}) == ()
    assert len(list_checkpoints(project)) == kept
    assert (folder / ".toolkit" / "checkpoints" / BUILD).exists() == bool(kept)


def test_states_without_hooks_cost_nothing(folder: Path) -> None:
    """Where no checkpoint is asked for, nothing is made."""
    project = project_in(folder, StateConfig(code=5))

    assert save(project.state(5), project, BUILD, 1) == ""
    assert restore(project.state(5), project, BUILD, 1) == "it has no `restore`"
    assert not (folder / ".toolkit").exists()


def test_what_links_point_at_is_not_removed(folder: Path) -> None:
    """Discarding a checkpoint removes what is in it, never what it points at."""
    command = 'ln -s "$PWD" "$TOOLKIT_CHECKPOINT/link"; mkdir "$TOOLKIT_CHECKPOINT/d"'
    state, project = keeping(folder, checkpoint=command)
    save(state, project, BUILD, 1)

    assert discard(list_checkpoints(project)[0], state, project) == ""
    assert (folder / "disk").exists()
    assert list_checkpoints(project) == ()


# ---------------------------------------------------------------- the recipes


def recipe(name: str, what: str, *, way: str = "") -> dict[str, str]:
    """Give the hooks the way the recipe's own head shows them."""
    call = f'sh "$TOOLKIT_RECIPES/{name}" {{}} {what} {way}'
    return {"checkpoint": call.format("save"), "restore": call.format("restore")}


def test_disk_recipe(folder: Path) -> None:
    """A disk image comes back byte for byte, holes, mode and all, and in one piece."""
    image = folder / "green disk.img"
    image.write_bytes(os.urandom(1 << 20))
    os.truncate(image, 64 << 20)
    image.chmod(0o640)
    before = hashlib.sha256(image.read_bytes()).hexdigest()
    state, project = keeping(folder, **recipe("disk.sh", '"green disk.img"'))
    assert save(state, project, BUILD, 1) == ""
    image.write_bytes(b"spoilt")

    assert restore(state, project, BUILD, 1) == ""
    assert hashlib.sha256(image.read_bytes()).hexdigest() == before
    assert image.stat().st_mode & 0o777 == 0o640
    assert image.stat().st_blocks * 512 < 4 << 20
    assert sorted(each.name for each in folder.glob("*restoring*")) == []


@needs_qemu
def test_snapshot_recipe(folder: Path) -> None:
    """A qcow2 image goes back to the snapshot in it, and is sound; discarding leaves no snapshot behind."""
    image = str(folder / "green.qcow2")

    def qemu(program: str, *arguments: str) -> str:
        return subprocess.run([program, *arguments], capture_output=True, text=True, check=True, timeout=60).stdout

    qemu("qemu-img", "create", "-q", "-f", "qcow2", image, "64M")
    qemu("qemu-io", "-c", "write -P 7 0 1M", image)
    call = 'sh "$TOOLKIT_RECIPES/disk.sh" discard green.qcow2 snapshot'
    state, project = keeping(folder, **recipe("disk.sh", "green.qcow2", way="snapshot"), discard=call)
    assert save(state, project, BUILD, 1) == ""
    qemu("qemu-io", "-c", "write -P 9 0 1M", image)

    assert restore(state, project, BUILD, 1) == ""
    assert "Pattern verification failed" not in qemu("qemu-io", "-c", "read -P 7 0 1M", image)
    qemu("qemu-img", "check", "-q", image)
    assert expire(project, {BUILD: "completed"}) == ()
    assert "toolkit-" not in qemu("qemu-img", "snapshot", "-l", image)


def test_tree_recipe(folder: Path) -> None:
    """A folder comes back with modes, times, links and holes, and without what a half-done step put into it."""
    root = folder / "build" / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc" / "shadow").write_text("root:*:")
    (root / "etc" / "shadow").chmod(0o600)
    (root / "bin").symlink_to("usr/bin")
    os.mkfifo(root / "etc" / "initctl")
    state, project = keeping(folder, **recipe("tree.sh", "build/root/"))
    assert save(state, project, BUILD, 1) == ""
    (root / "etc" / "shadow").write_text("spoilt")
    (root / "var" / "lib").mkdir(parents=True)
    (root / "bin").unlink()

    assert restore(state, project, BUILD, 1) == ""
    there = sorted(str(each.relative_to(root)) for each in root.rglob("*"))
    shadow = root / "etc" / "shadow"
    assert there == ["bin", "etc", "etc/initctl", "etc/shadow"]
    assert (shadow.read_text(), shadow.stat().st_mode & 0o777) == ("root:*:", 0o600)
    assert str((root / "bin").readlink()) == "usr/bin"
    assert sorted(each.name for each in (folder / "build").iterdir()) == ["root"]


def test_recipes_say_what_is_wrong(folder: Path) -> None:
    """A recipe that cannot do what it is asked for fails and says why."""
    state, project = keeping(folder, **recipe("tree.sh", "nowhere"))
    assert "nowhere" in save(state, project, BUILD, 1)
    state, project = keeping(folder, **recipe("disk.sh", "nowhere.img"))
    assert "nowhere.img" in save(state, project, BUILD, 1)


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
@pytest.mark.parametrize("name", ["disk.sh", "tree.sh"])
def test_recipes_are_plain_shell(shell: str, name: str) -> None:
    """The recipes are for whatever `sh` is."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    command = [shell, *(["sh"] if shell == "busybox" else []), "-n", str(Path(RECIPES) / name)]

    assert subprocess.run(command, check=False, timeout=60).returncode == 0
