"""Runs a command under supervision as a test asks for in JSON, and tells in JSON how it went."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from toolkit.supervise import recording
from toolkit.supervise.process import CommandNotRunnable, Control, supervise

if TYPE_CHECKING:
    from collections.abc import Callable


class Telling:
    """A recorder that does to what it hears what `asked` says: keep it, be slow, fail, hang, or act on it."""

    def __init__(self, asked: dict[str, Any], control: Control) -> None:
        self.asked = asked
        self.control = control
        self.heard: list[tuple[str, str]] = []
        self.bytes = 0
        self.announced = 0

    def output(self, stream: int, data: bytes, at: float) -> None:
        self.bytes += len(data)
        self.heard.append((f"output {stream}", data[:1000].decode()))
        if self.asked.get("hangs"):
            time.sleep(1000)
        if error := self.asked.get("errno"):
            raise OSError(error, os.strerror(error))
        if self.asked.get("raises"):
            raise ValueError(f"at {at > 0}")
        time.sleep(self.asked.get("slow", 0))
        if (word := self.asked.get("fatal")) and word in data.decode():
            self.control.end("fatal")

    def when_hung(self, act: Callable[[], None]) -> None:
        pass

    def announce(self, payload: bytes) -> None:
        assert payload
        self.announced += 1

    def request(self, payload: bytes) -> None:
        self.heard.append(("request", payload.decode()))
        if payload == b"limit":
            self.control.limit(timeout=self.asked["timeout"], stall=None, grace=self.asked.get("grace", 0.5))

    def trouble(self, what: str) -> None:
        self.heard.append(("trouble", what))


def main(report: str, asked: dict[str, Any], command: list[str]) -> None:
    """Do it, and leave the report in a file."""
    control = Control()
    recorder = Telling(asked, control)
    if "limit" in asked:
        control.limit(**asked["limit"])
    if "capacity" in asked:
        recording.CAPACITY_BYTES = asked["capacity"]
    wire = None
    if "wire" in asked:
        os.mkfifo(asked["wire"])
        wire = os.open(asked["wire"], os.O_RDWR | os.O_NONBLOCK)
    told: dict[str, Any] = {"ended": []}
    began = time.monotonic()
    for left in reversed(range(asked.get("times", 1))):
        try:
            ended = supervise(
                command, extra=asked.get("extra", {}), recorder=recorder, control=control, wire_fd=wire,
                again=left > 0, cwd=asked.get("cwd"), patience=asked.get("patience", 5.0),
            )  # fmt: skip
        except CommandNotRunnable as error:
            told["refused"] = [str(error), error.exit_code]
            break
        told["ended"].append(vars(ended))
    told |= {"heard": recorder.heard, "bytes": recorder.bytes, "announced": recorder.announced}
    told["seconds"] = time.monotonic() - began
    Path(report).write_text(json.dumps(told))
    os._exit(0)


main(sys.argv[1], json.loads(sys.argv[2]), sys.argv[3:])
