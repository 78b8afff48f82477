"""Times and durations as people and JSON write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.core.moments import duration_text, parse_duration, parse_rfc3339, rfc3339

moments = st.integers(0, 4_102_444_800_000)  # 1970 to 2100


@given(moments)
def test_a_time_reads_back_to_the_millisecond(ts_ms: int) -> None:
    """Writing a time loses nothing, and what is written is in UTC with three places."""
    text = rfc3339(ts_ms)

    assert parse_rfc3339(text) == ts_ms
    assert len(text) == len("2026-03-01T10:15:00.000Z")
    assert text.endswith("Z")


@given(moments, moments)
def test_written_times_sort_as_they_follow_each_other(one: int, other: int) -> None:
    """Text order is time order."""
    assert (rfc3339(one) < rfc3339(other)) == (one < other)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2026-03-01T10:15:00Z", "2026-03-01T10:15:00.000Z"),
        ("2026-03-01T12:15:00+02:00", "2026-03-01T10:15:00.000Z"),
        ("2026-03-01 10:15:00.5z", "2026-03-01T10:15:00.500Z"),
        ("2026-03-01T10:15:00.123456Z", "2026-03-01T10:15:00.123Z"),
        ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
    ],
)
def test_every_rfc_3339_time_is_understood(text: str, same: str) -> None:
    """Zones, a space for the T, small letters, and as many decimals as somebody cares to write."""
    assert rfc3339(parse_rfc3339(text)) == same


@pytest.mark.parametrize("text", ["", "yesterday", "2026-03-01", "2026-03-01T10:15:00", "2026-02-30T10:15:00Z", "1772"])
def test_a_time_without_a_zone_is_refused(text: str) -> None:
    """A time that leaves its zone, or anything else, to be guessed is no time."""
    with pytest.raises(ValueError, match=f"^'{text}' "):
        parse_rfc3339(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("45m", 2700),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        ("250ms", 0.25),
        ("1.5s", 1.5),
        ("1d", 86400),
    ],
)
def test_durations_are_read_as_people_write_them(text: str, seconds: float) -> None:
    """`90s`, `45m`, `2h`, `1h30m` and their like."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "90", "-5s", "h", "1h30", "ten minutes", "5 s later"])
def test_a_duration_without_its_unit_is_refused(text: str) -> None:
    """A bare number could be anything, so it is nothing."""
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0s"),
        (0.44, "0.4s"),
        (38, "38s"),
        (725, "12m 5s"),
        (12_000, "3h 20m"),
        (187_200, "2d 4h"),
        (3600, "1h"),
        (-60, "-1m"),
    ],
)
def test_durations_are_written_for_people(seconds: float, text: str) -> None:
    """Two units at most: nobody wants the seconds of a day."""
    assert duration_text(seconds) == text
