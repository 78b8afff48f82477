"""sudo around a wrapped build and within it: each does, and sees, what it would have."""

# ruff: noqa: E501 - a scene is a line of shell, and broken lines would be another scene

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.supervise.bare import both

if TYPE_CHECKING:
    from pathlib import Path


def may_sudo() -> bool:
    """Tell whether sudo is there and asks for no password."""
    return bool(shutil.which("sudo")) and not subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode  # fmt: skip


pytestmark = pytest.mark.skipif(not may_sudo(), reason="sudo without a password")

CASES = {
    "around": "sudo -n $W sh -c 'echo out; echo err >&2; id -un; exit 7'; echo $?",
    "within": "$W sudo -n sh -c 'echo out; echo err >&2; id -un; exit 7'; echo $?",
    "who asked": "sudo -n $W sh -c 'echo $SUDO_USER $SUDO_UID $SUDO_COMMAND' | sed 's/ .*sh -c/ sh -c/'",
    "its environment": "FOO=1 LC_ALL=C sudo -n $W env | grep -v '^SUDO_COMMAND\\|^_=\\|^TOOLKIT_' | sort",
    "the environment kept": "FOO=1 sudo -n --preserve-env=FOO $W sh -c 'echo $FOO'",
    "another user": "$W sudo -n -u nobody sh -c 'echo hi; echo no >&2; id -un'; echo $?",
    "another user's own outputs": "$W sudo -n -u nobody sh -c 'echo x > /dev/stdout'; echo $?",
    "input": "echo typed | sudo -n $W cat; echo typed | $W sudo -n cat",
    "a signal's death": "sudo -n $W sh -c 'kill -9 $$'; echo $?; $W sudo -n sh -c 'kill -TERM $$'; echo $?",
    "descriptors": "sudo -n -C 10 $W sh -c 'echo to5 >&5' 5>&1 2>/dev/null; echo $?",
    "both around": "sudo -n $W sudo -n $W sh -c 'echo in; exit 3'; echo $?",
    "asked to end": "set -m; sudo -n $W sh -c 'trap \"echo t; exit 4\" TERM; echo up > u; while :; do sleep 0.05; done' & p=$!; shown u up; kill $p; wait $p; echo $?",
    "asked to end from outside": "set -m; $W sudo -n sh -c 'trap \"echo t; exit 4\" TERM; echo up > u; while :; do sleep 0.05; done' & p=$!; shown u up; kill $p; wait $p; echo $?",
    "with a time limit": "timeout 1 sudo -n $W sleep 9; echo $?; timeout 1 $W sudo -n sleep 9; echo $?",
    "nohup": "nohup sudo -n $W sh -c 'kill -HUP $$; echo alive' 2>/dev/null; echo $?",
}


@pytest.mark.parametrize("script", CASES.values(), ids=CASES.keys())
def test_sudo(script: str, tmp_path: Path) -> None:
    """A build may be started by sudo, and may start what it likes by sudo: nobody can tell that it is wrapped."""
    bare, wrapped = both(script, tmp_path)

    assert wrapped == bare
