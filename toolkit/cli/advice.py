"""A recommendation as a person reads it: a table and a sentence per state, or everything about one."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Final

from toolkit.cli.opening import print_table
from toolkit.core.moments import duration_text
from toolkit.core.words import how_many
from toolkit.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from analysis.outlook import Prospect
    from analysis.recommendation import Interval, Recommendation, RuleAdvice, StateAdvice


_OPEN: Final = 3


def show(advice: Recommendation, explain: int | None, prospects: Sequence[Prospect] = ()) -> None:
    """Print the advice, or all that is known of one state, with what is expected of its open failures."""
    chosen = [each for each in advice.states if explain in {None, each.code}]
    if explain is not None and not chosen:
        raise NotFound(f"nothing is recorded of state {explain}", hint="See the states with `toolkit recommend`.")
    failed = [each for each in chosen if each.rules]
    if not failed and explain is None:
        print("not enough evidence yet: no failure has been recorded")
        return
    print(f"{advice.pipeline}: {how_many(advice.builds, 'build')} from {advice.since} to {advice.until}\n")
    if explain is not None:
        for line in _everything(chosen[0]):
            _say(line)
        for one in [each for each in prospects if each.state == explain][:_OPEN]:
            chance = f"{one.chance.mean:.0%} ({one.chance.low:.0%} to {one.chance.high:.0%})"
            _say(
                f"  Open: {one.build} failed here with {one.signature}. An attempt now passes with a chance of"
                f" {chance}, from {how_many(one.outcomes, 'outcome')} and what other builds met around it."
            )
        return
    print_table(
        ["state", "name", "do", "sure", "failures", "recovered", "hours saved per 100 builds"],
        [
            [each.code, each.name, each.action, f"{each.confidence:.0%}", each.evidence.failures,
             each.evidence.recovered, _spread(each.saves.hours_per_100_builds)]
            for each in failed
        ],
        right=frozenset({0, 4, 5}),
    )  # fmt: skip
    print()
    for each in failed:
        _say(f"{_place(each)}: {each.why}")
    calm = [_place(each) for each in chosen if not each.rules]
    if calm:
        print()
        _say(f"Never failed: {', '.join(calm)}.")
    for note in advice.notes:
        _say(f"Changed: {note}.")
    print("\n`toolkit recommend --explain STATE` tells everything about one state, `--apply` writes the rules.")


def _say(line: str) -> None:
    """Print a line; on a terminal in its width, what goes on set in."""
    indent = " " * (len(line) - len(line.lstrip()))
    wide = shutil.get_terminal_size().columns if sys.stdout.isatty() else len(line) + 1
    print(textwrap.fill(line, max(wide, 40), subsequent_indent=f"{indent}  ") if line else "")


def _everything(state: StateAdvice) -> Iterator[str]:
    yield f"{_place(state)}: {state.why if not state.rules else _counted(state)}"
    for rule in state.rules:
        signature = f" with signature {rule.signatures[0]}" if rule.signatures else ", whatever their signature"
        yield ""
        yield f"  {', '.join(rule.on)} failures{signature}: {rule.action} ({rule.confidence:.0%} sure)"
        yield f"    {rule.why}"
        if rule.action == "retry":
            yield f"    Rule: {_paced(rule)}; then {rule.then}."
        if rule.failures:
            yield f"    Chance of the next attempt, made as those on record: {_percent(rule.p_recover)}."
        if rule.action in {"retry", "hold"} and rule.failures:
            hours, machine = rule.saves.hours_per_100_builds, rule.saves.machine_hours_per_100_builds
            yield f"    Saves for 100 builds: {_spread(hours)} hours, {_spread(machine)} machine hours."
    yield ""
    if state.timeout is not None:
        limit = state.timeout
        cut = f"would have cut {limit.would_have_cut} of" if limit.would_have_cut else "spares all"
        of_all = how_many(limit.successes, "successful attempt")
        yield f"  A time limit of {duration_text(limit.seconds)} {cut} {of_all}."
    if state.checkpoint is not None:
        saved = f"{state.checkpoint.hours_per_100_builds:.1f} hours for 100 builds"
        within = duration_text(state.checkpoint.pays_below_seconds)
        yield f"  A checkpoint just before it would save {saved}; it pays while making one takes less than {within}."


def _counted(state: StateAdvice) -> str:
    seen = state.evidence
    return (
        f"{seen.failures} of {how_many(seen.attempts, 'attempt')} failed, on {how_many(seen.incidents, 'occasion')};"
        f" {seen.recovered} passed at the next attempt, {seen.in_place} were tried again in place,"
        f" {seen.censored} tell nothing of recovery (given up, cut short, or tried with other inputs)."
    )


def _paced(rule: RuleAdvice) -> str:
    if not rule.wait:
        waits = "at once"
    elif rule.factor == 1 or rule.max_attempts == 2:  # noqa: PLR2004 - one wait has no successor
        waits = f"{duration_text(rule.wait)} apart"
    else:
        waits = f"after {duration_text(rule.wait)}, each wait {rule.factor:g} times the last, at most"
        waits += f" {duration_text(rule.max_wait)}"
    within = f", within {duration_text(rule.max_elapsed)}" if rule.max_elapsed else ""
    return f"{rule.max_attempts} attempts with the first one, {waits}{within}"


def _place(state: StateAdvice) -> str:
    return f"{state.code} {state.name or ''}".rstrip()


def _spread(hours: Interval) -> str:
    return f"{hours.mean:.1f} ({hours.low:.1f} to {hours.high:.1f})"


def _percent(chance: Interval) -> str:
    return f"{chance.mean:.0%} ({chance.low:.0%} to {chance.high:.0%})"
