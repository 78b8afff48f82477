"""What a fingerprint notices, what it does not, and how it says so."""

from __future__ import annotations

import hashlib
import json
import os
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.supervise.projects import project_in
from toolkit.core.fingerprints import Fingerprint, changes, fingerprint_from, id_of
from toolkit.core.pipeline import StateConfig
from toolkit.supervise.fingerprint import inputs_of, missing_outputs, outputs_of, take_inputs
from toolkit.supervise.hashes import LARGE, Hashes

if TYPE_CHECKING:
    from pathlib import Path

    from toolkit.project import Project

SLOW = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
NAMES = st.text("abcdef.-_ äß\n'\"{", min_size=1, max_size=8).filter(lambda name: name.strip(". ") != "")
CONTENTS = st.dictionaries(NAMES, st.binary(min_size=1, max_size=40), min_size=1, max_size=5)


def declares(*inputs: str, run: str = "") -> StateConfig:
    return StateConfig(code=5, name="kickstart", inputs=inputs, run=run)


def told(project: Project, state: StateConfig, recorded: str | None) -> tuple[str, ...]:
    now = take_inputs(state, project)
    assert now is not None
    return changes(recorded, now)


@SLOW
@given(CONTENTS, st.data())
def test_any_byte_of_any_input_is_noticed_and_named(
    tmp_path_factory: pytest.TempPathFactory, contents: dict[str, bytes], data: st.DataObject
) -> None:
    """Whichever byte of whichever file changes: the id is another, and the file is named, and no other is."""
    folder = tmp_path_factory.mktemp("project")
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    state, project = declares(*contents), project_in(folder)
    recorded = inputs_of(state, project)
    victim = data.draw(st.sampled_from(sorted(contents)))
    place = data.draw(st.integers(0, len(contents[victim]) - 1))
    changed = bytearray(contents[victim])
    changed[place] ^= data.draw(st.integers(1, 255))
    (folder / victim).write_bytes(changed)

    assert id_of(inputs_of(state, project)) != id_of(recorded)
    assert told(project, state, recorded) == (f"{victim} changed",)


@SLOW
@given(CONTENTS, st.randoms())
def test_neither_order_nor_dates_nor_a_copy_matter(
    tmp_path_factory: pytest.TempPathFactory, contents: dict[str, bytes], random: object
) -> None:
    """The same content has the same fingerprint, however it is listed and whenever it was written."""
    folder = tmp_path_factory.mktemp("project")
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    project, names = project_in(folder), list(contents)
    recorded = inputs_of(declares(*names), project)
    for name, content in contents.items():
        (folder / name).unlink()
        (folder / name).write_bytes(content)
        os.utime(folder / name, (1, 1))
    random.shuffle(names)  # type: ignore[attr-defined]

    assert inputs_of(declares(*names, names[0]), project) == recorded


@given(
    st.dictionaries(st.text(), st.text(min_size=1)),
    st.dictionaries(st.text(), st.dictionaries(st.text(), st.text(), min_size=1)),
    st.text(),
    st.text(),
)
def test_what_is_written_down_is_read_again(
    parts: dict[str, str], files: dict[str, dict[str, str]], run: str, key: str
) -> None:
    """A fingerprint comes back from its line as it was, whatever files are called."""
    fingerprint = Fingerprint(parts=parts, files=files, run=run, key=key)

    assert fingerprint_from(fingerprint.text) == fingerprint
    assert id_of(fingerprint.text) == f"v1:{fingerprint.id}"
    assert "\n" not in fingerprint.text


def test_a_hash_is_what_sha256sum_prints(tmp_path: Path) -> None:
    """Anybody can check a recorded hash with the usual tools."""
    (tmp_path / "ks.cfg").write_text("lang en_US\n")
    taken = take_inputs(declares("ks.cfg"), project_in(tmp_path))

    assert taken is not None
    assert taken.parts == {"ks.cfg": hashlib.sha256(b"lang en_US\n").hexdigest()}


