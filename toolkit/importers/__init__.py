"""Other systems' history becomes facts: interchange events, build records, raw logs."""

from __future__ import annotations

from typing import Literal

Kind = Literal["events", "records", "log"]
HEAD = 64 << 10
"""So many bytes tell what a file holds."""


def kind_of(head: bytes) -> Kind:
    """Tell what a file holds from its beginning: `stateHistory` is in records only, and a log is not JSON."""
    start = head.lstrip()[:1]
    if start not in {b"{", b"["}:
        return "log"
    if b'"stateHistory"' in head:
        return "records"
    return "events" if b'"state"' in head or b'"status"' in head or b'"build"' in head else "log"
