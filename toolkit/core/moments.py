"""Times and durations as people and JSON write them: RFC 3339 in UTC with milliseconds, and `1h30m`."""

from __future__ import annotations

import re

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})", re.IGNORECASE)


def rfc3339(ts_ms: int) -> str:
    """Write milliseconds since 1970 (UTC) as `2026-03-01T10:15:00.000Z`."""
    from datetime import UTC, datetime, timedelta

    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ts_ms)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ts_ms % 1000:03d}Z"


def parse_rfc3339(text: str) -> int:
    """Read an RFC 3339 time, with its zone, as milliseconds since 1970; ValueError says what is wrong."""
    from datetime import UTC, datetime, timedelta

    if not _RFC3339.fullmatch(text.strip()):
        raise ValueError(f"'{text}' is not an RFC 3339 time with a zone, such as 2026-03-01T10:15:00.000Z")
    try:
        moment = datetime.fromisoformat(text.strip().upper())
    except ValueError:
        raise ValueError(f"'{text}' names no moment that exists") from None
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def parse_duration(text: str) -> float:
    """Read `90s`, `45m`, `2h` or `1h30m` as seconds; ValueError says what is wrong."""
    compact = text.strip().replace(" ", "")
    parts = list(_PART.finditer(compact))
    if not parts or "".join(part[0] for part in parts) != compact:
        raise ValueError(f"'{text}' is not a duration: write 90s, 45m, 2h or 1h30m")
    return sum(float(part[1]) * _UNITS[part[2]] for part in parts)


def duration_text(seconds: float) -> str:
    """Write seconds for a person: `0.4s`, `38s`, `12m 5s`, `3h 20m`, `2d 4h`."""
    if seconds < 0:
        return f"-{duration_text(-seconds)}"
    if seconds < 10:  # noqa: PLR2004 - below ten seconds a tenth still matters to a reader
        return f"{seconds:.1f}s"
    whole = round(seconds)
    for size, unit, below, lower in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= size:
            rest = whole % size // below
            return f"{whole // size}{unit} {rest}{lower}" if rest else f"{whole // size}{unit}"
    return f"{whole}s"
