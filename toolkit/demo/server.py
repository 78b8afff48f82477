"""A web server on this machine that fails on purpose: for so many requests or seconds it limits, breaks or stalls.

`python -m toolkit.demo.server --directory DIR --fault 503,requests=2` serves a folder from a shell; `FaultyServer` does
the same inside a test. Only the standard library is needed.
"""

from __future__ import annotations

import argparse
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

KINDS = ("reset", "truncate", "stall")
"""How a fault can break a connection; every other fault is an HTTP status."""

HALF_AT_MOST = 65536
_NO_LINGER = struct.pack("ii", 1, 0)
_REFUSALS = tuple(str(int(status)) for status in HTTPStatus if status >= HTTPStatus.BAD_REQUEST)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer before anything goes wrong with it."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


Source = Callable[[str], Reply]
"""Gives the reply for a request's target (path and query)."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, for which paths, and for how long; without a limit it never ends.

    `kind` is `reset` (the connection is reset before an answer), `truncate` (closed after half of the body), `stall`
    (silent after half of the body) or an HTTP status such as `503`. `seconds` counts from the server's start,
    `requests` counts the requests that the fault has hit. `skip` lets so many matching requests pass first.
    """

    kind: str
    path: str = ""
    requests: int | None = None
    seconds: float | None = None
    skip: int = 0
    retry_after: int | None = None

    def __post_init__(self) -> None:
        """Refuse what could never be meant; ValueError says why."""
        if self.kind not in (*KINDS, *_REFUSALS):
            raise ValueError(f"'{self.kind}' is not a fault: use an HTTP error status, {', '.join(KINDS)}")
        if min(self.requests or 0, self.seconds or 0, self.skip, self.retry_after or 0) < 0:
            raise ValueError(f"a fault '{self.kind}' cannot last, skip or wait less than nothing")
        re.compile(self.path)

    @property
    def status(self) -> int | None:
        """The HTTP status to answer with, or None when the connection itself breaks."""
        return None if self.kind in KINDS else int(self.kind)


def parse_fault(text: str) -> Fault:
    r"""Read a fault as written on the command line: `503,requests=2` or `429,seconds=10,retry_after=5,path=\.tar`.

    ValueError says what is wrong with it.
    """
    kind, *settings = text.split(",")
    known: dict[str, Callable[[str], object]] = {
        "path": str, "requests": int, "seconds": float, "skip": int, "retry_after": int,
    }  # fmt: skip
    values: dict[str, object] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or name not in known:
            raise ValueError(f"'{setting}' in fault '{text}' is not one of {', '.join(f'{each}=' for each in known)}")
        values[name] = known[name](value)
    return Fault(kind, **values)  # type: ignore[arg-type]  # the table above gives each setting its type


def folder(directory: Path) -> Source:
    """Give a source that serves the files of a folder, and lists what a sub-folder holds."""
    root = directory.resolve()

    def find(target: str) -> Reply:
        path = (root / unquote(urlsplit(target).path).lstrip("/")).resolve()
        if path != root and root not in path.parents:
            return Reply(HTTPStatus.FORBIDDEN)
        if path.is_file():
            return Reply(HTTPStatus.OK, path.read_bytes(), (("Content-Type", "application/octet-stream"),))
        if path.is_dir():
            names = sorted(each.name + "/" * each.is_dir() for each in path.iterdir())
            links = "".join(f'<a href="{name}">{name}</a><br>\n' for name in names)
            return Reply(HTTPStatus.OK, f"<!DOCTYPE html>\n{links}".encode(), (("Content-Type", "text/html"),))
        return Reply(HTTPStatus.NOT_FOUND)

    return find


@dataclass(slots=True)
class _Armed:
    """A fault and how often it has matched so far."""

    fault: Fault
    seen: int = 0

    def strikes(self, target: str, age_seconds: float) -> bool:
        """Tell whether the fault hits this request, and count it."""
        fault = self.fault
        if not re.search(fault.path, target) or (fault.seconds is not None and age_seconds >= fault.seconds):
            return False
        self.seen += 1
        return self.seen > fault.skip and (fault.requests is None or self.seen <= fault.skip + fault.requests)


@dataclass(frozen=True, slots=True)
class Hit:
    """One request as it was answered: `outcome` is a status or the kind of fault."""

    target: str
    outcome: str
    age_seconds: float


