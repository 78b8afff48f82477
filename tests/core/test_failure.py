"""What becomes of the end of an attempt: class, signature, evidence, and honesty about what is not known."""

from __future__ import annotations

import subprocess
import sys

import pytest

from toolkit.core.failure import Classifier, familiar_lines
from toolkit.core.rules import Rule

CLASSIFY = Classifier().classify


def told(*lines: str, exit_code: int | None = 1, **more: object) -> tuple[str, str]:
    found = CLASSIFY("\n".join(lines).encode(), exit_code=exit_code, **more)  # type: ignore[arg-type]
    return found.failure_class, found.signature


def test_the_contracts_example() -> None:
    """A network time-out is `net.timeout` of class network, and its line is the first evidence."""
    found = CLASSIFY(
        b"Fetching the licence\ncurl: (28) Operation timed out after 8001 milliseconds\nbye\n", exit_code=28
    )

    assert (found.failure_class, found.group, found.signature, found.rule) == (
        "network",
        "transient",
        "net.timeout",
        "net.timeout",
    )
    assert found.evidence[0].line == 2
    assert found.summary == "curl: (28) Operation timed out after 8001 milliseconds"
    assert 0.5 < found.confidence <= 1
    assert [line.line for line in found.context] == [1, 2, 3]


def test_nothing_known_is_unknown_with_a_template() -> None:
    """A message that no rule knows is of class unknown; its signature survives other numbers, paths and versions."""
    first = CLASSIFY(b"step 1\nzorg: cannot frob widget 17 in /srv/a/b: flux 3.2.1 too low\n", exit_code=3)
    second = CLASSIFY(b"noise\nnoise\nzorg: cannot frob widget 99 in /home/x/y: flux 4.0 too low\n", exit_code=3)

    assert (first.failure_class, first.rule) == ("unknown", None)
    assert first.signature == second.signature
    assert first.signature.startswith("tmpl.")
    assert first.template == "zorg: cannot frob widget <n> in <path>: flux <version> too low"
    assert first.confidence < 0.5


def test_a_failure_without_output_tells_how_it_ended() -> None:
    """No line to quote: the summary speaks of the end."""
    assert CLASSIFY(b"", exit_code=7).summary == "exit code 7"
    assert CLASSIFY(b"", signal=9).summary == "ended by signal 9"
    assert CLASSIFY(b"", ended_by="stall").summary == "ended because it made no progress"


ENDS = [
    ({"exit_code": 137}, ("killed", "killed.sigkill")),
    ({"exit_code": -9}, ("killed", "killed.sigkill")),
    ({"signal": 15}, ("killed", "killed.sigterm")),
    ({"exit_code": 124}, ("timeout", "exit.timeout")),
    ({"exit_code": 153}, ("resource", "limit.file_size")),
    ({"exit_code": 126}, ("config", "exit.not_executable")),
    ({"exit_code": 127}, ("config", "exit.command_not_found")),
    ({"ended_by": "timeout", "exit_code": 143}, ("timeout", "toolkit.timeout")),
    ({"ended_by": "stall", "signal": 15}, ("stall", "toolkit.stall")),
]


@pytest.mark.parametrize(("end", "verdict"), ENDS)
def test_the_end_speaks_when_the_output_says_nothing(end: dict[str, object], verdict: tuple[str, str]) -> None:
    """A killed process says nothing; its exit code or signal is all there is."""
    found = CLASSIFY(b"Unpacking vim (2:9.0) ...\n", **end)  # type: ignore[arg-type]

    assert (found.failure_class, found.signature) == verdict


