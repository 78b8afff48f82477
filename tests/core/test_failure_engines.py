"""Hyperscan, RE2 and plain search agree on every output: the engine decides about speed alone."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.searching import worth
from toolkit.core.engine import EngineName, LineFinder
from toolkit.core.failure import Classifier
from toolkit.core.rules import BUILT_IN, SMELLS

ENGINES: tuple[EngineName, ...] = ("hyperscan", "re2", "re")
EXPRESSIONS = [rule.match for rule in (*BUILT_IN, *SMELLS) if rule.match]
CLASSIFIERS = {engine: Classifier(engine=engine) for engine in ENGINES}
FINDERS = {engine: LineFinder(EXPRESSIONS, engine) for engine in ENGINES}

SIGNS = [
    "TASK [base : Install] ***", "RUNNING HANDLER [base : restart] ***", "...ignoring", "BUILD SUCCESSFUL in 4s",
    "the image was not built successfully", "build successfully completed, 3 failed",
]  # fmt: skip
SENTENCES = [text for rule in BUILT_IN if rule.match for text in (rule.example, rule.counterexample)] + SIGNS * 20
WORDS = sorted({word for sentence in SENTENCES for word in sentence.split()})
LINES = st.one_of(
    st.sampled_from(SENTENCES),
    st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join),
    st.text(max_size=20),
).map(str.encode)
OUTPUT = st.lists(LINES, max_size=12).flatmap(
    lambda lines: st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\r"]).map(lambda end: end.join(lines))
)


@worth(60)
@given(OUTPUT, st.sampled_from([None, 0, 1, 100, 124, 137]))
def test_every_engine_gives_the_same_failure(output: bytes, exit_code: int | None) -> None:
    """Class, signature, confidence and evidence are the same, whichever engine looked."""
    found = [CLASSIFIERS[engine].classify(output, exit_code=exit_code) for engine in ENGINES]

    assert found[0] == found[1] == found[2]


@worth(60)
@given(st.lists(LINES, max_size=12).map(b"\n".join))
def test_every_engine_finds_the_same_lines(block: bytes) -> None:
    """Not only the verdict: each single match is the same."""
    block = block.replace(b"\r", b"\n")
    found = [list(FINDERS[engine].lines(block)) for engine in ENGINES]

    assert found[0] == found[1] == found[2]


OWN = [
    r"^E\d{4}",
    r"[^a]b$",
    r"[^a]x?b$",
    r"(?:a|x)b$",
    r"(a$|b)9?",
    r"\s+x\W",
    "«lost»",
    "(?i)straße",
    r"a|b{2}",
    r"[\D]9",
    r"^\S+$",
    r"\bend\b",
]


@worth(150)
@given(st.lists(st.text(alphabet="abx9E1 e«lostßn».-\t", max_size=12), max_size=8))
@example(["111«b", "1111111111««", "11111", "b"])
@example([" ", "11b1Eb 1 9.", "bab"])
@pytest.mark.parametrize("expression", OWN)
def test_engines_agree_on_peoples_rules_too(expression: str, lines: list[str]) -> None:
    """Negated classes, blanks, line ends, characters beyond ASCII mean the same everywhere; no match crosses lines."""
    block = "\n".join(lines).encode()
    found = [list(LineFinder([expression], engine).lines(block)) for engine in ENGINES]

    assert found[0] == found[1] == found[2]


def test_an_expression_that_hyperscan_refuses_still_works() -> None:
    """What one engine cannot take is left to another; nothing is lost silently."""
    finder = LineFinder([r"(?:a.{1,900}b.{1,900}c.{1,900}){1,400}zap", "small thing"], "hyperscan")

    assert list(finder.lines(b"no\nsmall thing\n")) == [(3, 14, [1])]


def test_the_two_ways_to_confirm_agree() -> None:
    """After much work one automaton takes over from the single expressions: the same lines come out."""
    finder = LineFinder(EXPRESSIONS, "re2")
    block = "\n".join(SENTENCES).encode()
    early = list(finder.lines(block))
    finder._confirmed = 10**9

    assert list(finder.lines(block)) == early
