"""What is secret never reaches the log."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.supervise.redact import LONGEST_HELD, MASK, SCANNER_FROM, SLICE, Redactor

ENVIRON = {
    "DEPLOY_TOKEN": "hunter2-hunter2",
    "DB_PASSWORD": "correct horse",
    "PATH": "/usr/bin:/bin",
    "PWD": "/home/somebody/project",
    "AWS_SHARED_CREDENTIALS_FILE": "/home/somebody/.aws/credentials",
    "SHORT_KEY": "abc",
    "SIGNING_KEY": "-----BEGIN PRIVATE KEY-----\nMIIabcdefghijkl\nMIIzyxwvutsrqpo\n-----END PRIVATE KEY-----",
}
TOKENS = [
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_" + "a1B2" * 9,
    "github_pat_" + "a1B2" * 10,
    "glpat-" + "x9_-" * 5,
    "xoxb-123456789012-abcdefABCDEF",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4fw",
    "AIza" + "S" * 35,
    "npm_" + "k" * 36,
    "ASIA" + "A1B2" * 4,
    "gho_" + "a1B2" * 9,
    "glcbt-" + "x9_-" * 5,
    "xapp-1-" + "A1B2" * 4,
    "hooks.slack.com/services/" + "T0/B0/a1B2" * 2,
    "rk_live_" + "a1B2" * 4,
    "dop_v1_" + "a1b2" * 16,
    "hvs." + "a1B2" * 6,
]


def streamed(redactor: Redactor, *pieces: bytes) -> bytes:
    said = [each for piece in pieces for each in redactor.feed(1, piece)]
    return b"".join([*said, *redactor.flush(1)])


@pytest.mark.parametrize("secret", ["hunter2-hunter2", "correct horse", "MIIabcdefghijkl", "MIIzyxwvutsrqpo"])
def test_values_of_telling_variables(secret: str) -> None:
    """The value of a variable whose name says that it is secret is masked wherever it stands, each line of it."""
    assert Redactor(ENVIRON).text(f"login with <{secret}> now") == "login with <[redacted]> now"


@pytest.mark.parametrize("text", ["/usr/bin:/bin", "/home/somebody/project", "/home/somebody/.aws/credentials", "abc"])
def test_values_of_other_variables(text: str) -> None:
    """Paths, names and very short values stay readable."""
    assert Redactor(ENVIRON).text(f"see {text}.") == f"see {text}."


@pytest.mark.parametrize("token", TOKENS)
def test_tokens_by_shape(token: str) -> None:
    """A token that its shape gives away is masked though nobody told us of it."""
    assert Redactor({}).text(f"using '{token}' for it") == "using '[redacted]' for it"


def test_what_stands_beside_a_secret_stays() -> None:
    """Of an address or a header only the secret part is masked, so that the line still says what failed."""
    redactor = Redactor({})

    assert (
        redactor.text("fatal: https://bot:s3cret@git.example/x.git")
        == "fatal: https://bot:[redacted]@git.example/x.git"
    )
    assert redactor.text("> Authorization: Bearer abcdef123456") == "> Authorization: Bearer [redacted]"
    assert redactor.text("clone https://git.example:8443/x.git@main") == "clone https://git.example:8443/x.git@main"


def test_configured_patterns() -> None:
    """A project's own expressions are masked, whole matches."""
    assert Redactor({}, ["LIC-[0-9]{4}-[0-9]{4}"]).text("key LIC-1234-5678 ok") == "key [redacted] ok"


def test_private_keys() -> None:
    """What stands between the head and the foot of a private key is left out, cut anywhere; one without a foot ends."""
    key = b"a\n-----BEGIN RSA PRIVATE KEY-----\nMIIB\nMIIC\n-----END RSA PRIVATE KEY-----\nb\n"

    assert streamed(Redactor({}), key) == (
        b"a\n-----BEGIN RSA PRIVATE KEY-----" + MASK + b"-----END RSA PRIVATE KEY-----\nb\n"
    )
    for cut in range(len(key)):
        assert b"MII" not in streamed(Redactor({}), key[:cut], key[cut:])
    endless = b"-----BEGIN PRIVATE KEY-----\n" + b"x" * 70 + b"\n"
    assert streamed(Redactor({}), endless, *[b"line %d\n" % n for n in range(9000)]).endswith(b"line 8999\n")


@given(
    st.lists(
        st.sampled_from([b"hunter2-hunter2", b"AKIAIOSFODNN7EXAMPLE", b"plain ", b"\n", b"\r", b" x"]), max_size=30
    ),
    st.data(),
)
def test_a_secret_in_two_pieces(words: list[bytes], data: st.DataObject) -> None:
    """However output is cut into pieces, the log is the same, and holds no secret."""
    text = b"".join(words)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    kept = streamed(Redactor(ENVIRON), *pieces)

    assert kept == streamed(Redactor(ENVIRON), text)
    assert b"hunter2-hunter2" not in kept


@pytest.mark.parametrize("piece", [1000, LONGEST_HELD, 1 << 20])
def test_a_line_that_never_ends(piece: int) -> None:
    """A very long line is not held back for ever, and secrets in it are found wherever it is cut."""
    text = (b"." * 9973 + b"hunter2-hunter2") * 60
    redactor = Redactor(ENVIRON)
    early = [b"".join(map(bytes, redactor.feed(1, text[at : at + piece]))) for at in range(0, len(text), piece)]
    kept = b"".join([*early, *redactor.flush(1)])

    assert kept == text.replace(b"hunter2-hunter2", MASK)
    assert len(b"".join(early)) > len(kept) - 2 * LONGEST_HELD


def test_floods_are_cleaned_alike() -> None:
    """The fast search for much output finds what the thorough one finds."""
    line = b"fetched https://mirror.example/pool/x in 12 ms\n"
    block = (
        line * 400
        + b"".join(b"token %b here\n" % token.encode() for token in TOKENS)
        + b"https://u:pw1@h/\nHTTP_AUTHORIZATION: Basic a1b2c3d4\n"
        + line * 400
    )
    redactor, blocks = Redactor(ENVIRON), 3 * SCANNER_FROM // len(block) + 2
    kept = streamed(redactor, *[block] * blocks)

    assert kept == streamed(Redactor(ENVIRON), block) * blocks
    assert not any(token.encode() in kept for token in [*TOKENS, "pw1", "a1b2c3d4"])


def test_a_burst_is_looked_at_a_few_lines_at_a_time() -> None:
    """While an expression looks at text, no other thread runs: it never looks at much at once, and finds as much."""
    lines = [b"%d hunter2-hunter2\n" % number for number in range(SCANNER_FROM // 30)]
    pieces = Redactor(ENVIRON).feed(1, b"".join(lines))

    assert b"".join(map(bytes, pieces)) == b"".join(lines).replace(b"hunter2-hunter2", MASK)
    assert max(map(len, pieces)) < 2 * SLICE
