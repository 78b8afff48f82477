"""`toolkit check` tells every fault of a toolkit.toml at once: file, line, key, what is wrong, and the remedy."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from toolkit.configure.checking import check
from toolkit.configure.positions import positions

CONTRACT = """\
phase = "track-only"

[pipeline]
name = "golden-image"
link_window = "24h"
restarts = 0                                  # how often we start over ourselves; 0 leaves it to whoever does today

[[states]]
code = 5
name = "kickstart"
marker = '^Starting install, retrieving'      # optional
run = "./kickstart.sh"                        # optional
strategy = "expensive"                        # expensive | quick | manual | none | a name from [strategies]
timeout = "45m"
stall = "15m"                                 # no informative output for so long
inputs = ["ks.cfg", "env:RELEASE"]            # files, globs, environment: their content is the fingerprint
outputs = ["build/green.qcow2"]               # must exist, and be unchanged, to be reused
verify = "qemu-img check build/green.qcow2"   # must exit 0 before `completed` is believed
reset = "rm -f build/green.qcow2"             # runs before a retry in place; a failing reset forbids the retry
resume = "auto"                               # auto | never

[strategies.expensive]                        # the built-in ones, shown as they are
max_attempts = 3
on = ["transient"]                            # classes or groups; there is no wildcard by omission
wait = "30s"
factor = 2.0
max_wait = "10m"
jitter = true
max_elapsed = "2h"
then = "start-over"                           # start-over | hold
command = ""                                  # another command on retry (a limited playbook, say)

[[rules]]                                     # own failure rules, tried before the built-in ones
id = "vmforge.broker"
class = "network"
match = "E7713 broker handshake lost"         # linear-time regex, on the failing attempt's output
states = "10-65"
exit_codes = [70]

[budget]
attempts_per_build = 12
minutes_per_build = 240
breaker = 5                                   # so many builds failing alike within an hour stop all retries
"""


def told(text: str) -> list[str]:
    """Give the faults of a file, warnings marked, each with its remedy."""
    faults = check(text.encode(), "toolkit.toml")[1]
    return [f"{'warning: ' if fault.warning else ''}{fault.text} | {fault.remedy}" for fault in faults]


def test_the_documented_file_is_in_order() -> None:
    """The example that documents all keys passes its own check."""
    assert told(CONTRACT) == []


STATE = "[[states]]\ncode = 5\n"
RETRY = '[[policy]]\nid = "r"\n'


def cases() -> list[tuple[str, str]]:
    """Give the files of faults.txt, each with the fault and the remedy that stand below it."""
    blocks = (Path(__file__).parent / "faults.txt").read_text().split("\n\n~~~\n")
    told = [(block.partition("\n> ")[0], block.strip().split("\n> ")[1:]) for block in blocks]
    return [(text + "\n", " | ".join(fault)) for text, fault in told]


@pytest.mark.parametrize(("text", "fault"), cases())
def test_fault(text: str, fault: str) -> None:
    """Each mistake is told where it stands, in words that say what to do."""
    assert told(text) == [fault]


def test_all_faults_are_told_at_once() -> None:
    """Faults of single keys do not hide how the rest fits together."""
    text = f"shar = 1\n{STATE}timeout = 'soon'\n[[states]]\nname = 'nameless'\n{STATE}strategy = 'nope'\n{RETRY}"

    assert [fault.partition(" |")[0] for fault in told(text)] == [
        "toolkit.toml:1: shar: unknown key",
        "toolkit.toml:4: states.timeout: 'soon' is not a duration",
        "toolkit.toml:5: states.code: is missing",
        "toolkit.toml:8: states.code: 5 overlaps 5",
        "toolkit.toml:9: states.strategy: there is no strategy 'nope'",
        "toolkit.toml:10: policy: names neither `on` nor `signatures`",
    ]


def test_a_narrow_rule_before_a_wide_one_is_asked() -> None:
    """Only rules that can never speak are called shadowed."""
    narrow = "[[policy]]\nid = 'narrow'\nstates = '5'\non = ['network']\n"
    wide = "[[policy]]\nid = 'wide'\non = ['transient']\n"
    other = "[[policy]]\nid = 'other'\non = ['transient']\nsignatures = ['net.timeout']\n"

    assert told(narrow + wide) == []
    assert told(other + wide) == []
    assert told("[[policy]]\nid = 'unsure'\non = ['uncertain']\n[[policy]]\nid = 'named'\non = ['unknown']\n") == []


def test_not_utf8() -> None:
    """A file in another encoding is named with the line that gives it away."""
    document, faults = check(b"phase = 'track'\n# caf\xe9\n", "toolkit.toml")

    assert document is None
    assert [fault.text for fault in faults] == ["toolkit.toml:2: not UTF-8"]


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_content_breaks_the_check(content: bytes) -> None:
    """Whatever a file holds, it is either in order or told to be wrong."""
    document, faults = check(content, "toolkit.toml")

    assert (document is None) == any(not fault.warning for fault in faults)


LINES = st.lists(
    st.sampled_from([
        "[[states]]", "[states.more]", "[pipeline]", "[strategies.a]", 'a = """', '"""', "b.c = 1", "'q' = [", "1, # ]",
        "]", 'd = { e = "}" }', "# [no]", "", "f = '''x'''", 'g = "[[states]]"', "[[rules]]",
    ]),
    max_size=12,
)  # fmt: skip


@given(LINES)
def test_positions_point_at_their_keys(lines: list[str]) -> None:
    """Where a key is said to stand, the line names it; tables stand where their header is."""
    text = "\n".join(lines)
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        assume(False)
    for path, line in positions(text).items():
        named = path[-1] if isinstance(path[-1], str) else path[-2]
        assert re.search(re.escape(str(named)), text.split("\n")[line - 1])


def test_every_documented_key_is_known(request: pytest.FixtureRequest) -> None:
    """The schema has no key that the check would not accept where it is documented."""
    source = (Path(request.config.rootpath) / "toolkit" / "configure" / "schema.py").read_text()
    keys = set(re.findall(r"^    (\w+): ", source, re.MULTILINE)) - {"model_config", "failure_class"}
    documented = set(re.findall(r"^(?:\w+\.)?(\w+) = |^\[+(\w+)", CONTRACT, re.MULTILINE))

    assert {key or table for key, table in documented} - {"class"} <= keys