TRAPS = {
    "all mirrors tried is the network": (
        [
            "[MIRROR] foo.rpm: Curl error (28): Timeout was reached for http://m.example/foo.rpm",
            "Error: Error downloading packages: All mirrors were tried",
        ],
        "network",
    ),
    "a mirror list that is not there is not": (
        ["Error: Cannot prepare internal mirrorlist: Status code: 404 for http://mirror.example/?release=8"],
        "config",
    ),
    "apt-get update failed silently, the package is only not found later": (
        [
            "Err:1 http://deb.example/debian bookworm InRelease",
            "  Could not connect to deb.example:80 (203.0.113.7). - connect (111: Connection refused)",
            "W: Failed to fetch http://deb.example/dists/bookworm/InRelease  Could not connect to deb.example:80.",
            "W: Some index files failed to download. They have been ignored, or old ones used instead.",
            "Reading package lists...",
            "E: Unable to locate package nano",
        ],
        "network",
    ),
    "the same package simply misspelt": (
        ["Reading package lists...", "E: Unable to locate package nanno"],
        "dependency",
    ),
    "too many requests, seen late": (
        [
            "W: Failed to fetch http://deb.example/InRelease  429  Too Many Requests [IP: 203.0.113.7 80]",
            "E: Unable to locate package nano",
        ],
        "rate_limited",
    ),
    "a service that the build itself should have started": (
        ["curl: (7) Failed to connect to localhost port 8080: Connection refused"],
        "config",
    ),
    "our own virtual machine does not answer": (
        ["ssh: connect to host 127.0.0.1 port 2222: Connection refused"],
        "config",
    ),
    "another machine does not answer": (["ssh: connect to host build7.example port 22: Connection refused"], "network"),
    "the proxy wants a password": (
        [
            "Err:1 http://deb.example bookworm InRelease",
            "  407  Proxy Authentication Required [IP: 10.0.0.1 3128]",
            "E: The repository is not signed.",
        ],
        "auth",
    ),
    "a ignored error is none": (
        [
            "TASK [x]",
            'fatal: [web]: FAILED! => {"msg": "Could not find the requested service foo"}',
            "...ignoring",
            "TASK [y]",
            "No space left on device",
        ],
        "resource",
    ),
    "a retried download that went through": (
        [
            "WARNING: Retrying after connection broken by 'ReadTimeoutError'",
            *["Collecting x"] * 100,
            "FAILED tests/test_a.py::test_b",
            "1 failed, 3 passed in 1.2s",
        ],
        "test",
    ),
    "a test that talks about refused connections": (
        [
            "E   ConnectionRefusedError: [Errno 111] Connection refused",
            "FAILED tests/test_api.py::test_port",
            "=== 1 failed, 3 passed in 1.2s ===",
        ],
        "test",
    ),
    "busy devices are everyday noise": (
        ["udevadm: Device or resource busy, ignoring", "src/main.c:3:1: error: expected ';' before '}' token"],
        "config",
    ),
    "403 is not 503": (["curl: (22) The requested URL returned error: 403"], "auth"),
    "503 is not 404": (["curl: (22) The requested URL returned error: 503"], "unavailable"),
    "404 is not 503": (["curl: (22) The requested URL returned error: 404"], "dependency"),
}


@pytest.mark.parametrize(("lines", "name"), TRAPS.values(), ids=TRAPS)
def test_traps(lines: list[str], name: str) -> None:
    """Look-alikes that decide differently are told apart."""
    assert told(*lines)[0] == name


def test_a_killed_compiler_is_a_matter_of_memory() -> None:
    """An OOM kill in the output explains the signal."""
    line = "[ 99.1] Out of memory: Killed process 4242 (cc1plus) total-vm:812344kB"

    assert told(line, exit_code=137) == ("resource", "oom.killed")


def test_a_time_out_with_a_lost_cause_is_that_cause() -> None:
    """A boot that hangs because the root device is wrong will hang again: configuration, not time."""
    lines = ["ALERT!  UUID=3b8c does not exist.  Dropping to a shell!", *["(initramfs)"] * 50]

    assert told(*lines, exit_code=124)[0] == "config"
    assert told(*lines, exit_code=None, ended_by="timeout")[0] == "config"


def test_success_is_not_accused() -> None:
    """Output of an attempt that ended with 0, or that ends in a success, gets no class for what it grumbled about."""
    lines = [
        "WARNING: Retrying after connection broken",
        "error: first try failed: Connection refused",
        "second try: fine",
        "BUILD SUCCESSFUL in 4s",
    ]

    assert told(*lines, exit_code=0)[0] == "unknown"
    assert told(*lines, exit_code=None)[0] == "unknown"


def test_own_rules_come_first_and_in_order() -> None:
    """A person's rule wins over every built-in one, the earlier over the later, where it gets what it asks for."""
    own = (
        Rule("vmforge.broker", "infrastructure", "E7713 broker handshake lost", states="10-65", exit_codes=(70,)),
        Rule("vmforge.any", "dirty", "E77"),
    )
    classify = Classifier(own).classify
    output = b"E7713 broker handshake lost\nNo space left on device\n"

    assert classify(output, exit_code=70, state=20).signature == "vmforge.broker"
    assert classify(output, exit_code=1, state=20).signature == "vmforge.any"
    assert classify(output, exit_code=70, state=5).signature == "vmforge.any"
    assert classify(output, exit_code=70).signature == "vmforge.any"
    assert classify(b"No space left on device", exit_code=70, state=20).signature == "disk.full"


def test_an_own_rule_may_ask_for_the_exit_code_alone() -> None:
    """No text to look for: the exit code decides, before the built-in rules."""
    classify = Classifier((Rule("vmforge.exit", "contention", "", exit_codes=(70,)),)).classify

    assert classify(b"No space left on device\n", exit_code=70).failure_class == "contention"
    assert classify(b"No space left on device\n", exit_code=71).failure_class == "resource"


