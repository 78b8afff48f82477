"""No output, however hostile, crashes the classifier or makes it slow."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.searching import worth
from toolkit.core.classes import CLASSES
from toolkit.core.failure import Classifier, familiar_lines
from toolkit.core.rules import BUILT_IN
from toolkit.core.rules.linear import required
from toolkit.core.signature import template

CLASSIFIER = Classifier(engine="re2")
LITERALS = sorted({literal for rule in BUILT_IN if rule.match for literal in required(rule.match)})
PIECES = st.one_of(
    st.binary(max_size=30),
    st.sampled_from(LITERALS),
    st.sampled_from(
        [
            b"\n",
            b"\r",
            b"\r\n",
            b"\x1b[",
            b"\x1b]0;",
            b"\x07",
            b"\x1b[1;31m",
            b" ",
            b": ",
            b"...ignoring\n",
            b"fatal: [h]: ",
        ]
    ),
)


@worth(300)
@given(
    st.lists(PIECES, max_size=40),
    st.one_of(st.none(), st.integers(-70, 300)),
    st.one_of(st.none(), st.integers(1, 64)),
    st.one_of(st.none(), st.integers(0, 100)),
    st.sampled_from([None, "timeout", "stall"]),
)
def test_anything_gets_an_answer(
    chunks: list[bytes], exit_code: int | None, signal: int | None, state: int | None, ended_by: None
) -> None:
    """Any bytes in any pieces, any end: a class, a signature, at most twenty lines that stand in the output."""
    found = CLASSIFIER.classify(chunks, exit_code=exit_code, signal=signal, state=state, ended_by=ended_by)

    assert found.failure_class in CLASSES
    assert found.signature
    assert 0 <= found.confidence <= 1
    assert len(found.evidence) <= 20
    assert len({(line.line, line.text) for line in found.evidence}) == len(found.evidence)
    assert all(1 <= line.line <= b"".join(chunks).count(b"\n") + 1 for line in (*found.evidence, *found.context))
    assert len(found.summary) <= 500
    assert "\n" not in found.summary


HOSTILE = {
    "one endless word": b"x",
    "one endless word with an end": b"error",
    "digits": b"1",
    "blanks": b" ",
    "returns": b"\r",
    "escapes": b"\x1b[",
    "open titles": b"\x1b]0;",
    "half an address": b"1.",
    "half a path": b"/a",
    "half a url": b"http:",
    "half a rule": b"failed to connect to ",
    "ignored": b"...ignoring\n",
    "errors": b"error: \n",
    "denied": b"permission denied\n",
    "brackets": b"[",
    "hex": b"ab1",
    "quotes": b"'\"",
    "retry": b"retry after ",
}


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE)
def test_time_grows_with_size_and_no_faster(piece: bytes) -> None:
    """Four times the output costs about four times the work, on one hostile line or on many."""

    def cost(size: int) -> float:
        output = piece * (size // len(piece))
        start = time.process_time()
        CLASSIFIER.classify(output, exit_code=1)
        familiar_lines(output)
        return time.process_time() - start

    cost(1 << 14)
    few = min(cost(1 << 18) for _ in range(2))
    assert any(cost(1 << 20) <= 4 * few * 2.5 + 0.1 for _ in range(2))


@worth(100)
@given(st.sampled_from([piece for piece in HOSTILE.values() if b"\n" not in piece]), st.text(max_size=5))
def test_a_template_is_cheap(piece: bytes, after: str) -> None:
    """Masking looks at a bounded part of a message."""
    start = time.process_time()
    template(piece.decode() * 20_000 + after)
    assert time.process_time() - start < 0.5
