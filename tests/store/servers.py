"""A PostgreSQL server of our own for the tests, on a socket in a temporary folder."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

UNPRIVILEGED = "nobody"


def programs() -> Path | None:
    """Find PostgreSQL's own programs, the newest that are installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    return Path(initdb).parent if initdb else None


class Server:
    """A running server, and how to treat it badly."""

    def __init__(self, folder: Path, bin_folder: Path) -> None:
        """Make a new cluster in `folder`."""
        self.folder = folder
        self._bin = bin_folder
        self._databases = 0
        if os.geteuid() == 0:
            shutil.chown(folder, UNPRIVILEGED)
        self._run(
            "initdb", "-D", folder / "data", "-U", "tests", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C"
        )

    def start(self) -> None:
        # What a killed server has written is safe with the kernel; only a power cut would need the syncs.
        options = f"-k {self.folder} -c listen_addresses='' -c shared_buffers=16MB -c fsync=off"
        self._run("pg_ctl", "-D", self.folder / "data", "-l", self.folder / "log", "-o", options, "-w", "start")

    def stop(self, mode: str) -> None:
        self._run("pg_ctl", "-D", self.folder / "data", "-m", mode, "-w", "stop")

    def freeze(self) -> None:
        """Let it fall silent: who is connected waits, and who connects waits too."""
        for pid in self._processes():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on where it stopped."""
        for pid in self._processes():
            os.kill(pid, signal.SIGCONT)

    def _processes(self) -> list[int]:
        head = int((self.folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0])
        told = Path(f"/proc/{head}/task/{head}/children").read_text()
        return [head, *map(int, told.split())]

    def database(self) -> str:
        """Make an empty database and give its URL."""
        self._databases += 1
        name = f"history_{self._databases}"
        self._run("createdb", "-h", self.folder, "-U", "tests", name)
        return self.url(name)

    def url(self, name: str, folder: Path | None = None) -> str:
        return f"postgresql://tests:secret@/{name}?host={folder or self.folder}"

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(self._bin / program), *map(str, arguments)]
        if os.geteuid() == 0:
            command = ["setpriv", f"--reuid={UNPRIVILEGED}", "--clear-groups", *command]
        # Not to a pipe: the server inherits it and would keep us waiting for its end.
        with (self.folder.parent / "said").open("w+") as said:
            done = subprocess.run(
                command, cwd=self.folder, stdout=said, stderr=subprocess.STDOUT, check=False, timeout=60
            )
            said.seek(0)
            assert done.returncode == 0, said.read()


@contextmanager
def serving() -> Iterator[Server]:
    """Run a server; skips where PostgreSQL is not installed."""
    bin_folder = programs()
    if bin_folder is None:
        pytest.skip("PostgreSQL's programs (initdb, pg_ctl) are not installed")
    with tempfile.TemporaryDirectory(prefix="toolkit-pg-", dir="/tmp") as name:  # a socket's path must be short
        Path(name).chmod(0o755)
        folder = Path(name) / "pg"
        folder.mkdir()
        server = Server(folder, bin_folder)
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")
