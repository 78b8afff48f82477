"""What hundreds of tools really print: each failure gets a class that a person would give, each harmless line none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.core.classes import GROUP_OF
from toolkit.core.failure import Classifier

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = Path(__file__).parent / "data"
CLASSIFIER = Classifier()
SHARE = 0.99
"""Of the failures that must get a class that a person would give; the group must be right for all."""
BEFORE = 25
"""Harmless lines before a failure: other ones each time, so that each of them stands before hundreds."""


def entries(name: str) -> Iterator[str]:
    """Give the lines of a list that are not comments."""
    for line in (DATA / name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith(("# ", "## ")):
            yield line


def failures() -> Iterator[tuple[list[str], str]]:
    """Give the listed failures: the classes that are right, and the text."""
    for line in entries("failures.txt"):
        classes, _, text = line.partition(" ")
        yield classes.split("|"), text.replace("\\n", "\n").replace("\\t", "\t")


def test_failures_of_many_tools_are_understood() -> None:
    """Alone at the end of a failed attempt, each text leads to a right group, and all but a few to a right class."""
    wrong_group: list[str] = []
    wrong_class: list[str] = []
    told = list(failures())
    for right, text in told:
        assert set(right) <= set(GROUP_OF), text
        found = CLASSIFIER.classify(text.encode(), exit_code=1)
        if found.failure_class not in right:
            said = f"{text[:100]!r}: {found.failure_class} by {found.rule}, not {' or '.join(right)}"
            (wrong_class if found.group in {GROUP_OF[name] for name in right} else wrong_group).append(said)

    assert len(told) > 700
    assert wrong_group == []
    assert len(wrong_class) <= (1 - SHARE) * len(told), wrong_class


def test_what_good_builds_print_is_no_failure() -> None:
    """Lines of good builds get no class, neither one by one nor in the output of a success."""
    lines = list(entries("harmless.txt"))
    accused = [line for line in lines if CLASSIFIER.classify_line(line.encode()).failure_class != "unknown"]

    assert len(lines) >= 100
    assert accused == []
    assert CLASSIFIER.classify("\n".join(lines).encode(), exit_code=0).failure_class == "unknown"
    assert CLASSIFIER.classify("\n".join(lines).encode()).failure_class == "unknown"


def test_a_failure_is_found_among_harmless_lines() -> None:
    """Between what good builds print, a failure at the end is still the one that is told, and its line is the proof."""
    around = list(entries("harmless.txt"))
    wrong: list[str] = []
    for number, (right, text) in enumerate(failures()):
        start = number % len(around)
        before = (around[start:] + around[:start])[:BEFORE]
        found = CLASSIFIER.classify("\n".join((*before, text)).encode(), exit_code=1)
        if not {GROUP_OF[name] for name in right} & {found.group} or found.evidence[0].line <= len(before):
            wrong.append(f"{text[:100]!r}: {found.failure_class} by {found.rule} at {found.evidence[0]}")

    assert len(wrong) <= (1 - SHARE) * (number + 1), wrong
