"""State codes and the ranges that people write them in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.core.codes import HIGHEST, CodeRange, parse_code, parse_codes

codes = st.integers(0, HIGHEST)
written = st.lists(st.tuples(codes, codes).map(sorted), min_size=1, max_size=5)


def as_text(spans: list[list[int]]) -> str:
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)


@given(written, codes)
def test_both_ends_belong_to_a_range(spans: list[list[int]], code: int) -> None:
    """A code is in a range when one of the written spans holds it, ends included, whatever their order."""
    assert (code in parse_codes(as_text(spans))) == any(low <= code <= high for low, high in spans)


@given(written)
def test_a_range_reads_what_it_writes(spans: list[list[int]]) -> None:
    """What is written out reads back as the same set; spans come out sorted, apart, and merged."""
    parsed = parse_codes(as_text(spans))

    assert parse_codes(str(parsed)) == parsed
    assert all(left[1] + 1 < right[0] for left, right in zip(parsed.spans, parsed.spans[1:], strict=False))


@given(written, written)
def test_ranges_overlap_when_a_code_is_in_both(first: list[list[int]], second: list[list[int]]) -> None:
    """Two ranges overlap exactly when some code is in both; either may be asked."""
    one, other = parse_codes(as_text(first)), parse_codes(as_text(second))
    ends = [end for span in (*one.spans, *other.spans) for end in span]

    assert one.overlaps(other) == other.overlaps(one) == any(end in one and end in other for end in ends)


def test_the_codes_of_the_design_document() -> None:
    """`5,10-65` is the kickstart and the Ansible milestones."""
    assert parse_codes("5,10-65") == CodeRange(spans=((5, 5), (10, 65)))
    assert parse_codes(" 70 - 90 ") == CodeRange(spans=((70, 90),))
    assert parse_code("0") == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "'' is not a state code"),
        ("-5", "'-5' is not a state code"),
        ("five", "'five' is not a state code"),
        ("1.5", "'1.5' is not a state code"),
        ("\u0665", "'\u0665' is not a state code"),
        ("5,", "'' is not a state code"),
        ("10000", "state code 10000 is above the highest, 9999"),
        ("65-10", "range '65-10' runs backwards: write 10-65"),
    ],
)
def test_what_is_no_range_is_refused_with_the_reason(text: str, told: str) -> None:
    """Nothing that is not a whole number from 0 up passes for a code, and the message says which part is wrong."""
    with pytest.raises(ValueError, match=told):
        parse_codes(text)


def test_only_whole_numbers_are_in_a_range() -> None:
    """Anything else is not in it, rather than an error."""
    assert "5" not in parse_codes("0-10")
    assert None not in parse_codes("0-10")
