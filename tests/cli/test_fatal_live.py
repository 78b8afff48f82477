"""A fatal line ends the attempt when it is printed, not when its time-out has passed, and only where it may."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.cli.test_phases_live import HELPER, configure

if TYPE_CHECKING:
    from tests.transcripts import Shell

RULE = '[[rules]]\nid = "forge.lost"\nclass = "unavailable"\nmatch = \'E7713 broker handshake lost\'\nfatal = true\n'
STATE = '[[states]]\ncode = 5\nname = "kickstart"\nstrategy = "soon"\ntimeout = "10m"\n'
HANGS = 'echo booting; [ -e mended ] || { touch mended; echo "E7713 broker handshake lost"; sleep 500; }; echo up'


def failures(shell: Shell) -> list[tuple[str, str, str]]:
    """Give class, signature and error of what failed."""
    events = shell.json("history")["events"]
    return [(each["class"], each["signature"], each["error"]) for each in events if each["status"] == "failed"]


@pytest.mark.parametrize("strict", ["", "set -e\n"])
def test_an_instrumented_step_ends_at_its_fatal_line(shell: Shell, strict: str) -> None:
    """The step's processes end, its script stays, and the phase decides by that very line: here, to try again."""
    configure(shell, "selective-retry", STATE + RULE)
    shell.script("kick.sh", f"#!/bin/sh\n{HANGS}\n")
    build = shell.script(
        "build.sh",
        "#!/bin/bash\n" + HELPER.replace("set -e\n", strict) + "kick() { ./kick.sh && n=$((n + 1)); }\n"
        "state 5 kickstart -- kick\necho after $n\n",
    )
    began = time.monotonic()
    code, out, _ = shell.run("run", "--", build)
    assert time.monotonic() - began < 100
    assert (code, out.splitlines()[-3:]) == (0, ["booting", "up", "after 1"])
    assert failures(shell) == [("unavailable", "forge.lost", "E7713 broker handshake lost")]


def test_a_command_of_the_pipeline_ends_at_its_fatal_line(shell: Shell) -> None:
    """So does a state that we run ourselves."""
    configure(shell, "selective-retry", f"{STATE}run = '''{HANGS}'''\n{RULE}")
    assert shell.run("run")[:2] == (0, "booting\nE7713 broker handshake lost\nbooting\nup\n")
    assert failures(shell) == [("unavailable", "forge.lost", "E7713 broker handshake lost")]


def test_a_state_names_what_is_fatal_to_it(shell: Shell) -> None:
    """A built-in rule is fatal where a state says so."""
    full = 'echo "cp: error writing: No space left on device"; sleep 500'
    configure(shell, "selective-retry", f"{STATE}fatal = [\"disk.full\"]\nrun = '''{full}'''\n")
    assert shell.run("run")[0] != 0
    assert [each[:2] for each in failures(shell)] == [("resource", "disk.full")]


def test_nothing_is_ended_in_track_only(shell: Shell) -> None:
    """Under track-only no line ends anything: the build cannot tell that it is wrapped."""
    configure(shell, "track-only", STATE + RULE)
    build = shell.script("build.sh", '#!/bin/sh\necho "E7713 broker handshake lost"\nsleep 1\necho up\n')
    assert shell.run("run", "--", build)[:2] == (0, "E7713 broker handshake lost\nup\n")
