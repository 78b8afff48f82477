"""The build's own Python is none of ours, nor is ours the build's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

NAMES = ("logging", "apsw", "enum", "json", "signal", "subprocess", "typing", "random", "threading", "select")
COMMANDS = {
    "the command": [str(Path(sys.executable).with_name("toolkit"))],
    "the module": [sys.executable, "-m", "toolkit"],
}
SHOW = "echo out; echo $PYTHONPATH:$PYTHONWARNINGS; exit 3"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give a project whose modules are named like those that we use, in its folder and in one on PYTHONPATH."""
    (tmp_path / "lib").mkdir()
    for folder in (tmp_path, tmp_path / "lib"):
        for name in NAMES:
            (folder / f"{name}.py").write_text("raise SystemExit('a module of the project was loaded')\n")
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
@pytest.mark.parametrize("way", ["here", "on PYTHONPATH", "here, relative"])
def test_modules_of_the_project_stay_its_own(command: list[str], way: str, project: Path) -> None:
    """A project's own `logging.py` never gets into us; the build finds PYTHONPATH and PYTHONWARNINGS as they were."""
    path = {"here": "", "on PYTHONPATH": f"{project / 'lib'}", "here, relative": "lib:"}[way]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": path, "PYTHONWARNINGS": "error"}
    ended = subprocess.run(
        [*command, "run", "--", "sh", "-c", SHOW],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (3, f"out\n{path}:error\n", "")


def test_settings_of_python_stay_the_builds_own(tmp_path: Path) -> None:
    """Settings that break or delay any Python, or make it talk, do not reach the installed command."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONHOME": "/nowhere",
        "PYTHONVERBOSE": "1",
        "PYTHONPROFILEIMPORTTIME": "1",
    }
    ended = subprocess.run(
        [*COMMANDS["the command"], "run", "--", "sh", "-c", "echo $PYTHONHOME $PYTHONVERBOSE"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "/nowhere 1\n", "")
