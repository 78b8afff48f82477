"""Rules that a clean rebuild spoke against, and `toolkit phase trust`, which takes that back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from toolkit.cli.opening import ProjectOption, StoreOption, history_of, open_project
from toolkit.errors import NothingRecorded, Refused

if TYPE_CHECKING:
    from toolkit.core.events import CleanVerified
    from toolkit.project import Project


def taints_of(project: Project, store: str | None) -> dict[str, CleanVerified]:
    """Give the tainted rules, each with what tainted it."""
    from toolkit.core.verifying import tainted

    try:
        with history_of(project, store) as kept:
            return tainted(kept.project_events())
    except NothingRecorded:
        return {}


def told(rule: str, taint: CleanVerified) -> str:
    """Say in a line what a rule is tainted by."""
    places = zip(taint.states, taint.failures, strict=True)
    what = ", ".join(dict.fromkeys(f"{failure} in state {state}" for state, failure in places))
    return (
        f"{rule} is tainted: it helped {taint.of}, and the clean {taint.by_build} disagrees: {taint.reason};"
        f" it does not retry {what} until `toolkit phase trust {rule}`"
    )


def trust(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="The rule's id, as `toolkit phase show` names it.")],
    why: Annotated[str, typer.Option("--why", "-m", metavar="TEXT", help="The reason, for the history.")],
    project: ProjectOption = None,
    store: StoreOption = None,
) -> None:
    """Trust a rule again that a clean rebuild spoke against: it retries again, and may be recommended.

    Example:

      toolkit phase trust strategy.expensive -m "the mirror had changed between the two"
    """
    from toolkit.cli.people import me
    from toolkit.core.events import PROJECT, RuleTrusted
    from toolkit.supervise.ledger import now_ms

    here = open_project(project)
    if rule not in taints_of(here, store):
        raise Refused(f"rule {rule} is not tainted", hint="See which are with `toolkit phase show`.")
    with history_of(here, store) as kept:
        kept.append_project(RuleTrusted(build=PROJECT, ts_ms=now_ms(), rule=rule, by=me(), why=why))
    print(f"{rule} is trusted again")