@dataclass(slots=True)
class _Weather:
    """The faults still to come, and what was answered so far; shared by the server's threads."""

    armed: list[_Armed] = field(default_factory=list)
    hits: list[Hit] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fault_for(self, target: str) -> Fault | None:
        """Choose the first fault that hits this request, if any."""
        with self.lock:
            age_seconds = time.monotonic() - self.began
            return next((each.fault for each in self.armed if each.strikes(target, age_seconds)), None)

    def note(self, target: str, outcome: str) -> None:
        """Remember how a request was answered."""
        with self.lock:
            self.hits.append(Hit(target, outcome, time.monotonic() - self.began))


class _Server(ThreadingHTTPServer):
    """Carries what the handlers share."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], source: Source, weather: _Weather) -> None:
        self.source = source
        self.weather = weather
        self.closing = threading.Event()
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet about clients that hang up; anything else is worth a traceback."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # passed on as it came


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD, well or badly."""

    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "mirror"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer with a body."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        """Answer with the headers alone."""
        self._answer(with_body=False)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing: the hits are kept instead."""

    def _answer(self, *, with_body: bool) -> None:
        fault = self.server.weather.fault_for(self.path)
        if fault is not None and fault.kind == "reset":
            self.server.weather.note(self.path, fault.kind)
            self._reset()
            return
        reply = self.server.source(self.path) if fault is None or fault.status is None else _refusal(fault)
        self.server.weather.note(self.path, str(reply.status) if fault is None else fault.kind)
        broken = fault is not None and fault.status is None
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        if broken:
            self.send_header("Connection", "close")
        self.end_headers()
        if not with_body:
            return
        self.wfile.write(reply.body[: min(len(reply.body) // 2, HALF_AT_MOST)] if broken else reply.body)
        self.wfile.flush()
        if fault is not None and fault.kind == "stall":
            self._stay_silent()
        self.close_connection = self.close_connection or broken

    def _reset(self) -> None:
        """End the connection with a reset rather than an orderly close."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.connection.close()

    def _stay_silent(self) -> None:
        """Say nothing until the client gives up or the server stops."""
        self.connection.settimeout(0.2)
        while not self.server.closing.is_set():
            with suppress(TimeoutError):
                if not self.connection.recv(1):
                    return


def _refusal(fault: Fault) -> Reply:
    status = HTTPStatus(fault.status or HTTPStatus.SERVICE_UNAVAILABLE)
    headers = [("Content-Type", "text/plain")]
    if fault.retry_after is not None:
        headers.append(("Retry-After", str(fault.retry_after)))
    if status == HTTPStatus.UNAUTHORIZED:
        headers.append(("WWW-Authenticate", 'Basic realm="mirror"'))
    return Reply(status, f"{status.phrase}\n".encode(), tuple(headers))


class FaultyServer:
    """A web server in threads of this process; a context manager.

    `source` is a folder or a function from request target to `Reply`. Port 0 means any free one; read it from `url`.
    """

    def __init__(
        self, source: str | Path | Source, faults: Sequence[Fault] = (), *, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        find = folder(Path(source)) if isinstance(source, (str, Path)) else source
        self._weather = _Weather([_Armed(fault) for fault in faults])
        self._server = _Server((host, port), find, self._weather)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        """Where it listens, such as `http://127.0.0.1:40123`."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    @property
    def hits(self) -> tuple[Hit, ...]:
        """Every request answered so far, in order."""
        with self._weather.lock:
            return tuple(self._weather.hits)

    def change(self, faults: Sequence[Fault]) -> None:
        """Replace the faults; their seconds and requests count from now."""
        with self._weather.lock:
            self._weather.armed = [_Armed(fault) for fault in faults]
            self._weather.began = time.monotonic()

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and close the port; stalled clients are let go."""
        self._server.closing.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve a folder until interrupted; the first line printed is the server's URL."""
    parser = argparse.ArgumentParser(prog="python -m toolkit.demo.server", description=__doc__)
    parser.add_argument("--directory", type=Path, default=Path(__file__).with_name("mirror"))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--fault", type=parse_fault, action="append", default=[], metavar="KIND[,requests=N…]")
    chosen = parser.parse_args(arguments)
    with FaultyServer(chosen.directory, chosen.fault, host=chosen.host, port=chosen.port) as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
