"""The fifteen failure classes and the three groups that retry decisions speak of."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

Group = Literal["transient", "persistent", "uncertain"]
FailureClass = Literal[
    "network",
    "rate_limited",
    "unavailable",
    "contention",
    "infrastructure",
    "auth",
    "config",
    "dependency",
    "test",
    "resource",
    "dirty",
    "timeout",
    "stall",
    "killed",
    "unknown",
]

CLASSES: Final[tuple[FailureClass, ...]] = get_args(FailureClass)
GROUPS: Final[tuple[Group, ...]] = get_args(Group)

GROUP_OF: Final[Mapping[str, Group]] = MappingProxyType(
    {
        "network": "transient",
        "rate_limited": "transient",
        "unavailable": "transient",
        "contention": "transient",
        "infrastructure": "transient",
        "auth": "persistent",
        "config": "persistent",
        "dependency": "persistent",
        "test": "persistent",
        "resource": "uncertain",
        "dirty": "uncertain",
        "timeout": "uncertain",
        "stall": "uncertain",
        "killed": "uncertain",
        "unknown": "uncertain",
    }
)


def members(word: str) -> frozenset[str]:
    """Return the classes that a class name or a group name stands for.

    Raises ValueError for any other word: an unknown word must never mean "everything".
    """
    if word in GROUP_OF:
        return frozenset({word})
    found = frozenset(name for name, group in GROUP_OF.items() if group == word)
    if not found:
        raise ValueError(f"{word!r} is neither a failure class nor a group; known: {', '.join((*GROUPS, *CLASSES))}")
    return found
