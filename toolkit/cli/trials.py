"""The two arms of a phase that is tried on a share of the builds, as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.cli.opening import history_of, print_table
from toolkit.errors import NothingRecorded

if TYPE_CHECKING:
    from analysis.arms import Arm, Arms
    from toolkit.project import Project


def arms_of(project: Project, store: str | None) -> Arms | None:
    """Compare the arms of the present trial; None where there is none, or it was taken back."""
    from toolkit.supervise.trial import judge, over

    try:
        with history_of(project, store) as kept:
            told = None if over(project, kept) else judge(project, kept)
    except NothingRecorded:
        return None
    if told is None:
        return None
    from analysis.arms import Arms

    shape = told.shape()
    shape["new"]["phase"], shape["old"]["phase"] = project.phase, project.rest_phase
    return Arms(share=project.share, **shape)


def print_arms(arms: Arms) -> None:
    """Show both arms and what their comparison says."""
    print()
    print_table(
        ["arm", "phase", "builds", "green", "time to green (90 %)"],
        [[name, arm.phase, arm.builds, arm.green, _hours(arm)] for name, arm in (("new", arms.new), ("old", arms.old))],
        right=frozenset({2, 3}),
    )
    print(f"\n{arms.verdict}: {arms.why}")


def _hours(arm: Arm) -> str:
    from toolkit.core.moments import duration_text

    if arm.mean is None:
        return "-"
    low, high = (None if each is None else duration_text(3600 * each) for each in (arm.low, arm.high))
    return f"{duration_text(3600 * arm.mean)}{'' if low is None else f' ({low} to {high})'}"
