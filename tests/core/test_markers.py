"""Markers are found in what a build prints, wherever the pieces of output are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from toolkit.core.markers import LONGEST_LINE, Marker, MarkerScanner, Piece
from toolkit.core.pipeline import StateConfig

HINTED = (
    StateConfig(
        code=5, name="kickstart", marker="^Starting install, retrieving", marker_hints=("starting install, retrieving",)
    ),
    StateConfig(code=20, name="base", marker=r"^TASK \[base : ", marker_hints=("task [base : ",)),
)
STATES = (*HINTED, StateConfig(code=30, marker="^={3,}$"))


def scan(*chunks: bytes, states: tuple[StateConfig, ...] = ()) -> list[Piece]:
    """Feed chunks of one stream, flush it, and join what carries no marker."""
    scanner = MarkerScanner(states)
    pieces = [piece for chunk in chunks for piece in scanner.feed(1, chunk)] + scanner.flush(1)
    joined: list[Piece] = []
    for piece in pieces:
        if joined and piece.marker is None and joined[-1].marker is None:
            joined[-1] = Piece(data=joined[-1].data + piece.data)
        else:
            joined.append(piece)
    return joined


def markers(output: bytes, states: tuple[StateConfig, ...] = ()) -> list[Marker]:
    return [piece.marker for piece in scan(output, states=states) if piece.marker is not None]


@pytest.mark.parametrize(
    ("line", "marker"),
    [
        (b"::state 5 started::", Marker(code=5, status="started")),
        (b"::state 5 started kickstart::", Marker(code=5, status="started", name="kickstart")),
        (b"::state 5 completed::\r", Marker(code=5, status="completed")),
        (b"  \t::state 0 completed::  ", Marker(code=0, status="completed")),
        (b"::state 5 failed - no route to host::", Marker(code=5, status="failed", reason="no route to host")),
        (
            b"::state 70 failed smoke tests - 2 of 9 - see log::",
            Marker(code=70, status="failed", name="smoke tests", reason="2 of 9 - see log"),
        ),
        (b"\x1b[1;32m::state 5 started kickstart::\x1b[0m", Marker(code=5, status="started", name="kickstart")),
        (b" 50 %\r100 %\r::state 10 started::", Marker(code=10, status="started")),
        (b"::state  5  started  a b ::", Marker(code=5, status="started", name="a b")),
        ("::state 5 started naïve::".encode(), Marker(code=5, status="started", name="naïve")),
    ],
)
def test_built_in_marker(line: bytes, marker: Marker) -> None:
    """A built-in marker tells code, status, name and reason; colours, indentation and CR LF do not hide it."""
    assert markers(b"before\n" + line + b"\nafter\n") == [marker]
    assert markers(line) == [marker]


@pytest.mark.parametrize(
    "line",
    [
        b"echo ::state 5 started::",
        b"::state 5 started:: and more",
        b"::state 5 begun::",
        b"::state five started::",
        b"::state -5 started::",
        b"::state 12345 started::",
        b"::state 5::",
        b"::state ::",
        b"::state 5 started",
        b"::state 5 started::\roverwritten",
        b"::state 5 started " + b"x" * LONGEST_LINE + b"::",
    ],
)
def test_not_a_marker(line: bytes) -> None:
    """A marker stands alone on its line, complete and of reasonable length; everything else is output."""
    assert scan(b"a\n" + line + b"\nb\n") == [Piece(data=b"a\n" + line + b"\nb\n")]


def test_output_is_cut_at_the_markers_lines() -> None:
    """Each marker's line is a piece of its own, so that it can go to the attempt it begins or ends."""
    output = b"one\n::state 5 started::\ntwo\n  ::state 5 failed - gone::\r\nthree"

    assert scan(output) == [
        Piece(data=b"one\n"),
        Piece(data=b"::state 5 started::\n", marker=Marker(code=5, status="started")),
        Piece(data=b"two\n"),
        Piece(data=b"  ::state 5 failed - gone::\r\n", marker=Marker(code=5, status="failed", reason="gone")),
        Piece(data=b"three"),
    ]


