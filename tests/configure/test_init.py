"""The first toolkit.toml explains itself, and a log of yesterday is enough to propose its states."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.configure.checking import check
from toolkit.configure.init import Proposed, propose_from_log, template
from toolkit.core.markers import MarkerScanner
from toolkit.core.pipeline import StateConfig

SAMPLES = sorted((Path(__file__).parents[2] / "sample_logs").glob("*-green/build.log"))


def proposed(log: str) -> list[tuple[int, str, str]]:
    return [(each.code, each.name, each.marker) for each in propose_from_log(log.splitlines())]


def found(log: str, states: list[Proposed]) -> list[int]:
    """Scan a log for the proposed markers, and give the codes of the states in the order in which they start."""
    scanner = MarkerScanner([StateConfig(code=each.code, name=each.name, marker=each.marker) for each in states])
    pieces = [*scanner.feed(1, log.encode()), *scanner.flush(1)]
    return [piece.marker.code for piece in pieces if piece.marker is not None and piece.marker.status == "started"]


def test_banners_of_the_author() -> None:
    """Steps that a script announces become states, in whatever style it announces them."""
    assert proposed("==> Fetch base\nnoise\n==> Run playbook\n==> Smoke tests\n") == [
        (5, "fetch-base", "^==> Fetch base"),
        (10, "run-playbook", "^==> Run playbook"),
        (70, "smoke-tests", "^==> Smoke tests"),
    ]
    assert proposed("[1/2] Download\n[2/2] Pack it\n") == [
        (5, "download", r"^\[1/2\] Download"),
        (10, "pack-it", r"^\[2/2\] Pack it"),
    ]
    assert proposed("Step 1/2 : FROM debian\n ---> 4f1c\nStep 2/2 : RUN make\n") == [
        (5, "from-debian", "^Step 1/2 : FROM debian"),
        (10, "run-make", "^Step 2/2 : RUN make"),
    ]
    assert proposed("#####\n### Build rootfs ###\n#####\n### Sign (twice) ###\n") == [
        (5, "build-rootfs", "^### Build rootfs ###"),
        (10, "sign-twice", r"^### Sign \(twice\) ###"),
    ]


def test_what_changes_from_build_to_build_is_left_open() -> None:
    """A marker found in yesterday's log is found in today's, though times and numbers differ."""
    yesterday = "2026-03-01 10:15:00 ==> Build 20260301.1\n2026-03-01 10:16:09 ==> Pack at 10:16:09\n"
    today = "2026-03-02 09:00:00 ==> Build 20260302.14\n2026-03-02 09:01:30 ==> Pack at 09:01:30\n"

    assert found(today, propose_from_log(yesterday.splitlines())) == [5, 10]


def test_roles_of_a_playbook() -> None:
    """Each role is a state, from its first task on; handlers run late and never start one."""
    log = (
        "PLAY [all] ****\nTASK [common : Install packages] ****\nTASK [common : Users] ****\n"
        "TASK [web : nginx's conf] ****\nRUNNING HANDLER [common : Restart] ****\nPLAY RECAP ****\n"
        "===== test session starts =====\n"
    )

    assert proposed(log) == [
        (5, "common", r"^TASK \[common : Install packages\]"),
        (10, "web", r"^TASK \[web : nginx's conf\]"),
        (70, "tests", "test session starts"),
    ]


def test_the_build_s_own_markers_decide() -> None:
    """A build that prints markers already needs none in its configuration."""
    assert proposed("==> a b\n::state 5 started kickstart::\n==> c d\n::state 20 completed base::\n") == [
        (5, "kickstart", ""),
        (20, "base", ""),
    ]


def test_nothing_telling_proposes_nothing() -> None:
    """From a log without steps no states are made up."""
    assert proposed("") == []
    assert proposed("compiling\n" * 50) == []
    assert proposed("==> again\n==> again\n") == []


@pytest.mark.parametrize("log", SAMPLES, ids=lambda path: path.parent.name)
def test_markers_of_real_builds(log: Path) -> None:
    """On real builds stripped of their markers, every proposed marker matches once, and all in order."""
    text = re.sub(r"^::state .*\n", "", log.read_text(errors="replace"), flags=re.MULTILINE)
    states = propose_from_log(text.splitlines())

    assert found(text, states) == [each.code for each in states]


LINES = st.lists(
    st.one_of(
        st.sampled_from([
            "==> one", "==> two", "=== three ===", "[1/2] four", "[2/2] five", "PLAY [six] ***", "TASK [a : b] ***",
            "TASK [c : d] ***", "\x1b[1m### sev'en\x1b[0m", "Linux version 6", "I: running apt-get update",
            "10:15:00 ==> eight", "::state 5 started x::",
        ]),
        st.text(max_size=20),
    ),
    max_size=25,
)  # fmt: skip


@given(LINES)
def test_proposals_are_in_order_and_found(lines: list[str]) -> None:
    """Whatever the log, the proposed file passes the check and its markers find the states in their order."""
    log = "\n".join(line.replace("\n", " ").replace("\r", " ") for line in lines) + "\n"
    states = propose_from_log(log.split("\n"))

    assert check(template("x", states).encode(), "toolkit.toml")[1] == []
    if all(state.marker for state in states):
        assert found(log, states) == [state.code for state in states]


@given(st.text(min_size=1, max_size=30))
def test_any_name_is_written_correctly(name: str) -> None:
    """Whatever the pipeline is called, the file says so."""
    text = template(name)

    assert tomllib.loads(text)["pipeline"]["name"] == name
    assert check(text.encode(), "toolkit.toml")[1] == []


def test_what_the_template_explains_is_true() -> None:
    """Every key that the first file explains in a comment is accepted when the comment sign is taken away."""
    text = re.sub(r"^# ?(?=(?:\[|[a-z_]+ = ))", "", template("golden-image"), flags=re.MULTILINE)
    parsed = tomllib.loads(text)

    assert {"states", "strategies", "rules", "budget", "pipeline"} <= parsed.keys()
    assert check(text.encode(), "toolkit.toml")[1] == []
