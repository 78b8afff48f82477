"""A process of ours in a session of its own, where neither a build's signals nor its end reach it."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess


def start_apart(
    module: str, order: dict[str, Any], *, heard: bool = False, directory: str | None = None
) -> subprocess.Popen[bytes]:
    """Run one of our modules, which reads its order as JSON from standard input; `heard` keeps what it prints.

    It stands in `directory`, else where we stand.
    """
    import subprocess

    told = os.memfd_create("order", os.MFD_CLOEXEC)
    try:
        os.write(told, json.dumps(order).encode())
        os.lseek(told, 0, os.SEEK_SET)
        environ = {name: value for name, value in os.environ.items() if name != "TOOLKIT_WIRE"}
        return subprocess.Popen(
            [sys.executable, "-I", "-m", module], stdin=told, stderr=subprocess.DEVNULL,
            stdout=subprocess.PIPE if heard else subprocess.DEVNULL, cwd=directory, env=environ, start_new_session=True,
        )  # fmt: skip
    finally:
        os.close(told)