def test_globs_and_folders_name_the_files_that_differ(tmp_path: Path) -> None:
    """Behind a glob or a folder, the very files are named that changed, came or went; many are counted."""
    for name in ("roles/a/main.yml", "roles/b/main.yml", "roles/b/notes.txt", "files/motd"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    state, project = declares("roles/**/*.yml", "files"), project_in(tmp_path)
    recorded = inputs_of(state, project)
    (tmp_path / "roles/b/notes.txt").write_text("no part of it")
    assert told(project, state, recorded) == ()
    (tmp_path / "roles/a/main.yml").write_text("changed")
    (tmp_path / "roles/b/main.yml").unlink()
    (tmp_path / "files/issue").write_text("new")

    assert told(project, state, recorded) == (
        "files/issue is new", "roles/a/main.yml changed, roles/b/main.yml missing",
    )  # fmt: skip
    for number in range(6):
        (tmp_path / f"files/{number}").write_text("more")
    assert told(project, state, recorded)[0] == "files/0 is new, files/1 is new, files/2 is new and 4 more"


def test_our_own_records_and_commits_are_no_part_of_a_folder(tmp_path: Path) -> None:
    """Declaring the whole project as an input does not make every build and every commit a change."""
    (tmp_path / "build.sh").write_text("true")
    state, project = declares("**", "."), project_in(tmp_path)
    recorded = inputs_of(state, project)
    for name in (".git/HEAD", ".toolkit/history.db"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("changes all the time")

    assert told(project, state, recorded) == ()


def test_a_missing_file_is_a_value_of_its_own(tmp_path: Path) -> None:
    """Missing then and missing now is the same; coming and going are told apart."""
    state, project = declares("ks.cfg", "*.repo"), project_in(tmp_path)
    recorded = inputs_of(state, project)
    assert told(project, state, recorded) == ()
    (tmp_path / "ks.cfg").write_text("")
    assert told(project, state, recorded) == ("ks.cfg was missing",)
    there = inputs_of(state, project)
    (tmp_path / "ks.cfg").unlink()
    assert told(project, state, there) == ("ks.cfg missing",)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_what_cannot_be_read_equals_nothing(tmp_path: Path) -> None:
    """An unreadable input is never taken for unchanged."""
    (tmp_path / "key").write_text("x")
    (tmp_path / "key").chmod(0)
    state, project = declares("key"), project_in(tmp_path)

    assert told(project, state, inputs_of(state, project)) == ("key cannot be read",)


def test_pipes_devices_and_loops_do_not_hang(tmp_path: Path) -> None:
    """Whatever lies in a declared folder, taking its fingerprint comes to an end."""
    (tmp_path / "tree").mkdir()
    os.mkfifo(tmp_path / "tree" / "pipe")
    (tmp_path / "tree" / "loop").symlink_to(".")
    (tmp_path / "tree" / "dangling").symlink_to("nowhere")
    (tmp_path / "tree" / "null").symlink_to("/dev/null")
    (tmp_path / "odd\udcff").write_bytes(b"a name that is no text")
    state, project = declares("tree", "tree/**/x", "odd*", "tree/pipe"), project_in(tmp_path)

    assert told(project, state, inputs_of(state, project)) == ()


def test_variables_are_recorded_without_their_values(tmp_path: Path) -> None:
    """A variable that changed is named; its value is not in the record, and cannot be guessed from it."""
    state, project = declares("env:RELEASE", run="./build.sh --password hunter2"), project_in(tmp_path)
    recorded = inputs_of(state, project, environ={"RELEASE": "42"})
    now = take_inputs(state, project, environ={"RELEASE": "43"})
    gone = take_inputs(state, project, environ={})
    assert recorded is not None
    assert now is not None
    assert gone is not None

    assert changes(recorded, now) == ("env:RELEASE changed",)
    assert changes(recorded, gone) == ("env:RELEASE changed",)
    assert "hunter2" not in recorded
    assert not any(hash_of(b"42").hexdigest() in recorded for hash_of in (hashlib.sha256, hashlib.blake2b, hashlib.md5))
    assert (tmp_path / ".toolkit" / "key").stat().st_mode & 0o777 == 0o600


def test_hashes_of_another_key_are_not_called_a_change(tmp_path: Path) -> None:
    """Where the key is another one, that is what is said: nobody looks for a change that was none."""
    state, project = declares("env:RELEASE"), project_in(tmp_path)
    recorded = inputs_of(state, project, environ={"RELEASE": "42"})
    (tmp_path / ".toolkit" / "key").unlink()
    now = take_inputs(state, project, environ={"RELEASE": "42"})
    assert now is not None

    assert changes(recorded, now) == ("env:RELEASE cannot be compared: it was recorded elsewhere, with another key",)


def test_the_command_line_is_an_input(tmp_path: Path) -> None:
    """A state of the pipeline that is told to run something else is another state."""
    project = project_in(tmp_path)
    recorded = inputs_of(declares(run="./kickstart.sh"), project)

    assert told(project, declares(run="./kickstart.sh"), recorded) == ()
    assert told(project, declares(run="./kickstart.sh --vm green"), recorded) == ("`run` changed",)


def test_declaring_more_or_less(tmp_path: Path) -> None:
    """An input that is declared now and was not then is a change; one that is no longer declared does not matter."""
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    project = project_in(tmp_path)

    assert told(project, declares("a", "b"), inputs_of(declares("a"), project)) == ("b is new",)
    assert told(project, declares("a"), inputs_of(declares("a", "b"), project)) == ()
    assert told(project, declares("a"), None) == ("none were recorded",)


def test_fingerprints_of_other_versions_are_told_apart(tmp_path: Path) -> None:
    """An upgrade of ours is never silently taken for a change, nor a change for none."""
    (tmp_path / "a").write_text("a")
    project = project_in(tmp_path)

    assert told(project, declares("a"), "v9:0123 {}") == ("recorded by a version that cannot be compared",)
    assert told(project, declares("a"), "v1:0123") == ("changed, their parts were not recorded",)
    assert told(project, declares("a"), id_of(inputs_of(declares("a"), project))) == ()


def test_the_schema_is_kept(tmp_path: Path) -> None:
    """What this version records is what every later one has to recognise."""
    (tmp_path / "ks.cfg").write_text("lang en_US\n")

    assert inputs_of(declares("ks.cfg", "*.repo"), project_in(tmp_path)) == (
        'v1:c83489e4564559b2b84b945865424a9a {"parts":{"*.repo":"missing",'
        '"ks.cfg":"350c552dea4bc158e82506936727382f58b0178394afa327e08334e41dd7aa2c"}}'
    )


def test_outputs(tmp_path: Path) -> None:
    """Outputs that are not there are named, whether files or globs; a state without any has no fingerprint."""
    state, project = StateConfig(code=5, outputs=("build/green.qcow2", "*.log")), project_in(tmp_path)
    (tmp_path / "a.log").touch()

    assert missing_outputs(state, project) == ("build/green.qcow2",)
    assert outputs_of(StateConfig(code=5), project) is None


def large(path: Path, first: bytes) -> None:
    path.write_bytes(first + bytes(LARGE))


def test_the_cache_is_never_believed_about_a_fresh_file(tmp_path: Path) -> None:
    """A file that is written again at once, with its size and dates put back, is noticed all the same."""
    disk = tmp_path / "green.qcow2"
    large(disk, b"a")
    known = Hashes(str(tmp_path))
    before, about = known.of(str(disk)), disk.stat()
    with disk.open("r+b") as file:
        file.write(b"b")
    os.utime(disk, ns=(about.st_atime_ns, about.st_mtime_ns))

    assert known.of(str(disk)) != before


def test_the_cache_saves_reading_a_settled_file_again(tmp_path: Path) -> None:
    """A large file that was left alone is read once; whatever touches it has it read again."""
    disk = tmp_path / "green.qcow2"
    large(disk, b"a")
    time.sleep(2.1)
    known = Hashes(str(tmp_path))
    first = known.of(str(disk))
    known.save()
    kept = json.loads((tmp_path / "cache" / "hashes").read_text())
    assert [each[-1] for each in kept.values()] == [first]
    forged = {path: [*each[:-1], "believed"] for path, each in kept.items()}
    (tmp_path / "cache" / "hashes").write_text(json.dumps(forged))

    assert Hashes(str(tmp_path)).of(str(disk)) == "believed"
    os.utime(disk, ns=(disk.stat().st_atime_ns, disk.stat().st_mtime_ns))  # the time of change is not ours to set
    assert Hashes(str(tmp_path)).of(str(disk)) == first


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b'{"PATH": 3}', b'{"PATH": []}', b"\xff\x00"])
def test_a_damaged_cache_is_none(tmp_path: Path, damage: bytes) -> None:
    """A cache that makes no sense costs reading the file, nothing else."""
    disk = tmp_path / "green.qcow2"
    large(disk, b"a")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "hashes").write_bytes(damage.replace(b"PATH", os.fsencode(disk)))

    assert Hashes(str(tmp_path)).of(str(disk)) == hashlib.sha256(disk.read_bytes()).hexdigest()
