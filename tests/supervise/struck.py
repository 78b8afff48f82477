"""The toolkit's own command line, again and again, and blows that hit it: `WHEN:WHERE:WHOM`.

WHEN is `before` or `after`, with the number of a write to the history as WHERE, or `at`, with seconds after the first
import. WHOM is the `supervisor`, the `state` (all that it has started but its own standby), `both`, or `all` of them.
Whoever is hit is killed with -9, from inside because nothing outside could aim so well.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

sys.path.insert(0, str(Path(__file__).parents[2]))

if TYPE_CHECKING:
    from collections.abc import Callable


def strike(whom: str) -> None:
    """Do it."""
    ours = os.getpid()
    family = _descendants(ours)
    standby = {pid for pid in family if _name(pid) == "toolkit-standby"}
    if whom == "all":
        _kill(standby)
    if whom != "supervisor":
        _kill(family - standby)
    if whom != "state":
        os.kill(ours, signal.SIGKILL)


def _kill(pids: set[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _descendants(pid: int) -> set[int]:
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(") ")[2].split()[1])
        except OSError:
            continue
        parents.setdefault(parent, []).append(int(path.parent.name))
    found, waiting = set[int](), [pid]
    while waiting:
        for child in parents.get(waiting.pop(), ()):
            found.add(child)
            waiting.append(child)
    return found


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def at_write(when: str, number: int, whom: str) -> None:
    """Strike before or after the history has taken its write of this number."""
    from toolkit.store.sqlite import SqliteStore

    original: Any = SqliteStore.transact
    count = 0

    def transact(store: SqliteStore, work: Callable[[], Any]) -> Any:
        nonlocal count
        count += 1
        if count == number and when == "before":
            strike(whom)
        result = original(store, work)
        if count == number and when == "after":
            strike(whom)
        return result

    SqliteStore.transact = transact  # type: ignore[method-assign,assignment]


def at_moment(seconds: float, whom: str) -> None:
    """Strike when so much time has passed."""

    def wait() -> None:
        time.sleep(seconds)
        strike(whom)

    threading.Thread(target=wait, daemon=True).start()


def serve() -> None:
    """Take orders, a JSON object a line: each is carried out by a fork of this process, which has loaded everything."""
    import toolkit.cli.light
    import toolkit.cli.light_resume
    import toolkit.cli.light_run
    import toolkit.store.sqlite
    import toolkit.supervise.deciding
    import toolkit.supervise.runner
    import toolkit.supervise.validity  # noqa: F401 - to have it

    for line in sys.stdin:
        asked = json.loads(line)
        pid = os.fork()
        if pid == 0:
            os.setsid()
            os.chdir(asked["folder"])
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(int(sys.argv[1]), 1)
            os.dup2(os.open("errors", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
            os.close(int(sys.argv[1]))
            obey(asked["strike"], asked["arguments"])
        os.write(1, f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n".encode())


def obey(struck: str, arguments: list[str]) -> NoReturn:
    """Be the toolkit, and be struck."""
    from toolkit.cli.light import try_light

    when, where, whom = struck.split(":")
    if when == "at":
        at_moment(float(where), whom)
    elif when != "never":
        at_write(when, int(where), whom)
    code = 70
    try:
        try_light(arguments)
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve()
