"""A new phase is tried on a share of the builds, and always on the same ones."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from phases.rollout import arm_of


@given(st.text(), st.floats(0, 1), st.floats(0, 1))
def test_a_wider_share_takes_nobody_back(build: str, one: float, other: float) -> None:
    """Who is in a share is in every larger one; asked again, the answer is the same."""
    small, large = sorted((one, other))

    assert arm_of(build, small) == arm_of(build, small)
    assert not (arm_of(build, small) == "new" and arm_of(build, large) == "old")
    assert (arm_of(build, 0.0), arm_of(build, 1.0)) == ("old", "new")


def test_a_share_is_a_share() -> None:
    """Of ten thousand builds in a row, about as many as asked for follow the new phase."""
    for share in (0.05, 0.2, 0.5):
        new = sum(arm_of(f"b-{number:04}", share) == "new" for number in range(10_000))

        assert abs(new / 10_000 - share) < 0.015
