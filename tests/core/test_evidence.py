"""Output of any size and shape is read in one pass, with bounded memory, and always alike."""

from __future__ import annotations

import itertools
import tracemalloc

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from toolkit.core import evidence
from toolkit.core.evidence import BLOCK_BYTES, HEAD_BYTES, TAIL_BYTES, blocks, clean, shape_of
from toolkit.core.failure import Classifier, familiar_lines

OUTPUT = st.lists(
    st.sampled_from([b"a", b"error: x", b"\n", b"\r", b"\r\n", b"\x1b[31m", b"\x1b", b"[", b"\xff\x00", b"12 "])
).map(b"".join)


@given(OUTPUT, st.lists(st.integers(0, 60), max_size=5), st.integers(4, 40))
@example(b"aaaaaaaaaaa", [10, 10], 4)
def test_blocks_depend_on_the_bytes_alone(output: bytes, cuts: list[int], size: int) -> None:
    """However the output arrives, the same blocks come out, and no byte of a short line is lost."""
    places = [0, *sorted(min(cut, len(output)) for cut in cuts), len(output)]
    pieces = [output[start:end] for start, end in itertools.pairwise(places)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evidence, "BLOCK_BYTES", size + 6)
        patch.setattr(evidence, "HEAD_BYTES", 4)
        patch.setattr(evidence, "TAIL_BYTES", 2)
        assert [(block.data, block.first_line) for block in blocks(pieces)] == [
            (block.data, block.first_line) for block in blocks(output)
        ]


@given(OUTPUT)
def test_cleaning_leaves_text_and_line_feeds(output: bytes) -> None:
    """No escape, no control character remains, and line feeds are neither lost nor added."""
    cleaned = clean(output)

    assert not set(cleaned) & (set(range(32)) - {9, 10, 13})
    assert cleaned.count(b"\n") == output.count(b"\n")


def test_a_long_line_keeps_its_head_and_its_tail() -> None:
    """A line of any length is cut in the middle: both ends may say what happened."""
    for length in (HEAD_BYTES + TAIL_BYTES + 1, BLOCK_BYTES - 1, BLOCK_BYTES + 5, 5 * BLOCK_BYTES):
        data = b"".join(block.data for block in blocks(b"before\nHEAD" + b"x" * length + b"TAIL\nafter\n"))
        before, line, after, end = data.split(b"\n")

        assert (before, after, end) == (b"before", b"after", b"")
        assert line.startswith(b"HEADxxx")
        assert line.endswith(b"xxxTAIL")
        assert b"cut" in line
        assert len(line) < HEAD_BYTES + TAIL_BYTES + 100


def test_progress_bars_count_as_one_line() -> None:
    """Tens of thousands of carriage returns do not shift the numbers of the lines after them."""
    output = b"start\n" + b"".join(b"%7d of many\r" % n for n in range(50_000)) + b"\nNo space left on device\n"

    assert Classifier().classify(output, exit_code=1).evidence[0].line == 3


def test_memory_stays_bounded() -> None:
    """A stream with a line of 40 MB and twenty thousand errors is read within a few MB."""

    def stream() -> itertools.chain[bytes]:
        return itertools.chain(
            itertools.repeat(b"x" * 65536, 640),
            [b"\n"],
            itertools.repeat(b"error: all is lost\n" * 2000, 10),
            [b"No space left on device\n"],
        )

    classifier = Classifier(engine="re2")
    classifier.classify(b"warm", exit_code=1)
    tracemalloc.start()
    found = classifier.classify(stream(), exit_code=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert found.failure_class == "resource"
    assert found.evidence[0].line == 1 + 10 * 2000 + 1
    assert peak < 16 << 20


def test_shapes_are_stable_numbers() -> None:
    """The number of a shape is the same in every process: it is stored for years."""
    assert shape_of(b"copied 17 files to /tmp/x.123") == shape_of(b"copied 3 files to /tmp/zzz")
    assert shape_of(b"copied 17 files to /tmp/x.123") == 7008513817949396273
    assert shape_of(b"HTTP 503") != shape_of(b"HTTP 404")
    assert -(2**63) <= shape_of(b"anything") < 2**63


def test_familiar_lines_are_bounded() -> None:
    """A success of any size leaves a bounded set."""
    letters = "abcdefghij"
    output = "".join(f"{''.join(word)} done\n" for word in itertools.product(letters, repeat=5)).encode()

    assert len(familiar_lines(output)) == 20_000


@settings(max_examples=20)
@given(OUTPUT)
def test_a_success_knows_all_its_own_lines(output: bytes) -> None:
    """Nothing in an output is new to a set that was taken from it."""
    familiar = familiar_lines(output)

    for block in blocks(output):
        assert all(shape_of(line) in familiar for line in block.data.split(b"\n"))
