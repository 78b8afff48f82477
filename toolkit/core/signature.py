"""The stable shape of a message that no rule knows: what changes from run to run is masked, the rest is hashed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from hashlib import blake2b
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

MASK_VERSION: Final = 1
"""Grows when masks change: templates of different versions are not comparable."""

TEMPLATE_CHARS: Final = 240
_PASSES: Final = 5
"""What is left of a word may look like another thing: `vg0/root` becomes `vg<n>/root`, where `/root` is a path."""

_TLD: Final = (
    "com|org|net|io|dev|local|localdomain|internal|intranet|lan|corp|home|cloud|edu|gov|example|invalid|test|arpa"
    "|de|uk|eu|fr|jp|cn|us|ru|nl|ch|at|info"
)

# One pass over the text: the first alternative that matches at a place wins, so their order is their precedence.
_MASKS: Final = (
    (
        "",
        (
            r"(?i:\b(?:https?/[\d.]+|http|status|status code|code|errno|rc|ret|exit status|exit code|exited with"
            r"|returned error|returned|signal|error)\b[ :=(#]*[1-9]?\d{1,2}\b)(?![.\w-])"
        ),
    ),
    ("", r"(?<=\()\d{1,3}(?=[:)])"),
    (
        "<time>",
        r"\b\d{4}[-/]\d\d?[-/]\d\d?(?:[T ]+\d\d?:\d\d(?::\d\d)?(?:[.,]\d+)?)?(?: ?(?:Z|UTC|GMT|[+-]\d\d:?\d\d)\b)?",
    ),
    (
        "<time>",
        (
            r"\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov"
            r"|Dec) +\d\d? (?:\d{4} )?\d\d:\d\d:\d\d(?: [A-Z]{3,4})?(?: \d{4})?"
        ),
    ),
    ("<time>", r"\b\d\d?:\d\d:\d\d(?:[.,]\d+)?\b"),
    ("<id>", r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b"),
    ("<hex>", r"\b(?:sha(?:1|256|384|512)|md5):[0-9a-fA-F]{6,}\b|\b0[xX][0-9a-fA-F]+\b"),
    ("<url>", r"\b[a-z][a-z0-9+.-]{1,12}://[^\s'\"<>)\],;]+"),
    ("<host>", r"\b[\w.+-]{1,64}@[\w.-]{2,253}\b"),
    ("<mac>", r"\b[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}\b"),
    (
        "<ip>",
        (
            r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?::\d{1,5}|/\d{1,2})?\b"
            r"|\[[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}\](?::\d+)?"
            r"|(?<![\w:])(?:[0-9a-fA-F]{1,4}:){3,7}:?[0-9a-fA-F]{1,4}\b"
        ),
    ),
    (
        "<path>",
        (
            r"(?<![\w/])(?:~|\.\.?|[A-Za-z]:)?(?:[/\\][\w.+@%~=#-]+){2,}[/\\]?(?::\d+){0,2}"
            r"|(?<![\w/.])/[\w.+@%~-]+(?::\d+){0,2}"
        ),
    ),
    ("<path>", r"\b[\w.+-]+(?:/[\w.+@%~-]+)+\.\w{1,5}(?::\d+){0,2}\b"),
    (
        "<file>",
        (
            r"\b[\w-]+\.(?:py|sh|c|cc|cpp|h|go|rs|java|js|ts|rb|pl|ya?ml|json|toml|cfg|conf|ks|log|txt|xml|spec|rpm"
            r"|deb|iso|img|qcow2|raw|gz|xz|zst|zip|tar|jar|whl|tgz)(?::\d+){0,2}\b"
        ),
    ),
    ("<host>", rf"\b(?:[a-z0-9][a-z0-9-]{{0,62}}\.)+(?:{_TLD})\b(?::\d{{1,5}})?"),
    (
        "<n>",
        r"\b\d+(?:\.\d+)? ?(?:ms|msec|s|secs?|seconds?|m|mins?|minutes?|h|hours?|%|[kKMGT]i?B(?:/s)?|bytes)(?![\w.-])",
    ),
    ("<version>", r"\bv?\d+(?:\.\d+)+(?:[-+~:_.]?\w+)*\b|\b\d+:\d[\w.+~-]*"),
    ("<id>", r"\b(?:i|ami|vol|sg|subnet|vpc|eni|snap|req|tmp|temp|run|job|build)[-_.][0-9A-Za-z]{6,}\b"),
    ("<hex>", r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,}\b|\b(?=[0-9A-F]*\d)(?=[0-9A-F]*[A-F])[0-9A-F]{7,}\b"),
    (
        "<n>",
        (
            r"[-+]?\b\d+(?:[.,]\d+)*(?: ?(?:%|ms|msec|s|secs?|seconds?|m|mins?|minutes?|h|hours?|B|bytes?"
            r"|[kKMGT]i?B?|[kKMGT]i?B/s|milliseconds?|microseconds?)\b)?"
        ),
    ),
    ("<id>", r"\b(?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{12,}\b"),
    ("<n>", r"\d+"),
)
_ONE_MASK: Final = re.compile("|".join(f"({pattern})" for _, pattern in _MASKS))
_WORDS: Final = tuple(word for word, _ in _MASKS)
_LEAD: Final = re.compile(r"^(?:(?:<time>|\[ *<(?:n|version|time)>\]|<n>)[\s:|,-]*)+")
_LISTS: Final = re.compile(r"(<\w+>)(?:[\s,;:/|x*-]{0,3}\1)+")
_KEY: Final = re.compile(r"<[a-z]+>|[^a-z0-9]+")


def template(text: str) -> str:
    """Return `text` with times, numbers, ids, hosts, paths and versions masked; statuses and exit codes are kept.

    The result is readable, at most `TEMPLATE_CHARS` long, and does not change when it is masked again.
    """
    masked = _masked(text)
    for _ in range(_PASSES):
        before, masked = masked, _masked(masked)
        if masked == before:
            break
    return masked or text.strip()[:TEMPLATE_CHARS]


def _masked(text: str) -> str:
    masked = _ONE_MASK.sub(_word, text[: TEMPLATE_CHARS * 8])
    masked = _LISTS.sub(r"\1", " ".join(_LEAD.sub("", masked.strip()).split()))
    if len(masked) > TEMPLATE_CHARS:
        masked = masked[:TEMPLATE_CHARS].rsplit(" ", 1)[0]
    return masked


def _word(match: re.Match[str]) -> str:
    word = _WORDS[(match.lastindex or 1) - 1]
    return word or match[0]


def signature(text: str) -> tuple[str, str]:
    """Return the id (`tmpl.` and ten hexadecimal digits) and the readable template of a message.

    Case, punctuation and the number of masked words do not change the id, so near-equal shapes share one.
    """
    readable = template(text)
    key = " ".join(_KEY.sub(" ", readable.lower()).split()) or readable
    digest = blake2b(f"{MASK_VERSION} {key}".encode(), digest_size=5).hexdigest()
    return f"tmpl.{digest}", readable


@dataclass(frozen=True, slots=True)
class MergeMap:
    """Which mined signatures stand for which: only ever added to, so that recorded history keeps its meaning."""

    version: int = 0
    stands_for: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def canonical(self, signature_id: str) -> str:
        """Return the signature that this one was merged into, or itself."""
        return self.stands_for.get(signature_id, signature_id)


_ALIKE: Final = 0.86


def merge_near(
    templates: Iterable[tuple[str, str]], known: MergeMap | None = None, *, alike: float = _ALIKE
) -> MergeMap:
    """Merge near-equal templates, given as (id, template), oldest first: a newer one joins the oldest it resembles.

    Signatures that `known` has already placed stay where they are; the version grows when something was added.
    """
    known = known or MergeMap()
    placed = dict(known.stands_for)
    leaders: list[tuple[str, list[str]]] = []
    added = False
    for signature_id, readable in templates:
        words = readable.lower().split()
        if signature_id in placed:
            continue
        leader = next((name for name, other in leaders if _resemble(words, other, alike)), None)
        if leader is None or leader == signature_id:
            leaders.append((signature_id, words))
        else:
            placed[signature_id] = leader
            added = True
    return MergeMap(known.version + 1, MappingProxyType(placed)) if added else known


def _resemble(one: list[str], other: list[str], alike: float) -> bool:
    if not one or not other or _kept(one) != _kept(other):
        return False
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return matcher.real_quick_ratio() >= alike and matcher.quick_ratio() >= alike and matcher.ratio() >= alike


def _kept(words: list[str]) -> list[str]:
    """Return the words with digits: statuses and exit codes, which decide and must never be merged away."""
    return [word for word in words if any(char.isdigit() for char in word)]
