"""What we know about failures of the tools that builds run: data, a file per domain.

The rules are loaded when they are first asked for: whoever only names `Rule` does not pay for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.core.rules.linear import linear
from toolkit.core.rules.rule import Rule

if TYPE_CHECKING:
    from toolkit.core.rules.built_in import BUILT_IN
    from toolkit.core.rules.smells import SMELLS

__all__ = ["BUILT_IN", "SMELLS", "Rule", "linear"]


def __getattr__(name: str) -> tuple[Rule, ...]:
    """Load the rules themselves on first use."""
    if name == "BUILT_IN":
        from toolkit.core.rules.built_in import BUILT_IN

        return BUILT_IN
    if name == "SMELLS":
        from toolkit.core.rules.smells import SMELLS

        return SMELLS
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
