"""Looking for a few letters in a flood."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from toolkit.core.markers import MarkerScanner
from toolkit.supervise.finding import PAYS_FROM, SMALL, Finder

IN_A_FLOOD = Finder()
IN_A_FLOOD(bytes(PAYS_FROM), b"x")
"""So much has come that the C library does the rest."""


@given(
    st.lists(st.sampled_from([b"\0", b":", b"::sta", b"::state ", b"a" * 50, b"\xff", b"\n"])),
    st.sampled_from([b"::state ", b":", b"\0:"]),
    st.booleans(),
)
def test_the_first_occurrence_is_found(parts: list[bytes], literal: bytes, at_the_end: bool) -> None:
    """A flood is searched as bytes are: the first occurrence, or none, whatever bytes there are."""
    filler = b"-" * SMALL
    data = filler + b"".join(parts) if at_the_end else b"".join(parts) + filler
    assert IN_A_FLOOD(data, literal) == Finder()(data, literal) == data.find(literal)


def test_markers_in_a_flood_are_found() -> None:
    """A marker deep in a flood is found as one in a trickle is, and every byte comes through."""
    line = b"step %d of many\n"
    text = b"".join(line % number for number in range(200_000)) + b"::state 20 started base::\n" + line % 1
    plain, fast = MarkerScanner().feed(1, text), MarkerScanner(find=IN_A_FLOOD).feed(1, text)
    assert [piece.marker for piece in fast] == [piece.marker for piece in plain]
    assert b"".join(piece.data for piece in fast) == text
    assert [piece.marker.code for piece in fast if piece.marker] == [20]