def test_configured_markers_lead_forward() -> None:
    """A state's own expression starts it once; a later line that looks alike, such as a handler's, is no news."""
    output = (
        b"14:02:11,345 INF: Starting install, retrieving\nStarting install, retrieving packages\n"
        b"TASK [base : users] ***\nTASK [base : sudo] ***\nStarting install, retrieving packages\n"
        b"\x1b[33m======\x1b[0m\n"
    )

    assert markers(output, STATES) == [
        Marker(code=5, status="started", name="kickstart", configured=True),
        Marker(code=20, status="started", name="base", configured=True),
        Marker(code=30, status="started", configured=True),
    ]


def test_streams_are_told_apart() -> None:
    """Half a marker on stdout and half on stderr make none."""
    scanner = MarkerScanner()

    assert scanner.feed(1, b"::state 5 ") == []
    assert scanner.feed(2, b"started::\n") == [Piece(data=b"started::\n")]
    assert scanner.feed(1, b"started::\n")[0].marker == Marker(code=5, status="started")


def test_nothing_is_kept_back_without_need() -> None:
    """Unfinished output is passed on at once, unless it may be the beginning of a marker."""
    scanner = MarkerScanner()

    assert scanner.feed(1, b"Password: ") == [Piece(data=b"Password: ")]
    assert scanner.feed(1, b"\r 10 %") == [Piece(data=b"\r 10 %")]
    assert scanner.feed(1, b"\n::sta") == [Piece(data=b"\n")]
    assert scanner.feed(1, b"rt") == [Piece(data=b"::start")]


def test_big_chunks_are_not_copied() -> None:
    """A chunk without a marker is passed on as it came."""
    chunk = b"x" * 99 + b"\n"

    assert MarkerScanner().feed(1, chunk)[0].data is chunk


SNIPPETS = st.sampled_from([
    b"::state 5 started::", b"::state 10 completed x - y::", b"::state ", b"::", b"\n", b"\r", b"\r\n", b"text", b" ",
    b"\x1b[1m", b"\x1b[", b"\x1b", b"Starting install, retrieving", b"TASK [base : ", b"====", b"=",
    b"z" * (LONGEST_LINE - 30), b"z" * 40,
])  # fmt: skip


OWN = st.sampled_from([(), HINTED, STATES])


@given(st.lists(SNIPPETS, max_size=30).map(b"".join), st.lists(st.integers(0, 200_000), max_size=12), OWN)
@example(b"::state 5 started::\r\n", [20], ())
@example(b"x\r::state 5 started::\n", [1, 2], ())
def test_chunking_changes_nothing(output: bytes, cuts: list[int], own: tuple[StateConfig, ...]) -> None:
    """Wherever the output is cut into pieces, the same markers are found at the same bytes."""
    places = sorted({0, len(output), *(cut % (len(output) + 1) for cut in cuts)})
    whole = scan(output, states=own)

    assert scan(*(output[a:b] for a, b in pairwise(places)), states=own) == whole
    assert b"".join(piece.data for piece in whole) == output


@given(st.lists(SNIPPETS.filter(lambda snippet: len(snippet) < 100), max_size=12).map(b"".join), OWN)
def test_byte_by_byte(output: bytes, own: tuple[StateConfig, ...]) -> None:
    """A serial console that hands over single bytes hides nothing."""
    single = [output[place : place + 1] for place in range(len(output))]

    assert scan(*single, states=own) == scan(output, states=own)


@given(st.lists(SNIPPETS, max_size=30).map(b"".join))
def test_hints_only_hurry(output: bytes) -> None:
    """What is known about the lines that an expression matches makes the scan faster and finds the same."""
    unhinted = tuple(state.but(marker_hints=()) for state in HINTED)

    assert scan(output, states=HINTED) == scan(output, states=unhinted)
