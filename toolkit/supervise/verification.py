"""Clean builds that verify retried ones: which build waits for one, and what is recorded when it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.core import events as ev
from toolkit.core.verifying import LABEL, chosen, judge, retried
from toolkit.errors import NotFound, Refused
from toolkit.supervise.holder import fate
from toolkit.supervise.ledger import now_ms
from toolkit.supervise.linking import build_to_continue
from toolkit.supervise.resuming import last_recorded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from toolkit.core.progress import Progress
    from toolkit.store import Store
    from toolkit.supervise.ledger import Ledger
    from toolkit.supervise.linking import Wanted

RECENT = 20
"""So many of the last builds are looked at: for one that waits, and for what comes out alike each time."""


def verifying(store: Store, wanted: Wanted, share: float, *, asked: bool) -> Wanted:
    """Let a run verify the build that waits for it, when it begins a new one anyway or when that was `asked` for.

    NotFound when it was asked for and nothing waits.
    """
    if not asked and (wanted.build not in {None, "new"} or build_to_continue(store, wanted) is not None):
        return wanted
    first = waiting(store, wanted.pipeline, wanted.target, share)
    if first is None and asked:
        raise NotFound(
            f"no build of {wanted.pipeline} that a retry helped waits to be verified",
            hint="See with `toolkit builds` which builds completed after retry.",
        )
    if first is None:
        return wanted
    command = wanted.command or (last_recorded(store.events(first.build)).command if asked else ())
    labels = {**wanted.labels, LABEL: first.build}
    return wanted.but(build="new", command=command, labels=labels, only_to_verify=asked)


def unless_verified(store: Store, wanted: Wanted) -> Wanted:
    """Let a build that is just beginning verify nothing when another one was quicker; Refused when it is for no more.

    Asked in the transaction that begins it, so of two that chose the same build one verifies it.
    """
    of = wanted.labels[LABEL]
    by = "a build that has ended" if of in _told(store.project_events()) else _at_work(store, wanted.pipeline).get(of)
    if by is None:
        return wanted
    if wanted.only_to_verify:
        raise Refused(f"build {of} is verified by {by}", hint="Ask again: another one may wait to be verified.")
    return wanted.but(labels={key: value for key, value in wanted.labels.items() if key != LABEL})


def waiting(store: Store, pipeline: str | None, target: str | None, share: float) -> Progress | None:
    """Give the last completed build that a rule's retry helped, and that waits to be verified; None: there is none.

    With a `share` below 1 only builds that are of it are verified.
    """
    told = {*_told(store.project_events()), *_at_work(store, pipeline)}
    failed = store.with_failures()
    for row in reversed(store.builds(pipeline=pipeline, limit=RECENT)):
        helped = row.status == "completed" and row.build in failed and row.target == target
        if helped and row.build not in told and chosen(row.build, share):
            progress = store.progress(row.build)
            if retried(progress) and LABEL not in progress.labels:
                return progress
    return None


def _told(facts: Iterable[ev.Event]) -> set[str]:
    """Name the builds about which a clean one has spoken."""
    return {fact.of for fact in facts if isinstance(fact, ev.CleanVerified)}


def _at_work(store: Store, pipeline: str | None) -> dict[str, str]:
    """Name the builds that are being verified, each with the clean one, whose supervisor still runs it or judges it."""
    found: dict[str, str] = {}
    for row in store.builds(pipeline=pipeline, limit=RECENT):
        clean = store.progress(row.build)
        seen = fate(clean.holder or "")
        if LABEL in clean.labels and (seen == "alive" or (clean.run_open and seen != "dead")):
            found[clean.labels[LABEL]] = f"build {clean.build}"
    return found


def conclude(store: Store, ledger: Ledger) -> None:
    """Record what a clean build, which has ended, says about the one that it verifies; a disagreement is told."""
    clean = ledger.progress
    of = clean.labels[LABEL]
    if clean.status not in {"completed", "failed"} or clean.degraded or store.row(of) is None:
        return
    first = store.progress(of)
    others = [
        store.progress(row.build)
        for row in store.builds(pipeline=clean.pipeline, limit=RECENT)
        if row.status == "completed" and row.build != of
    ]
    judged = judge(first, clean, others)
    attempts = retried(first)
    fact = ev.CleanVerified(
        build=ev.PROJECT, ts_ms=now_ms(), of=of, by_build=clean.build, verdict=judged.verdict, reason=judged.reason,
        rules=tuple(dict.fromkeys(each.decision.rule for each in attempts if each.decision and each.decision.rule)),
        states=tuple(str(each.state) for each in attempts),
        failures=tuple(each.signature or "unknown" for each in attempts),
        classes=tuple(each.failure_class or "unknown" for each in attempts),
    )  # fmt: skip
    first_to_tell = store.append_project(fact, unless=lambda facts: of in _told(facts))
    if first_to_tell and fact.verdict == "disagrees":
        rules = ", ".join(fact.rules)
        ledger.say(f"build {of} came through by a retry, and this clean one disagrees: {fact.reason}. Tainted: {rules}")
