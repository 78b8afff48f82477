"""All rules of ours in their order: specific before generic."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from toolkit.core.rules import (
    access,
    ansible,
    apt,
    broad,
    cloud,
    code,
    containers,
    dnf,
    ends,
    http,
    installer,
    languages,
    machines,
    network,
    plain,
    precise,
    provision,
    runners,
    storage,
    testing,
)
from toolkit.core.rules.rule import stamped

if TYPE_CHECKING:
    from toolkit.core.rules.rule import Rule

_WRITTEN: Final[tuple[Rule, ...]] = (
    *precise.RULES,
    *storage.RULES,
    *testing.RULES,
    *cloud.RULES,
    *apt.RULES,
    *dnf.RULES,
    *languages.RULES,
    *containers.RULES,
    *installer.RULES,
    *machines.RULES,
    *runners.RULES,
    *ansible.RULES,
    *provision.RULES,
    *access.RULES,
    *http.RULES,
    *network.RULES,
    *code.RULES,
    *plain.RULES,
    *broad.RULES,
    *ends.RULES,
)

BUILT_IN: Final[tuple[Rule, ...]] = tuple(
    replace(rule, match=stamped(rule.match)) if "^" in rule.match else rule for rule in _WRITTEN
)
"""Where two lines weigh the same, the earlier one decides; where two rules for one line do, the earlier rule."""
