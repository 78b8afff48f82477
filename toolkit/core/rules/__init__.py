"""What we know about failures of the tools that builds run: data, a file per domain, specific before generic."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from toolkit.core.rules import (
    access,
    cloud,
    code,
    containers,
    ends,
    http,
    languages,
    machines,
    network,
    packages,
    provision,
    storage,
    testing,
)
from toolkit.core.rules.ends import STALLED, TIMED_OUT
from toolkit.core.rules.linear import linear
from toolkit.core.rules.rule import Rule, stamped
from toolkit.core.rules.smells import SMELLS

__all__ = ["BUILT_IN", "RULES_VERSION", "SMELLS", "STALLED", "TIMED_OUT", "Rule", "linear"]

RULES_VERSION: Final = 1
"""Grows with every change to a rule: a recorded class can be traced to the rules that gave it."""

_WRITTEN: Final[tuple[Rule, ...]] = (
    *storage.RULES,
    *testing.RULES,
    *cloud.RULES,
    *packages.RULES,
    *languages.RULES,
    *containers.RULES,
    *machines.RULES,
    *provision.RULES,
    *access.RULES,
    *http.RULES,
    *network.RULES,
    *code.RULES,
    *ends.RULES,
)
BUILT_IN: Final[tuple[Rule, ...]] = tuple(replace(rule, match=stamped(rule.match)) if "^" in rule.match else rule for rule in _WRITTEN)
"""Where two lines weigh the same, the earlier line decides; where one line fits two rules that weigh the same, the earlier rule."""
