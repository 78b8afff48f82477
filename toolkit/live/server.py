"""Runs the web application until somebody stops it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import uvicorn

from toolkit.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from toolkit.live.serving import Serving

GRACE_SECONDS = 3


def bound(host: str, port: int) -> socket.socket:
    """Take the address to serve at; Refused when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Refused(
            f"cannot serve at {host} port {port}: {reason}", hint="Choose another with --port; 0 takes a free one."
        ) from None


def run(serving: Serving, at: socket.socket, ready: Callable[[], None]) -> None:
    """Serve at a bound address; `ready` is called once before the first answer."""

    class Server(uvicorn.Server):
        """Tells open streams when the end comes, so that nobody has to be cut off."""

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            serving.stopping = True
            super().handle_exit(sig, frame)

    config = uvicorn.Config(
        serving.application(), log_level="warning", access_log=False, server_header=False, date_header=True,
        timeout_graceful_shutdown=GRACE_SECONDS, lifespan="off", ws="none", h11_max_incomplete_event_size=65_536,
    )  # fmt: skip
    at.listen()
    ready()
    try:
        Server(config).run(sockets=[at])
    except KeyboardInterrupt:
        pass  # uvicorn has ended in order, and repeats the signal that asked for it
    finally:
        serving.close()
        at.close()
