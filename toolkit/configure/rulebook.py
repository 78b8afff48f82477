"""What must be true of the rules in a toolkit.toml: each asks for something, says how often, and is asked at all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from toolkit.configure.consistency import Found
from toolkit.core.classes import CLASSES, members
from toolkit.core.codes import parse_codes
from toolkit.core.policy import BUILT_IN, RetryRule
from toolkit.core.rules.linear import line_safe
from toolkit.core.situation import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolkit.configure import schema
    from toolkit.configure.positions import Path
    from toolkit.configure.schema import File


def rules_ask(file: File) -> Iterator[Found]:
    """A rule that names neither class nor signature would be about everything, a failure rule without a test also."""
    for place, rule in enumerate(file.policy):
        if not rule.on and not rule.signatures:
            yield Found(("policy", place), "names neither `on` nor `signatures`", "Say which failures it is about.")
    for place, failure in enumerate(file.rules):
        if failure.match is None and not failure.exit_codes and not failure.signals:
            told = "asks for nothing: no `match`, no `exit_codes`, no `signals`"
            yield Found(("rules", place), told, "Say how this failure is recognised.")
        elif failure.fatal and (failure.match is None or failure.exit_codes or failure.signals):
            told = "a fatal line ends the attempt when it is printed, and then no exit code or signal is known"
            yield Found(("rules", place, "fatal"), told, "Set match, and neither exit_codes nor signals.")


def retries_are_limited(file: File) -> Iterator[Found]:
    """Who retries everything says how often; waits grow, and whoever counts attempts says what is worth them."""
    for path, pacing, signatures in _paced(file):
        covered = {each for word in pacing.on for each in members(word)}
        given = pacing.model_fields_set
        if covered >= set(CLASSES) and not signatures and "max_attempts" not in given:
            told = "retries every failure without a limit of its own"
            yield Found((*path, "on"), told, "Name fewer classes, or set max_attempts.")
        most = pacing.max_wait if "max_wait" in given else BUILT_IN.get(str(path[1]), BUILT_IN["expensive"]).max_wait
        if "wait" in given and pacing.wait > most:
            told = f"{pacing.wait:g}s is longer than max_wait, {most:g}s"
            yield Found((*path, "wait"), told, "Raise max_wait, or wait less.")
    for name, strategy in file.strategies.items():
        if name not in BUILT_IN and "max_attempts" in strategy.model_fields_set and not strategy.on:
            told = "retries nothing, since it names no class in `on`"
            yield Found(("strategies", name), told, 'Name what is worth it: on = ["transient"].', warning=True)


def _paced(file: File) -> Iterator[tuple[Path, schema.RetryRule | schema.Strategy, list[str]]]:
    """Give all that retries: where it stands, itself, and the signatures that it is about."""
    for place, rule in enumerate(file.policy):
        if rule.action == "retry":
            yield ("policy", place), rule, rule.signatures
    for name, strategy in file.strategies.items():
        yield ("strategies", name), strategy, []


def ids_differ(file: File) -> Iterator[Found]:
    """An id stands for one rule."""
    tables = (("policy", [each.id for each in file.policy]), ("rules", [each.id for each in file.rules]))
    for table, ids in tables:
        for place, name in enumerate(ids):
            path = (table, place, "id")
            if name in ids[:place]:
                yield Found(path, f"'{name}' is there already", "Give each rule an id of its own.")
            if name.startswith("strategy."):
                yield Found(path, "ids that begin with 'strategy.' are the strategies' own", "Choose another.")


def rules_are_asked(file: File) -> Iterator[Found]:
    """First match wins, so a rule behind a wider one is never asked."""
    rules = [_rule(each) for each in file.policy]
    for place, rule in enumerate(rules):
        wider = next((each for each in rules[:place] if _covers(each, rule)), None)
        if wider is not None and (rule.on or rule.signatures):
            told = f"'{rule.id}' is never asked: '{wider.id}' before it covers everything it covers"
            remedy = "First match wins: put the narrower rule first, or drop it."
            yield Found(("policy", place), told, remedy, warning=True)
    for place, failure in enumerate(file.rules):
        same = next((each for each in file.rules[:place] if _asks(each) == _asks(failure)), None)
        if same is not None:
            told = f"'{failure.id}' is never asked: '{same.id}' before it asks for the same"
            yield Found(("rules", place), told, "Drop one of the two.", warning=True)


def _asks(rule: schema.FailureRule) -> tuple[Any, ...]:
    return rule.match, rule.unless, rule.states, rule.exit_codes, rule.signals


def _rule(each: schema.RetryRule) -> RetryRule:
    return RetryRule(
        id=each.id,
        states=parse_codes(each.states) if each.states is not None else None,
        on=tuple(each.on),
        signatures=tuple(each.signatures),
        action=each.action,
    )


def _covers(wide: RetryRule, narrow: RetryRule) -> bool:
    """Tell whether one rule speaks for every failure that another speaks for."""
    if wide.states is not None and narrow.states is None:
        return False
    spans = narrow.states.spans if narrow.states is not None else ((0, 0),)
    if any(code not in wide.states for low, high in spans for code in range(low, high + 1) if wide.states is not None):
        return False
    code = spans[0][0]
    signatures = narrow.signatures or (*wide.signatures, "")
    failures = (Diagnosis(failure_class=name, signature=each) for name in CLASSES for each in signatures)
    return all(wide.speaks_for(code, failure) for failure in failures if narrow.speaks_for(code, failure))


def examples_hold(file: File) -> Iterator[Found]:
    """A failure rule finds its example and leaves its counterexample alone."""
    for place, rule in enumerate(file.rules):
        if rule.match is None:
            continue
        found = re.compile(line_safe(rule.match))
        if rule.example and not found.search(rule.example.encode()):
            yield Found(("rules", place, "example"), "`match` does not find it", "Correct one of the two.")
        if rule.counterexample and found.search(rule.counterexample.encode()):
            yield Found(("rules", place, "counterexample"), "`match` finds it", "Correct one of the two.")
