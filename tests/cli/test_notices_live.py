"""Who is told of a held, failed or stuck build: by a command or an address, once, and never at the build's expense."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from toolkit.configure.checking import check

if TYPE_CHECKING:
    from pathlib import Path

    from tests.transcripts import Shell

FAILS = """\
code = 70
name = "tests"
strategy = "manual"
access = "ssh root@green"
run = "echo FAILED test_boot; exit 3"
"""
COMMAND = '(echo "$TOOLKIT_EVENT: $TOOLKIT_TITLE"; cat) >> told'


def configure(shell: Shell, notify: str, phase: str = "selective-retry", state: str = FAILS) -> None:
    """Write a project whose only state fails."""
    text = f'phase = "{phase}"\n[pipeline]\nname = "image"\n[[states]]\n{state}[notify]\n{notify}\n'
    (shell.folder / "toolkit.toml").write_text(text)


def told(folder: Path) -> list[str]:
    """Give the lines that arrived."""
    file = folder / "told"
    return file.read_text().splitlines() if file.exists() else []


def test_a_held_build_tells_how_to_mend_it(shell: Shell) -> None:
    """The message of a hold has the reason, the proof, the log, the way in, and what can be done."""
    configure(shell, f"command = '{COMMAND}'")
    assert shell.run("run")[:2] == (3, "FAILED test_boot\n")
    lines = told(shell.folder)
    assert lines[0] == "hold: b-0001 (image) waits for a person at state 70 tests"
    text = "\n".join(lines)
    for expected in (
        "line 1: FAILED test_boot", "toolkit logs b-0001 --state 70 --attempt 1", "ssh root@green", str(shell.folder),
        "toolkit release b-0001", "toolkit skip b-0001 --state 70", "toolkit abandon b-0001",
    ):  # fmt: skip
        assert expected in text
    assert shell.run("run")[0] == 6
    assert told(shell.folder) == lines
    shell.run("release")
    shell.run("run")
    assert len([line for line in told(shell.folder) if line.startswith("hold: ")]) == 2


def test_a_failure_is_told_once(shell: Shell) -> None:
    """However often a build is started over and fails alike, it is one incident; another failure is another."""
    configure(shell, f"command = '{COMMAND}'", phase="track-only", state='code = 5\nrun = "cat says; exit 1"\n')
    for says in ("E1 broker lost", "E1 broker lost", "no such role"):
        (shell.folder / "says").write_text(f"{says}\n")
        assert shell.run("run")[0] == 1
    titles = [line for line in told(shell.folder) if line.startswith("failure: ")]
    assert titles == ["failure: b-0001 (image) failed at state 5"] * 2


def test_only_what_is_asked_for_is_told(shell: Shell) -> None:
    """`on` chooses; a held build is not told of as failed too."""
    configure(shell, f"command = '{COMMAND}'\non = [\"failure\"]")
    assert shell.run("run")[0] == 3
    assert told(shell.folder) == []


def test_who_holds_a_build_between_two_runs_is_not_told_that_it_failed(shell: Shell) -> None:
    """A person takes a build in hand just before it goes on by itself: it stays there, and no more is said."""
    (shell.folder / "toolkit.toml").write_text(
        'phase = "selective-retry"\n[pipeline]\nname = "image"\nresume_command = "./build.sh"\n'
        '[[states]]\ncode = 5\nstrategy = "soon"\nreset = "toolkit hold -m looking"\n'
        f'[notify]\ncommand = \'{COMMAND}\'\n[strategies.soon]\non = ["network"]\nwait = "10ms"\n'
    )
    script = "#!/bin/sh\necho ::state 5 started::\necho 'curl: (28) Connection timed out'\nexit 28\n"
    code, _, error = shell.run("run", "--", shell.script("build.sh", script))
    assert (code, error.splitlines()) == (
        28,
        ["toolkit: warning: the build cannot go on by itself: build b-0001 is held: looking"],
    )
    assert told(shell.folder) == []
    assert shell.json("status")["held"]


def test_a_message_never_hurts_the_build(shell: Shell) -> None:
    """A command that fails changes neither output nor exit code, and is complained of in a log."""
    configure(shell, "command = 'echo no mail here; exit 9'")
    assert shell.run("run") == (3, "FAILED test_boot\n", "")
    complaint = (shell.folder / ".toolkit" / "notify.log").read_text()
    assert "was not sent: the command ended with 9: no mail here" in complaint


@pytest.mark.long
def test_a_message_that_hangs_is_not_waited_for(shell: Shell) -> None:
    """A run ends while its message is still on the way, after a short while in which it may have been sent."""
    configure(shell, "command = 'sleep 100; touch sent'")
    began = time.monotonic()
    assert shell.run("run")[0] == 3
    assert time.monotonic() - began < 90
    assert not (shell.folder / "sent").exists()


def test_addresses_get_it_through_apprise(shell: Shell) -> None:
    """With the extra `notify`, addresses of chats, mail and webhooks get the same message; secrets stay outside."""
    arrived: list[dict[str, Any]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            arrived.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        configure(shell, 'urls = ["env:TEAM_CHAT"]')
        shell.environment["TEAM_CHAT"] = f"json://127.0.0.1:{server.server_address[1]}/"
        assert shell.run("run")[0] == 3
        deadline = time.monotonic() + 60
        while not arrived and time.monotonic() < deadline:
            time.sleep(0.1)
        server.shutdown()
    assert arrived[0]["title"] == "b-0001 (image) waits for a person at state 70 tests"
    assert "FAILED test_boot" in arrived[0]["message"]


def test_doubtful_notices_are_found() -> None:
    """`check` refuses what is no address, and doubts messages that nobody gets."""

    def faults(text: str) -> list[tuple[str, bool]]:
        return [(each.message, each.warning) for each in check(f"[notify]\n{text}\n".encode(), "toolkit.toml")[1]]

    assert faults('urls = ["team@example.com"]') == [("'team@example.com' is not an address", False)]
    assert faults('urls = ["nonsense://host"]') == [("'nonsense:…' is no address that Apprise knows", True)]
    assert faults('on = ["hold"]') == [("nobody is told: there is neither a command nor an address", True)]
    assert faults('command = "true"\non = []') == [("nothing is told of", True)]
    assert faults('command = "true"\nurls = ["json://localhost/", "env:CHAT"]') == []
