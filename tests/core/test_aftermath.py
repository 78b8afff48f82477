"""What came after a line decides what it is worth: tried again and done, passed over, or the end of it all."""

from __future__ import annotations

import pytest

from toolkit.core.evidence import EvidenceLine
from toolkit.core.failure import Classifier
from toolkit.core.lastwords import ended_badly, ended_well, is_trailer

CLASSIFY = Classifier().classify
REFUSED = "ssh: connect to host 127.0.0.1 port 2222: Connection refused"

MENDED = {
    "a download that was tried again": [
        "curl: (28) Operation timed out after 30001 milliseconds with 0 bytes received",
        "Retrying (2/5)...",
        "100  891M  100  891M    0     0  42.1M      0  0:00:21  0:00:21 --:--:-- 44.0M",
    ],
    "an address that wget tried twice": [
        "Connecting to mirror.example|192.0.2.9|:80... failed: Connection refused.",
        "Retrying.",
        "--2026-03-03 10:01:14--  (try: 2)  http://mirror.example/stage.tgz",
        "Connecting to mirror.example|192.0.2.9|:80... connected.",
    ],
    "a guest that took its time": [REFUSED, REFUSED, "guest is up after 41 s"],
    "a device that was let go": [
        "losetup: /dev/loop3: detach failed: Device or resource busy",
        "+ sleep 1",
        "+ losetup -d /dev/loop3",
        "+ losetup -f --show green.raw",
    ],
    "a step of a container build": [
        "#5 12.1 Error: Unable to find a match: frob",
        "#5 12.2 trying without",
        "#5 DONE 13.1s",
    ],
    "an image that came after all": [
        "error pulling image configuration: download failed after attempts=1: dial tcp 192.0.2.1:443: i/o timeout",
        "Status: Downloaded newer image for registry.example/base:9",
    ],
    "a repository that answered late": [
        "Errors during downloading metadata for repository 'epel':",
        "  - Curl error (28): Timeout was reached for https://m1.example/repomd.xml",
        "Extra Packages for Enterprise Linux 9            3.1 MB/s |  19 MB     00:06",
    ],
    "a command that was allowed to fail": [
        "modprobe: FATAL: Module nbd not found in directory /lib/modules/5.14",
        "+ true",
    ],
    "a second try": ["umount: /mnt/img: target is busy.", "umounted on second try"],
    "a clone that was begun again": [
        "fatal: unable to access 'https://git.example/r.git/': Could not resolve host: git.example",
        "Receiving objects: 100% (441/441), done.",
    ],
    "a counted push": ["push failed: 503 Service Unavailable, attempt 1 of 3", "attempt 2 of 3: pushed"],
}


@pytest.mark.parametrize("lines", MENDED.values(), ids=MENDED)
def test_what_was_got_over_is_not_the_cause(lines: list[str]) -> None:
    """A later failure in the vaguest words is the cause before an error that the same output saw mended."""
    found = CLASSIFY("\n".join([*lines, "step 'stitch' ended badly", ""]).encode(), exit_code=1)

    assert (found.failure_class, found.evidence[0].text) == ("unknown", "step 'stitch' ended badly")


@pytest.mark.parametrize("lines", MENDED.values(), ids=MENDED)
def test_what_was_got_over_accuses_no_success(lines: list[str]) -> None:
    """Without an exit code, an output whose errors were all mended gets no class."""
    assert CLASSIFY("\n".join([*lines, "copying files", "copied 412", ""]).encode()).failure_class == "unknown"


LOST = {
    "every try failed": (["curl: (28) Operation timed out", "Retrying (2/3)..."] * 2, "network"),
    "the last try failed in the same words": (
        ["dial tcp 192.0.2.5:443: i/o timeout", "retrying in 5s", "dial tcp 192.0.2.5:443: i/o timeout"], "network"
    ),
    "another trouble came first": (
        ["curl: (28) Operation timed out", "tar: stage.tgz: Cannot open: No such file", "Successfully tagged x"],
        "network",
    ),
    "the next download is another's": (
        ["curl: (28) Operation timed out", "100  8M  100  8M    0  0  42M", "Warning: Permanently added 'b7' (RSA)"],
        "network",
    ),
    "only the cleaning-up went well": (["curl: (28) Operation timed out", "cleanup done"], "network"),
    "giving up is no retry": (["curl: (28) Operation timed out", "attempt 3 failed, giving up", "done"], "network"),
    "no success at all": (["curl: (28) Operation timed out", "all mirrors were tried without success"], "network"),
    "the compiler's step of another number": (["#5 1.0 src/a.c:3:1: error: expected ';'", "#6 DONE 1.0s"], "config"),
}  # fmt: skip


