"""The queue of failures that no rule knows: alike ones together, the most frequent first."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from toolkit.core.moments import rfc3339
from toolkit.core.rules.linear import linear
from toolkit.core.signature import merge_near

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from analysis.reclassify import Again

MOST_BUILDS: Final = 50
_MASK: Final = re.compile(r"<[a-z]+>")
_SPECIAL: Final = re.compile(r"[\\.^$*+?{}\[\]|()]")
_END: Final = re.compile(r"exit code (\d+)")
_LEAST: Final = 8
"""A shorter piece of text would say too little to be a rule."""


@dataclass(frozen=True, slots=True)
class Unmatched:
    """Failures of one shape that no rule knows; `signatures` are those that it was recorded under, merged."""

    signature: str
    signatures: tuple[str, ...]
    failure_class: str
    template: str
    failures: int
    first_ms: int | None
    last_ms: int | None
    states: tuple[int, ...]
    hosts: tuple[str, ...]
    builds: tuple[str, ...]
    """The latest first, at most `MOST_BUILDS`."""
    line: int | None
    text: str
    exit_code: int | None
    """Where nothing else is known of the failure than how it ended."""
    match: str | None
    """A regular expression to begin a rule with; None where the message has too little that stays the same."""

    def shape(self) -> dict[str, Any]:
        """Give it as JSON-ready values."""
        first, last = (None if each is None else rfc3339(each) for each in (self.first_ms, self.last_ms))
        return {
            "signature": self.signature, "signatures": list(self.signatures), "class": self.failure_class,
            "template": self.template, "failures": self.failures, "first": first, "last": last,
            "states": list(self.states), "hosts": list(self.hosts), "builds": list(self.builds),
            "evidence": {"line": self.line, "text": self.text},
            "exit_code": self.exit_code, "match": self.match,
        }  # fmt: skip


def queue(again: Iterable[Again]) -> list[Unmatched]:
    """Gather the failures whose class is unknown, or whose signature is but a masked message.

    What is near-equal is one entry, named after the oldest; the most frequent come first, of equals the latest.
    """
    waiting = [each for each in again if _unknown(each)]
    oldest = sorted(waiting, key=lambda each: each.ts_ms or 0)
    merged = merge_near((_signature(each), each.template) for each in oldest)
    groups: dict[str, list[Again]] = {}
    for each in oldest:
        groups.setdefault(merged.canonical(_signature(each)), []).append(each)
    found = [_entry(name, group) for name, group in groups.items()]
    return sorted(found, key=lambda entry: (-entry.failures, -(entry.last_ms or 0), entry.signature))


def _unknown(each: Again) -> bool:
    known = each.present.failure_class not in {None, "unknown"}
    return not known or (each.present.signature or "").startswith("tmpl.")


def _signature(each: Again) -> str:
    return each.present.signature or "unknown"


def _entry(name: str, group: Sequence[Again]) -> Unmatched:
    """Describe failures of one shape, given oldest first."""
    last = group[-1]
    end = _END.fullmatch(last.evidence[1])
    moments = [each.ts_ms for each in group if each.ts_ms is not None]
    return Unmatched(
        signature=name,
        signatures=tuple(dict.fromkeys(_signature(each) for each in group)),
        failure_class=last.present.failure_class or "unknown",
        template=group[0].template,
        failures=len(group),
        first_ms=min(moments, default=None),
        last_ms=max(moments, default=None),
        states=tuple(sorted({each.state for each in group})),
        hosts=tuple(sorted({each.host for each in group if each.host is not None})),
        builds=tuple(dict.fromkeys(each.build for each in reversed(group)))[:MOST_BUILDS],
        line=last.evidence[0],
        text=last.evidence[1],
        exit_code=None if end is None else int(end[1]),
        match=None if end is not None else beginning(group[0].template, last.evidence[1]),
    )


def beginning(template: str, line: str) -> str | None:
    """Propose a rule's `match` for a template: its longest piece that stays the same, as a linear-time expression.

    None when that is too little, or when it would not find `line`.
    """
    pieces = (piece.strip() for piece in _MASK.split(template))
    longest = max(pieces, key=len, default="")
    if len(longest) < _LEAST:
        return None
    match = _SPECIAL.sub(r"\\\g<0>", longest)
    if re.search(match, line) is None:
        match = match.replace(" ", r"\s+")
    return match if linear(match) is None and re.search(match, line) is not None else None
