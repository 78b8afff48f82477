"""A collector of traces for tests: it takes what is posted, answers as it is told to, and keeps what came in."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message


class Posted(NamedTuple):
    """One request."""

    path: str
    headers: Message
    body: bytes


@contextmanager
def collector(answer: int = 200) -> Iterator[tuple[str, list[Posted]]]:
    """Receive what is posted; gives the address, and what has come in so far."""
    received: list[Posted] = []

    class Handler(BaseHTTPRequestHandler):
        """Takes what is posted."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            received.append(Posted(self.path, self.headers, body))
            self.send_response(answer)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", received
        server.shutdown()