@pytest.mark.parametrize(("lines", "name"), LOST.values(), ids=LOST)
def test_what_was_not_got_over_is_the_cause(lines: list[str], name: str) -> None:
    """No later word makes up for an error unless it says that the same worked."""
    assert CLASSIFY("\n".join([*lines, ""]).encode(), exit_code=1).failure_class == name


def test_cleaning_up_after_a_failure_is_not_its_cause() -> None:
    """What a build grumbles about while it clears away counts for less than why it had to, and still counts alone."""
    grumble = ["+ cleanup", "error: failed to get domain 'green'"]
    cause = "acceptance: 3 of 14 checks did not pass"

    assert CLASSIFY("\n".join([cause, *grumble, ""]).encode(), exit_code=1).failure_class == "test"
    assert CLASSIFY("\n".join(["copied 412 files", *grumble, ""]).encode(), exit_code=1).failure_class == "config"


@pytest.mark.parametrize(
    "line",
    [
        "ERROR: No files to upload",
        "ERROR: Job failed: exit code 1",
        'WARN: No artifacts found that match the file pattern "out/**". Configuration error?',
        "Build step 'Execute shell' marked build as failure",
        "##[error]Process completed with exit code 1.",
        "Cleaning up orphan processes",
    ],
)
def test_what_a_ci_system_says_after_every_failure_proves_nothing(line: str) -> None:
    """Such lines never come before what the build itself said, and give no class."""
    found = CLASSIFY(f"mkfw: E-41\n{line}\n".encode(), exit_code=1)

    assert is_trailer(line.encode())
    assert (found.failure_class, found.evidence[0].text) == ("unknown", "mkfw: E-41")


def test_the_trace_of_a_driver_is_not_the_cause() -> None:
    """A script in Python that only ran the failing command says so in many lines, none of which tells why."""
    trace = 'Traceback (most recent call last):\n  File "drive.py", line 8, in <module>\n    run(cmd)\n'
    end = "subprocess.CalledProcessError: Command '['./stage.sh']' returned non-zero exit status 1.\n"

    assert CLASSIFY(f"mkfw: broken\n{trace}{end}".encode(), exit_code=1).evidence[0].text == "mkfw: broken"


def told(*texts: str) -> list[EvidenceLine]:
    """Number some lines."""
    return [EvidenceLine(at, text) for at, text in enumerate(texts, 1)]


def test_an_output_may_say_itself_how_it_ended() -> None:
    """The last lines tell a failed build from a good one where nobody knows the exit code."""
    for bad in (
        "ERROR: build failed in stage 20",
        "make: *** [Makefile:4: all] Error 2",
        "Finished: FAILURE",
        "exit status 1",
    ):
        assert ended_badly(told("a", bad, "+ rm -rf /tmp/x"))
        assert not ended_well(told("a", bad, "done."))
    for good in ("build ok", "All done.", "image written: green.qcow2", "install finished, 0 broken packages"):
        assert ended_well(told("a", good))
        assert not ended_badly(told("a", good))
    for neither in (
        "ok 3 has swap",
        "done with errors",
        "published image failed its check",
        "ready: not yet",
        "built, but not signed",
    ):
        assert not ended_well(told("a", neither))
    for fine in ("make[1]: [Makefile:12: clean] Error 1 (ignored)", "build 7: 0 failed", "step failed, will retry"):
        assert not ended_badly(told("a", fine))


def test_words_of_a_failed_end_make_a_guess_count() -> None:
    """A cause in nobody's known phrase is heard without an exit code where the output says that it failed."""
    lines = ["copying files"] * 5 + ["imager: the scratch volume is full", *["closing"] * 5]

    assert CLASSIFY("\n".join([*lines, ""]).encode()).failure_class == "unknown"
    assert CLASSIFY("\n".join([*lines, "build of green FAILED", ""]).encode()).failure_class == "resource"
