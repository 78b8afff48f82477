"""Recommendations in sentences that a person understands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from analysis.recovery import DIRTY
from toolkit.core.moments import duration_text
from toolkit.core.words import how_many

if TYPE_CHECKING:
    from analysis.costs import StateCosts
    from analysis.recommend import Learnt
    from analysis.recommendation import Evidence, Interval, RuleAdvice
    from analysis.waits import Answer


_LISTED: Final = 3
_HUNDREDS: Final = 200
_DIRTY: Final = 0.05
_LONG: Final = 7 * 24.0


def rule_sentence(  # noqa: PLR0913, PLR0917 - what a sentence tells
    learnt: Learnt, action: str, answer: Answer, chance: Interval, more: int, saved: float
) -> str:
    """Say what to do about a group of failures, and why; `saved` are seconds per occasion."""
    parts = [_seen(learnt)]
    if action == "retry":
        parts.append(_retry(learnt, answer, chance, saved))
    elif action == "hold":
        parts.append(
            f"Starting over costs {duration_text(learnt.stakes.back)} each time and helps {_percent(chance)}:"
            f" stop and let a person look.{_patience(answer)}"
        )
    elif action == "collect":
        parts.append(
            f"{_capital(_what(answer))} promises {duration_text(max(answer.hours.mean(), 0.0) * 3600)} per failure, but"
            f" it could still cost more than it saves. {_more(more)}{_seen_in_place(learnt)} would decide."
        )
    else:
        parts.append(
            f"The way back takes only {duration_text(learnt.stakes.back)} and a failing attempt"
            f" {duration_text(learnt.stakes.fails)}, the chance is {_percent(chance)}: starting over is as good."
        )
    if learnt.lent >= 0.5:  # noqa: PLR2004 - less than half an occasion is not worth a word
        parts.append(
            f"Similar failures elsewhere count for {learnt.lent:.0f} more occasion{'s' * (round(learnt.lent) != 1)}."
        )
    return " ".join(parts)


def _patience(answer: Answer) -> str:
    """Say how soon somebody has to look at a held build, where that is what it hangs on."""
    pays = answer.patience < _LONG
    return f" That pays while somebody does within {duration_text(3600 * answer.patience)}." if pays else ""


def state_sentence(of: StateCosts, evidence: Evidence, rule: RuleAdvice | None) -> str:
    """Say what to do about a state: what its weightiest rule says."""
    if rule is None:
        return f"It has not failed in {how_many(evidence.attempts, 'attempt')}: there is nothing to learn from yet."
    share = f" ({of.failures / of.attempts:.0%} of {how_many(of.attempts, 'attempt')})" if of.attempts else ""
    which = rule.signatures[0] if rule.signatures else f"{rule.on[0]} failures"
    often = "always" if evidence.failures == rule.failures else "mostly" if 2 * rule.failures > of.failures else "often"
    return f"It failed {of.failures} time{'s' * (of.failures != 1)}{share}, {often} with {which}: {rule.why}"


def _seen(learnt: Learnt) -> str:
    if not learnt.failures:
        return f"Any other {learnt.group.failure_class} failure here: none was seen, those that were seen are its like."
    count = f"{learnt.failures} failure{'s' * (learnt.failures != 1)}"
    if not learnt.tried:
        return f"{count}, none of which was seen to be tried again."
    occasions = max(1, round(learnt.incidents))
    alike = "" if occasions >= learnt.tried else f" ({occasions} independent occasion{'s' * (occasions != 1)})"
    return f"{count}; of {learnt.tried} tried again, {learnt.recovered} passed at the next attempt{alike}."


def _more(failures: int) -> str:
    if failures > _HUNDREDS:
        return "Hundreds of further failures"
    return f"About {failures} more failure{'s' * (failures != 1)}"


def _seen_in_place(learnt: Learnt) -> str:
    """Say that start-overs alone never tell whether a place is dirty."""
    doubtful = not learnt.in_place and float(learnt.cloud.share[DIRTY].mean()) > _DIRTY
    return ", some of them retried in place," if doubtful else ""


def _retry(learnt: Learnt, answer: Answer, chance: Interval, saved: float) -> str:
    text = (
        f"{_capital(_what(answer))}: the first retry recovers {_percent(chance)},"
        f" and it saves {duration_text(saved)} each time, as starting over takes {duration_text(learnt.stakes.back)}."
    )
    if not learnt.in_place:
        text += (
            " No retry in place was recorded yet; that some failures pass only after a start-over is allowed for,"
            " and a trial on a share of the builds (`phase set selective-retry --share 20%`) would show."
        )
    if answer.then == "hold":
        text += " What still fails then needs a person."
    return text


def _what(answer: Answer) -> str:
    schedule = answer.schedule
    if schedule is None:
        return "stopping for a person"
    times = "once" if schedule.retries == 1 else f"up to {schedule.retries} times"
    if not schedule.wait:
        return f"retrying in place {times}, at once"
    waits = [duration_text(wait) for wait in schedule.waits]
    if schedule.retries > 1 and schedule.factor == 1:
        return f"retrying in place {times}, {waits[0]} apart"
    listed = ", ".join(waits) if schedule.retries <= _LISTED else f"{', '.join(waits[:2])}, … {waits[-1]}"
    return f"retrying in place {times}, after {listed}"


def _percent(chance: Interval) -> str:
    return f"{chance.mean:.0%} of the time (90 % sure: {chance.low:.0%} to {chance.high:.0%})"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
