"""What passes by itself, for real: mirrors that come back, servers that ask for patience, locks, cleared disks."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.test_phases_live import HELPER
from toolkit.demo.server import Fault, FaultyServer

if TYPE_CHECKING:
    from tests.transcripts import Shell

FETCH = "curl -sSf --max-time 20 -D /dev/stderr -x {proxy} -o image http://mirror.example/green.img"
CONTENT = b"a green image\n" * 1000


def mirror(shell: Shell, *faults: Fault) -> FaultyServer:
    """Give a proxy through which a kickstart gets its image, with what is wrong with it."""
    served = shell.folder / "served"
    served.mkdir(exist_ok=True)
    (served / "green.img").write_bytes(CONTENT)
    return FaultyServer(served, faults)


def configure(shell: Shell, run: str, *, attempts: int = 3, wait: str = "20ms", more: str = "", tail: str = "") -> None:
    """Write a project whose state 5 downloads and whose state 10 looks at what came."""
    (shell.folder / "toolkit.toml").write_text(
        f'phase = "selective-retry"\n[[states]]\ncode = 5\nname = "kickstart"\nstrategy = "patient"\n'
        f"run = '''{run}'''\n{more}\n"
        f'[[states]]\ncode = 10\nname = "green image"\nrun = "wc -c <image"\n'
        f'[strategies.patient]\nmax_attempts = {attempts}\non = ["transient", "resource"]\nwait = "{wait}"\n'
        f"factor = 1.0\njitter = false\n{tail}"
    )


def told(shell: Shell) -> list[tuple[int, str, str | None]]:
    """Give what happened: state, status, class."""
    return [(each["state"], each["status"], each.get("class")) for each in shell.json("history")["events"]]


def failures(shell: Shell) -> list[dict[str, Any]]:
    """Give the failed attempts."""
    return [each for each in shell.json("history")["events"] if each["status"] == "failed"]


def test_a_download_through_a_proxy_that_breaks_recovers(shell: Shell) -> None:
    """Two refusals, two retries in place, and the build goes on to the next state; nothing else ran again."""
    with mirror(shell, Fault("503", requests=2)) as proxy:
        configure(shell, FETCH.format(proxy=proxy.url))
        assert shell.run("run")[:2] == (0, f"{len(CONTENT)}\n")
    assert told(shell) == [
        (5, "started", None), (5, "failed", "unavailable"), (5, "started", None), (5, "failed", "unavailable"),
        (5, "started", None), (5, "completed", None), (10, "started", None), (10, "completed", None),
    ]  # fmt: skip
    assert (shell.folder / "image").read_bytes() == CONTENT


def _mend(proxy: FaultyServer) -> None:
    while len(proxy.hits) < 3:
        time.sleep(0.05)
    proxy.change([])


def test_an_outage_is_waited_for(shell: Shell) -> None:
    """A mirror that resets every connection for a while is asked again until it is back."""
    with mirror(shell, Fault("reset")) as proxy:
        configure(shell, FETCH.format(proxy=proxy.url), attempts=60, wait="300ms")
        mending = threading.Thread(target=_mend, args=(proxy,))
        mending.start()
        assert shell.run("run")[0] == 0
        mending.join()
    assert {each["class"] for each in failures(shell)} == {"network"}


def test_a_rate_limit_is_respected(shell: Shell) -> None:
    """Nobody comes back before the server said: the wait is its Retry-After, though the strategy would wait less."""
    with mirror(shell, Fault("429", requests=1, retry_after=2)) as proxy:
        configure(shell, FETCH.format(proxy=proxy.url))
        assert shell.run("run")[0] == 0
        first, second = (each.age_seconds for each in proxy.hits)
    assert second - first >= 2
    assert [(each["class"], each["decision"]["wait"]) for each in failures(shell)] == [("rate_limited", 2.0)]


def test_a_mirror_that_stays_down_is_given_up(shell: Shell) -> None:
    """After its attempts the build fails as it would without us, and a start-over gets no new allowance."""
    with mirror(shell, Fault("503")) as proxy:
        configure(shell, FETCH.format(proxy=proxy.url))
        asked = [(shell.run("run")[0], len(proxy.hits)) for _ in range(2)]
    assert asked == [(22, 3), (22, 4)]
    decisions = [(each["attempt"], each["decision"]["action"]) for each in failures(shell)]
    assert decisions == [(1, "retry"), (2, "retry"), (3, "start-over"), (4, "start-over")]


def test_a_lock_that_another_holds_is_waited_for(shell: Shell) -> None:
    """A lock is somebody else's for a while: it is tried again until it is free."""
    configure(
        shell,
        "exec 9>lock; flock -n 9 || { touch tried; echo 'E: Could not get lock /var/lib/dpkg/lock-frontend. "
        "It is held by process 4711 (apt-get)'; exit 100; }; echo >image",
        attempts=60,
        wait="200ms",
    )
    with (shell.folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        def release() -> None:
            while not (shell.folder / "tried").exists():
                waiting.wait(0.05)
            fcntl.flock(lock, fcntl.LOCK_UN)

        waiting = threading.Event()
        releasing = threading.Thread(target=release)
        releasing.start()
        code, _, _ = shell.run("run")
        releasing.join()
    assert code == 0
    assert {each["class"] for each in failures(shell)} == {"contention"}


def _works(shell: Shell, command: list[str]) -> bool:
    return subprocess.run(command, cwd=shell.folder, check=False, capture_output=True).returncode == 0


def test_a_full_disk_is_cleared_by_reset(shell: Shell) -> None:
    """What used the disk up is removed by `reset`; only then is a retry of a full disk worth anything."""
    (shell.folder / "disk").mkdir()
    mounted = "mount -t tmpfs -o size=256k none disk && dd if=/dev/zero of=disk/left-over bs=1k count=200 2>/dev/null"
    ways = (["unshare", "--mount"], ["unshare", "--mount", "--map-root-user"])
    inside = next((way for way in ways if _works(shell, [*way, "sh", "-c", mounted])), None)
    if inside is None:
        pytest.skip("no file system can be mounted here")
    run = "dd if=/dev/zero of=disk/image bs=1k count=150 && cp disk/image image"
    configure(shell, run, more='reset = "rm -f disk/left-over"')
    ended = subprocess.run(
        [*inside, "sh", "-c", f'{mounted}; exec "$@"', "sh", sys.executable, "-m", "toolkit", "run"],
        cwd=shell.folder, env=shell.environment, capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == f"{150 * 1024}\n"
    assert [(each["class"], each["signature"]) for each in failures(shell)] == [("resource", "disk.full")]


def test_the_timeline_of_the_design(shell: Shell) -> None:
    """State 5 fails at 10:15 with a network time-out, is started again at 10:17, and the build goes on to state 10."""
    (shell.folder / "toolkit.toml").write_text(
        'phase = "selective-retry"\n[[states]]\ncode = 5\nname = "kickstart"\nstrategy = "expensive"\n'
        '[strategies.expensive]\nwait = "2m"\njitter = false\n'
    )
    build = shell.script(
        "build.sh",
        "#!/bin/bash\n"
        + HELPER
        + 'kick() { [ "$TOOLKIT_ATTEMPT" = 2 ] || { echo "Network timeout" >&2; exit 28; }; }\n'
        "state 5 kickstart -- kick\nstate 10 green-image -- true\n",
    )
    hurried = [sys.executable, str(Path(__file__).with_name("hurried.py")), "2026-03-01T10:15:00+00:00", "0"]
    ended = subprocess.run(
        [*hurried, "run", "--", build], cwd=shell.folder, env=shell.environment, capture_output=True, check=False,
        timeout=100,
    )  # fmt: skip
    assert ended.returncode == 0
    history = [
        (each["state"], each["status"], each["timestamp"][11:16], each["attempt"])
        for each in shell.json("status")["stateHistory"]
    ]
    assert history == [
        (5, "started", "10:15", 1), (5, "failed", "10:15", 1), (5, "started", "10:17", 2), (5, "completed", "10:17", 2),
        (10, "started", "10:17", 1), (10, "completed", "10:17", 1),
    ]  # fmt: skip
    times = [datetime.fromisoformat(each["timestamp"]) for each in shell.json("status")["stateHistory"]]
    assert (times[2] - times[1]).total_seconds() >= 120


@pytest.mark.parametrize("strict", ["", "set -e\n"])
def test_a_retry_finds_what_the_first_attempt_found(shell: Shell, strict: str) -> None:
    """In an instrumented script a retried step has its functions, arrays, variables, folder and options again.

    Without `set -e` a step runs in the script's own shell, so that what a failed attempt changed stays changed; under
    it an attempt that fails leaves nothing behind.
    """
    (shell.folder / "toolkit.toml").write_text(
        'phase = "selective-retry"\n[[states]]\ncode = 5\nstrategy = "soon"\n'
        '[strategies.soon]\non = ["network"]\nwait = "10ms"\n'
    )
    build = shell.script(
        "build.sh",
        "#!/bin/bash\n" + HELPER.replace("set -e\n", strict) + "set -u -o pipefail\n"
        "greet() { echo \"hello $1\"; }\nparts=('a b' c)\nexport RELEASE=42\nn=0\n"
        'kick() { greet "$1"; n=$((n + 1)); echo "$TOOLKIT_STATE.$TOOLKIT_ATTEMPT ${#parts[@]} ${parts[0]} $RELEASE"; '
        'echo "after ${TOOLKIT_LAST_CLASS:-nothing}"; made=yes; cd /; '
        '[ "$TOOLKIT_ATTEMPT" = 3 ] || { echo "curl: (28) Connection timed out"; return 28; }; }\n'
        'state 5 kickstart -- kick "big world"\necho "$n $made ${PWD} $-" | tr -d c\n',
    )
    code, out, error = shell.run("run", "--", build)
    assert (code, error) == (0, "")
    lines = out.splitlines()
    assert [line for line in lines if line.startswith("hello")] == ["hello big world"] * 3
    assert [line for line in lines if line.startswith("5.")] == [f"5.{n} 2 a b 42" for n in (1, 2, 3)]
    assert [line for line in lines if line.startswith("after")] == ["after nothing", "after network", "after network"]
    number, made, folder, *_ = lines[-1].split()
    assert (number, made, folder) == ("1" if strict else "3", "yes", "/")


def test_a_marker_script_is_retried_through_its_own_door(shell: Shell) -> None:
    """A script that only prints markers is entered at the failed state, after the wait and the reset."""
    (shell.folder / "toolkit.toml").write_text(
        'phase = "selective-retry"\n[pipeline]\nresume_command = "./build.sh {state}"\n'
        '[[states]]\ncode = 20\nstrategy = "soon"\nreset = "rm mess"\n'
        '[strategies.soon]\non = ["network"]\nwait = "10ms"\n'
    )
    build = shell.script(
        "build.sh",
        "#!/bin/bash\nfrom=${1:-0}\n"
        'step() { echo "::state $1 started::"; "$2" || exit 28; echo "::state $1 completed::"; }\n'
        "install() { echo installing; }\n"
        'base() { [ ! -e mess ] || exit 9; echo x >> tries; touch mess; [ "$(wc -l < tries)" = 3 ] || '
        '{ echo "curl: (28) Connection timed out"; return 1; }; }\n'
        '[ "$from" -gt 5 ] || step 5 install\nstep 20 base\nstep 30 true\n',
    )
    code, out, error = shell.run("run", "--", build)
    assert (code, error) == (0, "")
    assert out.count("installing") == 1
    assert [each for each in shell.statuses("b-0001") if each[0] == 20 and each[1] != "started"] == [
        (20, "failed", 1), (20, "failed", 2), (20, "completed", 3),
    ]  # fmt: skip
    assert shell.json("status")["status"] == "completed"


pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="the downloads are curl's")
