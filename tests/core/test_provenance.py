"""What became of each state, said truly."""

from __future__ import annotations

import pytest

from tests.histories import completes, fails, history, restarts
from toolkit.core.progress import fold
from toolkit.core.provenance import run_actions


@pytest.mark.parametrize("phase", ["track-only", "selective-retry"])
def test_why_a_state_ran_again(phase: str) -> None:
    """A state that had completed ran again because its phase reuses nothing; only what had not completed had not."""
    told = history(completes(5), fails(10), restarts(), completes(5), completes(10), completes(20), phase=phase)

    assert {each["code"]: each["why"] for each in run_actions(fold(told))} == {
        5: f"{phase} reuses nothing",
        10: "it had not completed",
        20: "the first time",
    }
