"""The least wrapper there can be: supervise a command, keep its output in a log, and end as it ended."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from toolkit.supervise.process import CommandNotRunnable, become, die_like, stand, supervise
from toolkit.supervise.redact import Redactor
from toolkit.supervise.spool import Spool


class Keeping:
    """A recorder that keeps output as the product does."""

    def __init__(self, directory: str) -> None:
        self.log = Spool(directory, run=1, redactor=Redactor(os.environ), trouble=self.trouble)
        self.log.begin(0, 1)

    def output(self, stream: int, data: bytes, at: float) -> None:  # noqa: ARG002 - the recorder's shape
        self.log.write(stream, data)

    def announce(self, payload: bytes) -> None:
        raise AssertionError(payload)

    def request(self, payload: bytes) -> None:
        raise AssertionError(payload)

    def trouble(self, what: str) -> None:
        os.write(2, f"trouble: {what}\n".encode())


def main(directory: str, command: list[str]) -> None:
    """Run the command, keeping its log below the directory; in our place where that is `-`."""
    stand()
    if directory == "-":
        become(command)
    recorder = Keeping(f"{directory}/{os.getpid()}")
    try:
        ended = supervise(command, recorder=recorder)
    except CommandNotRunnable as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
    recorder.log.close()
    die_like(ended)


main(sys.argv[1], sys.argv[2:])