@pytest.mark.parametrize(
    "end",
    [
        b"rootfs : ok=20 changed=13 unreachable=0 failed=0 skipped=1 rescued=0 ignored=1",
        b"Tests run: 5, Failures: 0, Errors: 0, Skipped: 0",
        b"0 failed",
    ],
)
def test_what_stands_before_a_good_end_counts_for_less(end: bytes) -> None:
    """A step that ended well had got over its errors; a summary that counts no failures is such an end."""
    error = b"curl: (28) Connection timed out after 30001 milliseconds\n"
    sure, less = (CLASSIFY(error + each + b"\nit stopped\n", exit_code=1).confidence for each in (b"and so on", end))

    assert less < sure


def test_what_successes_print_too_proves_nothing() -> None:
    """Lines that earlier successes of the state printed are noise, whatever a rule says; numbers may differ."""
    success = b"10:01:02 warning: lock held by process 17, waiting\nlp: error: tray 3 is empty\nall good\n"
    output = b"11:11:12 warning: lock held by process 99, waiting\nlp: error: tray 8 is empty\nzorg: flux too low\n"
    familiar = familiar_lines(success)

    assert CLASSIFY(output, exit_code=1).failure_class == "contention"
    found = CLASSIFY(output, exit_code=1, familiar=familiar)
    assert found.failure_class == "unknown"
    assert found.evidence[0].text == "zorg: flux too low"


def test_a_server_may_ask_to_wait() -> None:
    """`Retry-After` and its like come out in seconds."""
    for text, seconds in {
        "Retry-After: 20": 20.0,
        "please try again in 5 minutes": 300.0,
        "retry after 1500 ms": 1.5,
    }.items():
        assert CLASSIFY(f"HTTP 429 Too Many Requests\n{text}\n".encode(), exit_code=1).retry_after == seconds
    assert CLASSIFY(b"HTTP 429 Too Many Requests\n", exit_code=1).retry_after is None


def test_lines_are_numbered_as_an_editor_numbers_them() -> None:
    """Carriage returns start a new line of evidence but do not count; colours are gone."""
    output = (
        b"one\r\ntwo 10%\rtwo 20%\rtwo 30%\r\n\x1b[31mfatal: \x1b[0mAuthentication failed for 'https://git.example/x'\r"
    )

    found = CLASSIFY(output, exit_code=128)

    assert (found.failure_class, found.evidence[0].line) == ("auth", 3)
    assert found.evidence[0].text == "fatal: Authentication failed for 'https://git.example/x'"


def test_evidence_is_varied_and_bounded() -> None:
    """Twenty times the same line proves it once; at most twenty lines come back, best first."""
    lines = [f"tar: ./usr/{n}: Cannot write: No space left on device" for n in range(500)] + [
        "tar: Exiting with failure status"
    ]

    found = CLASSIFY("\n".join(lines).encode(), exit_code=2)

    assert found.failure_class == "resource"
    assert len(found.evidence) == 20
    assert "Exiting" in found.evidence[1].text


def test_lines_on_their_own() -> None:
    """`--lines` classifies each line by itself, in order."""
    found = Classifier().classify_lines(
        [b"curl: (6) Could not resolve host: x.org", b"all is well", b"No space left on device"]
    )

    assert [failure.failure_class for failure in found] == ["network", "unknown", "resource"]


def test_all_rules_that_match_an_output_can_be_asked_for() -> None:
    """Rules are watched on successful attempts: what they match there counts against them."""
    seen = Classifier().rules_seen(
        b"curl: (28) Operation timed out\nTASK [x]\nfatal: [h]: FAILED! => {}\n...ignoring\nfine\n"
    )

    assert "net.timeout" in seen
    assert "ansible.failed" not in seen


def test_a_fatal_line_ends_the_waiting() -> None:
    """Nobody needs to wait for the time-out of an installation that asks a question which nobody answers."""
    classifier = Classifier()

    rule = classifier.fatal(b"...\nThe following problem occurred on line 14 of the kickstart file:\n")
    assert rule is not None
    assert rule.id == "kickstart.invalid"
    assert classifier.fatal(b"curl: (28) Operation timed out\n") is None


def test_classifying_loads_nothing_until_it_is_needed() -> None:
    """The module is on the run path: importing it loads neither an engine nor the rules."""
    script = "import sys, toolkit.core.failure; print(*sys.modules)"
    heavy = {"re2", "hyperscan", "pydantic", "polars", "toolkit.core.rules.built_in", "toolkit.core.engine"}
    loaded = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.split()

    assert not heavy & set(loaded)
