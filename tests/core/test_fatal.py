"""A line that a rule calls fatal is heard as soon as it is whole, however the output arrives."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from toolkit.core.fatal import LONGEST_LINE, FatalLines, fatal_rules
from toolkit.core.pipeline import StateConfig
from toolkit.core.rules import Rule

LOST = Rule(id="broker.lost", failure_class="network", match="E7713 broker", unless="will retry", fatal=True)
LINE = b"\x1b[31mE7713 broker handshake lost\x1b[0m\r\n"


@given(st.lists(st.integers(0, 80), max_size=6), st.sampled_from([b"", b"fine\n", b"half a line, "]))
def test_pieces_do_not_matter(cuts: list[int], before: bytes) -> None:
    """Cut anywhere, coloured or not, the line is heard, and with its last piece."""
    output = before + LINE
    places = sorted({min(cut, len(output)) for cut in cuts} | {0, len(output)})
    listening = FatalLines([LOST])
    heard = [listening.hears(5, 1, output[low:high]) for low, high in itertools.pairwise(places)]

    assert heard[-1] == LOST
    assert set(heard[:-1]) <= {None}


def test_streams_are_not_mixed() -> None:
    """Half a line on one stream and half on the other are two lines; so are those of two attempts."""
    listening = FatalLines([LOST])

    assert listening.hears(5, 1, b"E7713 ") is None
    assert listening.hears(5, 2, b"broker\n") is None
    listening.begin()
    assert listening.hears(5, 1, b"broker\n") is None


def test_a_line_may_excuse_itself() -> None:
    """What the rule must not stand beside is heard, too."""
    assert FatalLines([LOST]).hears(5, 1, b"E7713 broker lost, will retry\n") is None


def test_a_rule_is_for_its_states() -> None:
    """A state may name any rule as fatal for itself, and it is so nowhere else."""
    rules = fatal_rules([], [StateConfig(code=5, fatal=("disk.full",)), StateConfig(code=20)])
    full = b"cp: error writing 'image': No space left on device\n"

    assert {(rule.id, rule.states, rule.fatal) for rule in rules} == {("disk.full", "5", True)}
    assert FatalLines(rules).hears(5, 2, full) in rules
    assert FatalLines(rules).hears(20, 2, full) is None


def test_a_line_without_an_end_is_heard_too() -> None:
    """Output that never ends its line is looked at when it has grown long, and is not kept."""
    listening = FatalLines([LOST])

    assert listening.hears(5, 1, b"E7713 broker " + b"." * LONGEST_LINE) == LOST
