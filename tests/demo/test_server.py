"""The demonstration's server fails exactly as told, and its build passes once the server does not."""

from __future__ import annotations

import http.client
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from toolkit.demo.server import Fault, FaultyServer, Reply, parse_fault

DEMO = Path(sys.modules[Fault.__module__].__file__ or "").parent
MIRROR = DEMO / "mirror"


def get(server: FaultyServer, path: str, timeout: float = 5.0) -> tuple[int, bytes, str | None]:
    try:
        with urllib.request.urlopen(f"{server.url}/{path}", timeout=timeout) as answer:  # noqa: S310 - our own server
            return answer.status, answer.read(), None
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), error.headers["Retry-After"]


def test_a_folder_is_served_as_it_is() -> None:
    """Without faults every file comes out whole, and what is not there or outside is refused."""
    with FaultyServer(MIRROR) as server:
        assert get(server, "packages.txt") == (200, (MIRROR / "packages.txt").read_bytes(), None)
        assert get(server, "nothing.txt")[0] == 404
        assert get(server, "../server.py")[0] == 403
        assert b'<a href="SHA256SUMS">' in get(server, "")[1]


def test_an_outage_of_some_requests_ends_after_them() -> None:
    """`requests` counts what the fault has hit; then the server is well again."""
    with FaultyServer(MIRROR, [Fault("503", requests=2)]) as server:
        assert [get(server, "packages.txt")[0] for _ in range(3)] == [503, 503, 200]
        assert [hit.outcome for hit in server.hits] == ["503", "503", "200"]


def test_an_outage_of_some_seconds_ends_after_them() -> None:
    """`seconds` counts from the server's start."""
    with FaultyServer(MIRROR, [Fault("503", seconds=0.4)]) as server:
        assert get(server, "packages.txt")[0] == 503
        time.sleep(0.5)
        assert get(server, "packages.txt")[0] == 200


def test_a_limit_says_when_to_come_back() -> None:
    """A 429 carries Retry-After, for the paths it is meant for and after the requests it lets pass."""
    with FaultyServer(MIRROR, [Fault("429", path=r"base", skip=1, retry_after=7)]) as server:
        assert get(server, "base-files.txt")[0] == 200
        assert get(server, "packages.txt")[0] == 200
        assert get(server, "base-files.txt") == (429, b"Too Many Requests\n", "7")


def test_a_reset_is_a_reset() -> None:
    """The client sees the connection reset, not closed."""
    with FaultyServer(MIRROR, [Fault("reset")]) as server, pytest.raises(ConnectionResetError):
        get(server, "packages.txt")


def test_a_cut_answer_is_shorter_than_promised() -> None:
    """The client is told the whole length and gets half of it."""
    with FaultyServer(MIRROR, [Fault("truncate")]) as server, pytest.raises(http.client.IncompleteRead):
        get(server, "packages.txt")


def test_a_stall_outlasts_the_client() -> None:
    """The server says nothing for as long as the client waits, and stopping it does not wait for the client."""
    with FaultyServer(MIRROR, [Fault("stall")]) as server, pytest.raises(TimeoutError):
        get(server, "packages.txt", timeout=0.3)


def test_faults_can_be_changed_while_it_serves() -> None:
    """A server that fell ill recovers without a restart, on the same port."""
    with FaultyServer(lambda target: Reply(200, target.encode())) as server:
        server.change([Fault("500")])
        assert get(server, "x")[0] == 500
        server.change([])
        assert get(server, "x") == (200, b"/x", None)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("503", Fault("503")),
        ("reset,requests=2", Fault("reset", requests=2)),
        (r"429,seconds=1.5,skip=1,retry_after=5,path=\.tar$", Fault("429", r"\.tar$", None, 1.5, 1, 5)),
    ],
)
def test_faults_are_written_in_one_word(text: str, fault: Fault) -> None:
    """The command line's form says all that a fault can be."""
    assert parse_fault(text) == fault


@pytest.mark.parametrize("text", ["", "slow", "200", "503,request=1", "503,requests", "503,requests=x", "503,skip=-1"])
def test_what_is_no_fault_is_refused(text: str) -> None:
    """A fault that cannot be meant is an error, not a server without faults."""
    with pytest.raises(ValueError, match=r"fault|invalid literal"):
        parse_fault(text)


def build(server: FaultyServer, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the demonstration's build without the toolkit in reach."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "DEMO_MIRROR": server.url, "LC_ALL": "C"}
    command = ["bash", str(DEMO / "build.sh"), str(folder / "image")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.skipif(Path("/usr/bin/toolkit").exists(), reason="the toolkit is in reach of every build here")
def test_the_build_fails_once_and_passes_when_started_over(tmp_path: Path) -> None:
    """Bare, too: the first run dies of the mirror's 503, the second makes the image."""
    with FaultyServer(MIRROR, [Fault("503", requests=1)]) as server:
        first, second = build(server, tmp_path), build(server, tmp_path)

    assert (first.returncode, second.returncode) == (1, 0)
    assert "the server answered 503 Service Unavailable" in first.stderr
    assert "ok: the service says 'Good morning, release 1.2!'" in second.stdout
