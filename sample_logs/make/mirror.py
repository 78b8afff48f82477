"""What the loopback mirrors give out: files that were fetched once, so that the real mirrors are asked little."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from toolkit.demo.server import Reply, Source


def cached(folder: Path, upstream: str | None) -> Source:
    """Give a source that answers from a folder; what is missing is fetched from `upstream` and kept, or is a 404."""
    lock = threading.Lock()

    def find(target: str) -> Reply:
        relative = urlsplit(target).path.lstrip("/")
        kept = folder / relative
        if kept.is_file():
            return _ok(kept.read_bytes())
        absent = kept.with_name(f"{kept.name}.absent")
        if upstream is None or absent.exists():
            return Reply(HTTPStatus.NOT_FOUND)
        with lock:
            return _fetch(f"{upstream}/{relative}", kept, absent)

    return find


def _fetch(url: str, kept: Path, absent: Path) -> Reply:
    kept.parent.mkdir(parents=True, exist_ok=True)
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - the machine's own mirror
            body = answer.read()
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.NOT_FOUND:
            absent.touch()
        return Reply(error.code)
    kept.write_bytes(body)
    return _ok(body)


def _ok(body: bytes) -> Reply:
    return Reply(HTTPStatus.OK, body, (("Content-Type", "application/octet-stream"),))
