"""Waits grow to their cap, and the breaker opens when many builds fail alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phases.limits import breaker, pause
from toolkit.core.pipeline import StateConfig
from toolkit.core.policy import Budget, RetryRule
from toolkit.core.situation import Diagnosis, Situation

FAILURE = Diagnosis(failure_class="network", signature="net.timeout")


def failing(times: int, failure: Diagnosis = FAILURE) -> Situation:
    return Situation(state=StateConfig(code=5), failure=failure, earlier=(failure,) * (times - 1), build_failures=times)


def test_waits_double_up_to_the_cap() -> None:
    """30 s, 1, 2, 4, 8 minutes, and then ten at most."""
    rule = RetryRule(id="r", on=("network",), max_attempts=9, max_elapsed=None)

    assert [pause(failing(times), rule).most for times in range(1, 8)] == [30, 60, 120, 240, 480, 600, 600]


def test_without_jitter_the_wait_is_certain() -> None:
    """Without jitter the wait is exactly what it would otherwise be at most."""
    fixed = pause(failing(2), RetryRule(id="r", on=("network",), jitter=False))

    assert (fixed.least, fixed.most) == (60.0, 60.0)


def test_no_wait_outlasts_the_rule() -> None:
    """A wait that would end after max_elapsed is cut short."""
    late = failing(2).but(elapsed_seconds=90.0)

    assert pause(late, RetryRule(id="r", on=("network",), max_elapsed=100.0)).most == 10.0


@given(st.integers(1, 10_000), st.floats(1, 100))
def test_waits_never_overflow(times: int, factor: float) -> None:
    """However often a state failed and however fast waits grow, the wait is at most the cap."""
    rule = RetryRule(id="r", on=("network",), factor=factor, max_wait=600.0, max_elapsed=None)

    assert 0 <= pause(failing(1).but(earlier=(FAILURE,) * min(times, 200)), rule).most <= 600


@pytest.mark.parametrize(
    ("failed", "probing", "limit", "state"),
    [(4, False, 5, "closed"), (5, False, 5, "probe"), (5, True, 5, "open"), (99, True, 0, "closed")],
)
def test_breaker(failed: int, probing: bool, limit: int, state: str) -> None:
    """Below the limit all go on; from it on one probes and the others wait; a limit of 0 switches it off."""
    assert breaker(failed, Budget(breaker=limit), probing=probing) == state
