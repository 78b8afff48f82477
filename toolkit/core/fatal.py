"""Hears, as a build prints it, the line after which nothing good can follow: nobody need wait for the time-out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from toolkit.core.engine import LineFinder
    from toolkit.core.pipeline import StateConfig
    from toolkit.core.rules import Rule

LONGEST_LINE: Final = 65536
"""What has grown so long without an end is looked at as it is."""


def fatal_rules(own: Iterable[Rule], states: Iterable[StateConfig]) -> list[Rule]:
    """Give the rules that may end an attempt: those that say so themselves, and those that a state names for itself."""
    listed = list(own)
    found = [rule for rule in listed if rule.fatal and rule.match]
    naming = [state for state in states if state.fatal]
    if naming:
        from toolkit.core.rules import BUILT_IN

        found += [
            replace(rule, fatal=True, states=str(state.codes or state.code))
            for state in naming
            for rule in (*listed, *BUILT_IN)
            if rule.id in state.fatal and rule.match
        ]
    return found


class FatalLines:
    """Looks through output as it arrives, cut anywhere; lines are judged when they are whole."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        """Listen for these rules, each in its states only."""
        self._rules = tuple(rules)
        self._finder: LineFinder | None = None
        self._unless: dict[str, Callable[[bytes], bool]] = {}
        self._rest: dict[int, bytes] = {}

    def hears(self, state: int, stream: int, data: bytes) -> Rule | None:
        """Take what an attempt at a state printed; give the rule by which it is lost, None while there is hope."""
        whole, newline, rest = (self._rest.get(stream, b"") + data).rpartition(b"\n")
        if len(rest) > LONGEST_LINE:
            whole, newline, rest = whole + newline + rest, b"\n", b""
        self._rest[stream] = rest
        return self._search(state, whole + newline) if whole else None

    def begin(self) -> None:
        """Another attempt begins: half a line of the one before is none of its own."""
        self._rest.clear()

    def _search(self, state: int, lines: bytes) -> Rule | None:
        from toolkit.core.evidence import blocks

        if self._finder is None:
            from toolkit.core.engine import LineFinder

            self._finder = LineFinder([rule.match for rule in self._rules], "re")
        for block in blocks(lines):
            for start, end, numbers in self._finder.lines(block.data):
                for rule in (self._rules[number] for number in numbers):
                    if rule.asks_for(state, None, None) and not self._excuses(rule, block.data[start:end]):
                        return rule
        return None

    def _excuses(self, rule: Rule, line: bytes) -> bool:
        if rule.unless is None:
            return False
        if rule.unless not in self._unless:
            from toolkit.core.engine import matcher

            self._unless[rule.unless] = matcher(rule.unless)
        return self._unless[rule.unless](line)
