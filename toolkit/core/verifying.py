"""Builds that came through by being tried again, checked by clean ones: which, and what the second one says."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final, Literal

from toolkit.core import events as ev
from toolkit.core.classes import GROUP_OF
from toolkit.core.fingerprints import id_of
from toolkit.core.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from toolkit.core.codes import StateCode
    from toolkit.core.progress import Attempt, Progress

Verdict = Literal["agrees", "disagrees", "unclear"]

LABEL: Final = "verifies"
"""The label by which a clean build names the one that it verifies."""
_BYTES: Final = 8


class Judged(Value):
    """What a clean build says about one that needed retries."""

    verdict: Verdict
    reason: str


def chosen(build: str, share: float) -> bool:
    """Tell whether a build is of the share that is verified: the same answer, however often one asks."""
    place = int.from_bytes(
        blake2b(f"verify {build}".encode(errors="surrogatepass"), digest_size=_BYTES).digest(), "big"
    )
    return place / 256**_BYTES < share


def retried(progress: Progress) -> tuple[Attempt, ...]:
    """Give the failed attempts of a completed build after which the same state was tried again, by a rule of ours."""
    return tuple(
        each
        for each in progress.attempts
        if each.status == "failed" and each.decision is not None and each.decision.action == "retry"
    )


def judge(first: Progress, clean: Progress, others: Iterable[Progress] = ()) -> Judged:
    """Compare a build that needed retries with a clean one of the same; `others` tell what comes out alike at all.

    | the clean build                                   | verdict                                           |
    | ------------------------------------------------- | ------------------------------------------------- |
    | failed, with what passes by itself, or was stopped | unclear                                          |
    | failed otherwise                                  | disagrees                                         |
    | needed a retry itself                             | unclear                                           |
    | was made from other inputs                        | unclear                                           |
    | made another output, of a state whose output is known to come out alike | disagrees                   |
    | made another output, of any other state           | unclear                                           |
    | made the same                                     | agrees                                            |
    """
    failed = [each for each in clean.attempts if each.status == "failed"]
    if clean.status == "failed" and failed:
        last = failed[-1]
        what = f"state {last.state} failed in {clean.build}: {last.error}"
        passing = GROUP_OF.get(last.failure_class or "") == "transient"
        return Judged(verdict="unclear" if passing else "disagrees", reason=what)
    if clean.status != "completed":
        return Judged(verdict="unclear", reason=f"{clean.build} was not finished")
    if failed:
        return Judged(verdict="unclear", reason=f"{clean.build} needed a retry itself, at state {failed[0].state}")
    return _compared(first, clean, tuple(others))


def _compared(first: Progress, clean: Progress, others: tuple[Progress, ...]) -> Judged:
    compared, differing = 0, ""
    for code, done in sorted(first.completions.items()):
        again = clean.completions.get(code)
        if again is None:
            return Judged(verdict="unclear", reason=f"state {code} is not in {clean.build}")
        if id_of(done.inputs) != id_of(again.inputs):
            return Judged(verdict="unclear", reason=f"state {code} was made from other inputs in {clean.build}")
        if done.outputs is None or again.outputs is None:
            continue
        compared += 1
        if id_of(done.outputs) == id_of(again.outputs):
            continue
        if _comes_out_alike(code, done.inputs, others):
            return Judged(verdict="disagrees", reason=f"state {code} made something else in {clean.build}")
        differing = differing or f"state {code} made something else in {clean.build}, as it may each time"
    if differing:
        return Judged(verdict="unclear", reason=differing)
    told = f"every state of {clean.build} completed at once; outputs compared: {compared}"
    return Judged(verdict="agrees", reason=told)


def _comes_out_alike(code: StateCode, inputs: str | None, others: tuple[Progress, ...]) -> bool:
    """Tell whether builds without a failure made the same output from the same inputs, two at least and each time."""
    made = [
        id_of(done.outputs)
        for each in others
        if not any(attempt.status == "failed" for attempt in each.attempts)
        and (done := each.completions.get(code)) is not None
        and done.outputs is not None
        and id_of(done.inputs) == id_of(inputs)
    ]
    return len(made) > 1 and len(set(made)) == 1


def tainted(facts: Iterable[ev.Event]) -> dict[str, ev.CleanVerified]:
    """Give the rules whose retries let something through that a clean build did not confirm, unless trusted since."""
    found: dict[str, ev.CleanVerified] = {}
    for fact in facts:
        if isinstance(fact, ev.CleanVerified) and fact.verdict == "disagrees":
            found |= dict.fromkeys(fact.rules, fact)
        elif isinstance(fact, ev.RuleTrusted):
            found.pop(fact.rule, None)
    return found


def doubt(facts: Iterable[ev.Event], rule: str, state: StateCode, signature: str) -> ev.CleanVerified | None:
    """Give what spoke against a rule's retry of just this failure at this state; None: nothing, or it is trusted."""
    found: ev.CleanVerified | None = None
    for fact in facts:
        if isinstance(fact, ev.RuleTrusted) and fact.rule == rule:
            found = None
        elif isinstance(fact, ev.CleanVerified) and fact.verdict == "disagrees" and rule in fact.rules:
            about = zip(fact.states, fact.failures, strict=True)
            found = fact if (str(state), signature) in about else found
    return found
