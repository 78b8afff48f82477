"""Who may ask what: no page of another site, no name that points here by a trick, no action without the token."""

from __future__ import annotations

import hmac
import ipaddress
import socket
from typing import TYPE_CHECKING, Final

from toolkit.core.values import Value
from toolkit.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

SHORTEST_TOKEN: Final = 8
PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
REPORT_POLICY: Final = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; connect-src 'none'"
"""Beside the report's own, stricter policy, which names its scripts by their hashes."""
HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # with none at all, a browser sends forms without their origin
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class Forbidden(Refused):
    """The request may not do what it asks for."""

    hint = "Send the token that `toolkit serve` was started with."


class Guard(Value):
    """The rules of one server; `token` None means that nothing can be changed."""

    token: str | None = None
    hosts: tuple[str, ...] = ()
    """Names, besides numbers and `localhost`, under which the server may be asked."""

    def knows_host(self, header: str) -> bool:
        """Tell whether a Host header names us; a name that somebody made point here does not."""
        name = _host_name(header)
        if name is None:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name == "localhost" or name in self.hosts
        return True

    def admit(self, headers: Mapping[str, str], form: Mapping[str, str]) -> None:
        """Let a request that changes something pass; Forbidden says why it does not."""
        if self.token is None:
            raise Forbidden("this server only shows", hint="Start it with `toolkit serve --token …` to act from here.")
        site = headers.get("sec-fetch-site", "same-origin")
        origin = headers.get("origin")
        if site not in {"same-origin", "none"} or (origin is not None and not _same(origin, headers.get("host", ""))):
            raise Forbidden("the request comes from another site", hint="Use the page that this server shows.")
        kind, _, given = headers.get("authorization", "").partition(" ")
        told = given.strip() if kind.lower() == "bearer" else form.get("token", "")
        if not hmac.compare_digest(told.encode(), self.token.encode()):
            raise Forbidden("the token is missing or wrong")


def own_names(host: str, more: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Give the names under which a server bound to `host` may be asked."""
    names = {name.lower().rstrip(".") for name in (host, *more)}
    if not _is_loopback(host):
        names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    return tuple(sorted(names))


def is_open(host: str) -> bool:
    """Tell whether others than this machine can reach a server bound to `host`."""
    return not _is_loopback(host)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _host_name(header: str) -> str | None:
    """Give the name in `name:port` or `[address]:port`, in small letters; None when it is neither."""
    header = header.strip().lower()
    if header.startswith("["):
        name, closed, rest = header[1:].partition("]")
        port = rest.removeprefix(":")
        return name if closed and (not rest or (rest.startswith(":") and port.isdigit())) else None
    name, colon, port = header.partition(":")
    if not name or (colon and not port.isdigit()):
        return None
    return name.rstrip(".")


def _same(origin: str, host: str) -> bool:
    scheme, separator, rest = origin.partition("://")
    return bool(separator) and scheme in {"http", "https"} and rest.lower() == host.strip().lower()
