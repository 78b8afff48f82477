"""What is to be done about failures: ordered rules, a strategy per state, and budgets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from toolkit.core.action import Hold, StartOver
from toolkit.core.classes import GROUP_OF
from toolkit.core.codes import CodeRange, StateCode
from toolkit.core.values import Value

if TYPE_CHECKING:
    from toolkit.core.pipeline import StateConfig
    from toolkit.core.situation import Diagnosis

Afterwards = Literal["start-over", "hold"]

MOST_ATTEMPTS: Final = 100
MOST_MINUTES: Final = 7 * 24 * 60
"""The ceiling: whatever a policy says, a build that spent so many failed attempts or minutes is not retried."""


class Pacing(Value):
    """How often, how fast and how long to try, and what then. Times in seconds; None is no limit of its own."""

    max_attempts: int = 3
    """Counts the first attempt."""
    wait: float = 30.0
    factor: float = 2.0
    max_wait: float = 600.0
    jitter: bool = True
    max_elapsed: float | None = 7200.0
    then: Afterwards = "start-over"
    command: str = ""
    """Another command for the retries, such as a limited playbook; empty for the same again."""


class RetryRule(Pacing):
    """One answer to some failures. A condition that is not set asks nothing, so at least one of them has to be."""

    id: str
    states: CodeRange | None = None
    on: tuple[str, ...] = ()
    """Failure classes and groups."""
    signatures: tuple[str, ...] = ()
    action: Literal["retry", "start-over", "hold"] = "retry"
    saves: float | None = None
    """Seconds a failure that this is expected to save against starting over, as the recommendation said."""

    def speaks_for(self, state: StateCode, failure: Diagnosis) -> bool:
        """Tell whether this rule has the say about a failure of a state."""
        if self.states is not None and state not in self.states:
            return False
        if self.signatures:
            return failure.signature in self.signatures and (not self.on or among(self.on, failure))
        return among(self.on, failure) and (self.action != "retry" or known(self.on, failure))

    def afterwards(self, reason: str) -> StartOver | Hold:
        """Give the action when a retry is out of the question, for the reason given."""
        last = self.then if self.action == "retry" else self.action
        return Hold(reason=reason, rule=self.id) if last == "hold" else StartOver(reason=reason, rule=self.id)


class Strategy(Pacing):
    """What to do about the failures of the states that name it."""

    name: str
    on: tuple[str, ...] = ()
    """Failure classes and groups worth a retry; none by omission."""
    hold: tuple[str, ...] = ("persistent",)
    """Failure classes and groups that only a person can help."""

    @property
    def id(self) -> str:
        """The strategy as the rule that decided."""
        return f"strategy.{self.name}"

    def rule_for(self, failure: Diagnosis) -> RetryRule | None:
        """Give the rule for a failure; None when this strategy has nothing to say about it."""
        if among(self.on, failure) and known(self.on, failure):
            pacing = {name: getattr(self, name) for name in Pacing.fields}
            return RetryRule(id=self.id, on=self.on, **pacing)
        if self.then == "hold" or among(self.hold, failure):
            return RetryRule(id=self.id, on=self.hold, action="hold")
        return None


class Budget(Value):
    """What one build may spend on failing before it is left alone."""

    attempts_per_build: int = 12
    """Failed attempts, of all states together."""
    minutes_per_build: float = 240.0
    breaker: int = 5
    """So many builds failing alike within an hour stop the retries of that signature; 0 never does."""


BUILT_IN: Final[Mapping[str, Strategy]] = MappingProxyType(
    {
        # Late or long states: give a network or a mirror time to come back.
        "expensive": Strategy(name="expensive", on=("transient",)),
        # States that can simply be played again. Scarcity often passes once the other step is done, and a playbook is
        # made to run on what an earlier one left; a second identical failure ends it in any case.
        "quick": Strategy(
            name="quick", on=("transient", "resource", "dirty"), wait=5.0, max_wait=60.0, max_elapsed=1800.0
        ),
        # Tests: what fails here is looked at.
        "manual": Strategy(name="manual", max_attempts=1, then="hold"),
        # As without us.
        "none": Strategy(name="none", max_attempts=1, hold=()),
    }
)

_KINDS: Final = (
    ("manual", r"tests?|testing|goss|testinfra|serverspec|smoke|acceptance"),
    ("quick", r"ansible|playbooks?|provision|configure|roles?"),
    ("expensive", r"kickstart|install|installation|anaconda|download|fetch|bootstrap|debootstrap"),
)
_DESIGN: Final = (
    ("expensive", CodeRange(spans=((5, 5),))),
    ("quick", CodeRange(spans=((10, 65),))),
    ("manual", CodeRange(spans=((70, 90),))),
)


@lru_cache(maxsize=1024)
def strategy_by_kind(code: StateCode, name: str | None) -> str:
    """Name the strategy of a state that names none itself: by what its name says, else by its place in the design.

    A state that fits neither gets `expensive`: it retries nothing but what passes by itself.
    """
    for strategy, words in _KINDS:
        if re.search(rf"(?<![a-z])({words})(?![a-z])", (name or "").lower()):
            return strategy
    return next((strategy for strategy, codes in _DESIGN if code in codes), "expensive")


class Policy(Value):
    """All that is said about failures: rules first, then the state's strategy. Nothing said means no retry."""

    rules: tuple[RetryRule, ...] = ()
    strategies: Mapping[str, Strategy] = BUILT_IN
    budget: Budget = Budget()
    every_state: bool = False
    """Give states without a strategy the one for their kind."""

    def rule_for(self, state: StateConfig, failure: Diagnosis) -> RetryRule | None:
        """Give the first rule that speaks for a failure of a state; None when there is none."""
        for rule in self.rules:
            if rule.speaks_for(state.code, failure):
                return rule
        strategy = self.strategy_of(state)
        return strategy.rule_for(failure) if strategy else None

    def strategy_of(self, state: StateConfig) -> Strategy | None:
        """Give the strategy of a state: its own, or that of its kind where every state has one."""
        name = state.strategy or (strategy_by_kind(state.code, state.name) if self.every_state else None)
        return self.strategies.get(name) if name else None


def among(words: tuple[str, ...], failure: Diagnosis) -> bool:
    """Tell whether classes and groups cover a failure."""
    return failure.failure_class in words or failure.group in words


def known(words: tuple[str, ...], failure: Diagnosis) -> bool:
    """Tell whether a failure is understood well enough to be retried: `unknown` has to be asked for by its own name."""
    return failure.failure_class in GROUP_OF and (failure.failure_class != "unknown" or "unknown" in words)
