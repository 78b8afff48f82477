"""Tests that failed: pytest, testinfra, goss, serverspec, JUnit, go test, TAP and their kin."""

from __future__ import annotations

from typing import Final

from toolkit.core.rules.rule import CAUSE, PHRASE, SYMPTOM, Rule

RULES: Final = (
    Rule(
        "test.collection",
        "test",
        (
            r"Interrupted: \d+ errors? during collection|ERROR collecting |errors? during collection"
            r"|ImportError while (?:importing test|loading conftest)|INTERNALERROR>|fixture '.*' not found"
            r"|no tests ran|collected 0 items"
        ),
        "!!!!!!!!!!!!!!!!!!!! Interrupted: 1 error during collection !!!!!!!!!!!!!!!!!!!!",
        "collected 12 items",
        weight=CAUSE + 3,
    ),
    Rule(
        "test.failed",
        "test",
        (
            r"^(?:FAILED|ERROR) \S+\.py(?:::|\b)|^=+ .*\b[1-9]\d* (?:failed|errors?)\b.* in [\d.]+s"
            r"|^[1-9]\d* failed(?:, \d+ \w+)* in [\d.]+s|^E +(?:AssertionError|assert |Failed: )"
            r"|^\S+\.py:\d+: (?:AssertionError|Failed)"
        ),
        "FAILED tests/test_image.py::test_package[nano]",
        "12 passed in 3.21s",
        weight=CAUSE + 4,
    ),
    Rule(
        "test.junit",
        "test",
        (
            r"Tests run: \d+, Failures: \d*[1-9]\d*|Tests run: \d+, Failures: \d+, Errors: \d*[1-9]\d*|There (?:are"
            r"|were) (?:test failures|failing tests)|<<< (?:FAILURE|ERROR)!|^failing: \S+|\[ERROR\] +\S+(?:Test"
            r"|Tests|IT)\b\S*|AssertionFailedError|ComparisonFailure|TestTimedOutException"
            r"|java\.lang\.AssertionError|\d+ tests? completed, [1-9]\d* failed|(?:Test|Tests) \S+ FAILED"
            r"|> \S+ FAILED$|expected: ?<.*> but was: ?<"
        ),
        "[ERROR] Tests run: 192, Failures: 1, Errors: 0, Skipped: 15",
        "Tests run: 192, Failures: 0, Errors: 0, Skipped: 15",
        weight=CAUSE + 3,
    ),
    Rule(
        "test.goss",
        "test",
        (
            r"^(?:Service|Package|File|Port|Command|User|Group|Process|DNS|HTTP|Addr|Mount|KernelParam|Interface|Gossfile): \S.*: [\w-]+:$|Count: \d+, Failed: [1-9]|Total Duration: .*Failed: [1-9]|^\d+ examples?, [1-9]\d* failures?"
            r"|^rspec \./|Failure/Error: |expected .* (?:to be (?:installed|running|enabled|listening|a file)"
            r"|to (?:eq|match|include))|Profile Summary: .* [1-9]\d* control failures?"
            r"|Test Summary: .* [1-9]\d* failures?|^Result\s+(?:fail|error)\s*$|^ .{0,6} \S+: .*\([1-9]\d* failed\)$"
        ),
        "Count: 12, Failed: 2, Skipped: 0",
        "Count: 12, Failed: 0, Skipped: 0",
        weight=CAUSE + 2,
    ),
    Rule(
        "test.other",
        "test",
        (
            r"^--- FAIL: |^FAIL\s+\S+\s+[\d.]+s|^FAIL$|^not ok \d+|^# (?:FAIL|Failed): +[1-9]|Failed \d+ tests?"
            r"|^\s*[1-9]\d* (?:failing|tests? failed)\b|Tests: +[1-9]\d* failed"
            r"|\d+% tests passed, [1-9]\d* tests? failed|The following tests FAILED|test result: FAILED"
            r"|^test \S+ \.\.\. FAILED|panicked at|FAILED \((?:failures|errors)=\d+|\[  FAILED  \]"
            r"|[1-9]\d* (?:assertions?|tests?|specs?|scenarios?|checks?) (?:have |has )?failed|failed tests?: [1-9]"
            r"|Test(?:s)? (?:failed|FAILED)\b|make(?:\[\d+\])?: \*\*\* \[.*\b(?:check|test)\b.*\] Error"
            r"|^\d+ tests?, [1-9]\d* failures?|^ *\(in test file \S+, line \d+\)|Failures: [1-9]\d*\b|BATS.*fail|npm (?:ERR!|error) Test failed"
        ),
        "--- FAIL: TestBoot (0.02s)",
        "0 tests failed",
        weight=CAUSE - 2,
        unless=r"\b(?:no|0) (?:tests?|failures?)\b",
    ),
    Rule(
        "scan.vulnerable",
        "test",
        r"\bCVE-\d{4}-\d{3,7}\b.*\b(?:HIGH|CRITICAL|High|Critical)\b|\b(?:HIGH|CRITICAL|High|Critical)\b.*\bCVE-\d{4}-\d{3,7}\b|(?i:quality gate.{0,20}fail)|(?i:found [1-9]\d* (?:high|critical) )",
        "libssl3 CVE-2026-1111 CRITICAL fixed in 3.0.2",
        "fixes CVE-2026-1111",
        weight=SYMPTOM,
        unless=r"(?i)\bfixes\b|changelog|^ *[-*] |\b0 (?:high|critical)|^(?:Get|Setting up|Unpacking)\b",
    ),
    Rule(
        "lint.failed",
        "test",
        r"\bDL\d{4} (?:error|warning)|\bSC\d{4} \((?:error|warning)|^Failed: [1-9]\d* failure\(s\)|^\S+\.ya?ml:\d+(?::\d+)?:? (?:\[error\]|error)|\bfatal-violation|found [1-9]\d* (?:lint|style) (?:errors?|problems?|issues?)|\b[1-9]\d* problems? \([1-9]\d* errors?",
        "Dockerfile:3 DL3008 error: Pin versions in apt get install.",
        "Passed: 0 failure(s), 0 warning(s) on 12 files.",
        weight=PHRASE,
    ),
    Rule(
        "test.other",
        "test",
        r"expect\(received\)|Failed asserting that|\bsuccess(?:es)? ?/ ?[1-9]\d* failures?\b|\bPASS\w*\W{1,3}\d+\b.*\bFAIL\w*\W{1,3}[1-9]\d*\b|^ +[1-9]\d* failed$|\| FAIL \|$|\*\*\*Failed +[\d.]+ sec",
        "RESULTS    : PASS 8 | ERROR 0 | FAIL 1 | SKIP 0",
        "RESULTS    : PASS 9 | ERROR 0 | FAIL 0 | SKIP 0",
        weight=CAUSE - 2,
    ),
    Rule(
        "test.assertion",
        "test",
        (
            r"\bAssertionError\b|[Aa]ssertion [`'\"]?.*['\"`]? ?failed|assert(?:ion)? failure|Expectation failed"
            r"|Expected .+ (?:but|to) (?:got|was|be|equal)"
        ),
        "AssertionError: clock drift too large",
        "assertion ok",
        weight=PHRASE + 3,
        unless=r"FAILED! =>",
    ),
    Rule(
        "test.flaky_marker",
        "test",
        r"(?i)\bflaky test\b.*fail|\brerun of .*failed|FLAKY \d+ of \d+",
        "FLAKY 1 of 2: test_socket_ready",
        "no flaky",
        weight=SYMPTOM,
    ),
)
