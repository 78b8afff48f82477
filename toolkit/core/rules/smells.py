"""Lines that smell of failure without saying which: they lead to evidence and templates, never to a class."""

from __future__ import annotations

from typing import Final

from toolkit.core.rules.rule import Rule

_HARMLESS: Final = (
    r"(?i)\b(?:0|no|zero|without|any) (?:errors?|failures?|failed|problems?)\b|(?:errors?|failures?|failed"
    r"|unreachable)\W{0,3}[=:] ?0\b"
    r"|error[- ]?(?:handling|handler|reporting|codes?|log|pages?|messages?|correction|output)|-W(?:no-)?error"
    r"|on[-_]error|ignore[-_]?errors|[\w-]*err(?:or)?s?-?(?:dev|perl|lib|utils)\b"
    r"|\blib[\w-]*(?:error|fail)|error\.(?:c|h|o|go|py|js|rs|java)\b|errors?\.(?:log|txt|html)|fail(?:ed|over|safe"
    r"|fast|2ban)[-_.]\w|fail-?(?:over|safe|fast)|\bif \[|^\+|^\s*#(?:\D|$)|^debconf: |\bACPI\b.*\bError\b|as the 'root' user|\(ignored\)$"
    r"|^(?:Get|Hit|Ign|Fetched|Unpacking|Setting up|Selecting|Preparing|Installing|Downloading|Collecting"
    r"|Requirement already|Building|Compiling)\b"
)

SMELLS: Final = (
    Rule(
        "smell.task",
        "unknown",
        r"^(?:TASK|RUNNING HANDLER|HANDLER) \[",
        "TASK [base : Install packages] ****",
        "PLAY [all] ****",
    ),
    Rule("smell.ignored", "unknown", r"^\.\.\.ignoring\s*$", "...ignoring", "ignoring"),
    Rule(
        "smell.success",
        "unknown",
        (
            r"(?i)\bok=\d+ .*unreachable=0 +failed=0|\bBUILD SUCCESS(?:FUL)?\b|^=* *\d+ passed\b.* in [\d.]+s"
            r"|\b(?:completed|finished|succeeded|built|installed) successfully|\bsuccessfully (?:built|tagged"
            r"|installed|completed|finished|created)|^Build '.*' finished after|Apply complete!|self-?test[: ]+(?:ok"
            r"|pass(?:ed)?|complete)$|\b(?:installation|build|image) (?:is )?complete[d.!]*$|^Complete!$|\blogin: *$"
            r"|Reached target .*Multi-User|artifacts of successful builds are|all (?:checks|tests"
            r"|hooks) (?:have )?passed|^0 failed|\bTests run: \d+, Failures: 0, Errors: 0, Skipped: \d+$"
        ),
        "==> Build 'qemu.green' finished after 4 minutes.",
        "4 failed, 4 passed in 1.63s",
        unless=(
            r"(?i)\b(?:not\b|un(?:success|finish|complet|built)|[1-9]\d* fail)|(?:^|[^0 ]|[^0] )failed(?:[^=]|$)|failed=[1-9]"
            r"|failures?(?:[^s:]|$|:? *[1-9])"
        ),
    ),
    Rule(
        "smell.grave",
        "unknown",
        (
            r"(?i)^\W{0,4}(?:[\w./-]+: )?(?:E: |error\b|fatal\b|critical\b|panic\b|failure\b|traceback)|\b(?:ERROR"
            r"|FATAL|CRITICAL|FAILED|FAIL)\b"
        ),
        "mytool: error: the frobnicator is out of sync",
        "0 errors",
        weight=34,
        unless=_HARMLESS,
    ),
    Rule(
        "smell.error",
        "unknown",
        (
            r"(?i)\b(?:error|errors|exception|abort(?:ed|ing)?|fatal|unhandled|uncaught|unrecoverable)\b|\w(?:Error"
            r"|Exception)\b"
        ),
        "an error occurred while doing this",
        "error handling enabled",
        weight=26,
        unless=_HARMLESS,
    ),
    Rule(
        "smell.failed",
        "unknown",
        r"(?i)\b(?:fail(?:ed|s|ure|ures|ing)?|cannot|can't|could not|couldn't|unable to|not found|no such|denied"
        r"|refused|invalid|missing|unexpected|undefined|unsupported"
        r"|timed out|timeout|terminated|killed|exceeded|mismatch|corrupt(?:ed)?|not permitted|unreachable"
        r"|unavailable|rejected|incompatible|giving up|illegal|bad|badly|broken|unknown|vanished|disappeared|lost|went down|refus(?:ed|es)"
        r"|stopped|differs?|overloaded|expired)\b",
        "giving up on the frobnicator",
        "failed=0",
        weight=18,
        unless=_HARMLESS,
    ),
)
