"""Messages that no rule knows get a signature that lasts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.core.signature import TEMPLATE_CHARS, MergeMap, merge_near, signature, template

ALIKE = [
    ("cannot frob /srv/a/b.img: 12 blocks left", "cannot frob /var/lib/images/green-7.img: 40961 blocks left"),
    ("2026-03-01T10:15:00.000Z worker-3 gave up", "2027-12-31T23:59:59.999Z worker-17 gave up"),
    ("[   12.5] widget flux too low", "[99999.123456] widget flux too low"),
    ("container 4f5e6a7b8c9d died on build7.example.com", "container 00ffab12cd34 died on build12.corp.example.com"),
    ("upgrade from 1.2.3 to 1.3.0-rc1 refused", "upgrade from 2.0.14 to 10.1 refused"),
    ("request 3fa85f64-5717-4562-b3fc-2c963f66afa6 lost", "request 9b2e1c34-0000-4abc-8def-123456789abc lost"),
    ("peer 192.0.2.17:4431 vanished", "peer 10.0.0.1:99 vanished"),
    ("GET https://a.example/x?y=1 vanished", "GET http://b.example/long/path vanished"),
    ("took 3.2 s, limit 10s", "took 400 ms, limit 2 minutes"),
]
UNLIKE = [
    ("server said HTTP 503", "server said HTTP 404"),
    ("child exited with code 2", "child exited with code 3"),
    ("[Errno 2] gone", "[Errno 13] gone"),
    ("connect (111: lost)", "connect (113: lost)"),
    ("disk vanished", "network vanished"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_what_changes_from_run_to_run_is_masked(one: str, other: str) -> None:
    """Times, numbers, ids, hosts, paths and versions do not make another signature."""
    assert signature(one) == signature(other)


@pytest.mark.parametrize(("one", "other"), UNLIKE)
def test_what_decides_is_kept(one: str, other: str) -> None:
    """Statuses, exit codes and errors by number are the message, not its decoration."""
    assert signature(one)[0] != signature(other)[0]


def test_a_signature_lasts() -> None:
    """The id is written into histories: it may only change together with the version of the masks."""
    assert signature("zorg: cannot frob widget 17 in /srv/a/b") == (
        "tmpl.0274519e50",
        "zorg: cannot frob widget <n> in <path>",
    )


@given(st.text(max_size=400))
def test_any_text_has_a_signature(text: str) -> None:
    """Whatever the message, there is an id of one form and a bounded, one-line template."""
    name, readable = signature(text)

    assert name.startswith("tmpl.")
    assert len(name) == 15
    assert len(readable) <= TEMPLATE_CHARS
    assert template(text) == readable


def test_near_equal_shapes_merge_into_the_oldest() -> None:
    """A word more or less does not make another failure; a status more or less does."""
    texts = [
        "the widget of the left engine refused to start because its flux was too low",
        "the widget of the right engine refused to start because its flux was too low",
        "an entirely different thing went wrong",
        "server said HTTP 503 for the left engine and its flux again and again",
        "server said HTTP 404 for the left engine and its flux again and again",
    ]
    mined = [signature(text) for text in texts]
    merged = merge_near(mined)

    assert merged.version == 1
    assert dict(merged.stands_for) == {mined[1][0]: mined[0][0]}
    assert merged.canonical(mined[1][0]) == mined[0][0]
    assert merged.canonical("net.timeout") == "net.timeout"


def test_a_merge_map_only_grows() -> None:
    """What history was told once stays true, whatever is mined later; without news the version stays."""
    old = MergeMap(3, {"tmpl.b": "tmpl.z"})
    again = merge_near(
        [("tmpl.a", "flux too low in the engine room"), ("tmpl.b", "flux too low in the engine room")], old
    )

    assert again.version == 3
    assert again.canonical("tmpl.b") == "tmpl.z"


LEFTOVERS = ["vg0", "/root", "10.0.0.29232", "E7", ":", " ", "a1b2c3d", "x/y.z", "5s"]


@given(st.lists(st.sampled_from(LEFTOVERS), max_size=9))
def test_a_template_masked_again_is_the_same(pieces: list[str]) -> None:
    """What is left of a masked word is masked until nothing changes, so templates can be compared with messages."""
    once = template("".join(pieces))

    assert template(once) == once
