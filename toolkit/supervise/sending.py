"""Sends one message: to a command's standard input, and to addresses that Apprise knows; a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from typing import Any

from toolkit.supervise.notifying import complain

LONGEST_WORD = 300
GRACE_SECONDS = 5.0


def main() -> None:
    """Read the order from standard input, carry it out, and complain in the log of what did not work."""
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    order = json.load(sys.stdin)
    for way in (_by_command, _by_addresses):
        wrong = way(order)
        if wrong:
            complain(order["directory"], f"'{order['title']}' was not sent: {wrong}")
    # A connection that hangs must not keep this process.
    os._exit(0)


def _by_command(order: dict[str, Any]) -> str:
    if not order["command"]:
        return ""
    child = subprocess.Popen(
        ["/bin/sh", "-c", order["command"]], cwd=order["directory"], env={**os.environ, **order["environ"]},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    try:
        said, _ = child.communicate(order["text"].encode() + b"\n", timeout=order["seconds"])
    except subprocess.TimeoutExpired:
        _end(child)
        return f"the command took longer than {order['seconds']:g}s"
    if child.returncode == 0:
        return ""
    last = said.decode("utf-8", "replace").strip().splitlines()[-1:]
    return f"the command ended with {child.returncode}{''.join(f': {line[:LONGEST_WORD]}' for line in last)}"


def _end(child: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
            child.wait(GRACE_SECONDS)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def _by_addresses(order: dict[str, Any]) -> str:
    if not order["urls"]:
        return ""
    try:
        import apprise
    except ImportError:
        return "apprise is not installed; it comes with the extra `notify`"
    told = apprise.Apprise()
    for url in order["urls"]:
        address = os.environ.get(url.removeprefix("env:"), "") if url.startswith("env:") else url
        if not address or not told.add(address):
            return f"{url if url.startswith('env:') else 'one of urls'} holds no address that Apprise knows"
    delivered: list[bool] = []
    work = threading.Thread(
        target=lambda: delivered.append(bool(told.notify(title=order["title"], body=order["text"]))), daemon=True
    )
    work.start()
    work.join(order["seconds"])
    return "" if delivered == [True] else "an address took it badly" if delivered else "an address does not answer"


if __name__ == "__main__":
    main()
