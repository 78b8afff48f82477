"""Hears from the last lines how an output says that it ended, and what is only said or cleaned up because it did."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.core.evidence import EvidenceLine, Sighting

_LAST: Final = 12

_BADLY: Final = re.compile(
    r"(?i)\b(?:build|job|stage|step|pipeline|run|task|provision\w*|install\w*|recipe|script|command"
    r"|make)\b.*\b(?:failed|failure|errored|aborted)\b"
    r"|^make(?:\[\d+\])?: \*\*\* .*(?:Error \d|Stop\.)|\bFinished: FAILURE\b|\bBUILD (?:FAILED|FAILURE)\b"
    r"|\bJob failed\b"
    r"|\b(?:exit(?:ed)?(?: with)?|return(?:ed)?(?: a)?) ?(?:non-?zero\b|(?:exit )?(?:code|status):? [1-9])"
    r"|\bnon-?zero (?:exit|return)|^Aborted\b"
    r"|\bexit status [1-9]|\bgiving up\b|^(?:\S+ )?(?:FATAL|PANIC)\b|unreachable=[1-9]|failed=[1-9]"
)
_NOT_BADLY: Final = re.compile(
    r"(?i)\bignor|\b(?:0|no) (?:failed|failures?|errors?)\b|\bif\b.*\bfail|^\+|\bwill (?:retry|try)|\bretrying\b"
)
_WELL: Final = re.compile(
    r"(?i)^\W*(?:(?:all|the|build|image|installation|install|job|everything|firmware|deploy\w*|sync|push|upload"
    r"|provision\w*) )*"
    r"(?:is |was |has |been )*(?:(?:done|finished|complete|completed|succeeded|published|built|ready|written"
    r"|uploaded|provisioned)\b|(?:ok|passed)\W*$)"
)
_BUT: Final = re.compile(
    r"(?i)\b(?:not|never|un\w+|clean\w*|fail\w*|errors?|refused|denied|cannot|timed? ?-?out|but|missing|invalid)\b"
)
_TRAILER: Final = re.compile(
    rb"^(?:Uploading artifacts for (?:failed|successful) job|WARNING: \S+ no matching files\b|ERROR: No files to upload"
    rb"|ERROR: Job failed(?: \([a-z ]+\))?: (?:exit (?:code|status) \d+|command terminated)"
    rb"|Cleaning up (?:project directory|orphan processes|file based)"
    rb"|Build step '.*' marked build as failure|Archiving artifacts|WARN: No artifacts found|Finished: (?:FAILURE"
    rb"|ABORTED|UNSTABLE)"
    rb"|::state \d+ (?:started|completed|failed)(?:(?! - ).)*::\s*$"
    rb"|(?:##\[error\])?Process completed with exit code \d|Post job cleanup|Sending e-?mails? to"
    rb"|(?:\w+\.)*CalledProcessError: Command .* (?:returned non-zero exit status \d+"
    rb"|died with <Signals\.\w+: \d+>)\.?$)"
)
_DRIVER: Final = re.compile(rb"CalledProcessError: Command .* (?:returned non-zero|died with)")
_CLEANING: Final = re.compile(
    rb"(?i)^(?:\++ )?(?:==> )?(?:[\w.-]+: )?(?:clean(?:ing)?[ _-]?up\b|destroying\b|tearing down\b|teardown\b"
    rb"|roll(?:ing)? ?back\b"
    rb"|post job\b|running (?:the )?(?:trap|after_script|cleanup)\b|deleting output directory\b|undefining\b"
    rb"|removing (?:the )?(?:guest|vm"
    rb"|container|workspace)\b)"
    rb"|(?:\bcleaning up[.!]*$)"
)
_CLOSE: Final = 8


def ended_badly(tail: Sequence[EvidenceLine]) -> bool:
    """Tell whether one of the last lines says that all this has failed."""
    return any(_BADLY.search(line.text) and not _NOT_BADLY.search(line.text) for line in tail[-_LAST:])


def ended_well(tail: Sequence[EvidenceLine]) -> bool:
    """Tell whether the very last line says that something is done, and none of the last ones that it failed."""
    return bool(tail) and bool(_WELL.search(tail[-1].text)) and not _BUT.search(tail[-1].text) and not ended_badly(tail)


def is_trailer(line: bytes, after: bytes = b"") -> bool:
    """Tell whether a CI system or a driver says this after every failure, whatever failed."""
    if line.startswith(b"Traceback (most recent call last)"):
        return _DRIVER.search(after) is not None
    return _TRAILER.match(line) is not None


def cleaning_since(seen: Sighting) -> int | None:
    """Return the number of a line close before this one that announces the cleaning-up; None without one."""
    lines = seen.before.split(b"\n")[1:-1]
    for back, line in enumerate(reversed(lines[-_CLOSE:]), 1):
        if _CLEANING.search(line):
            return seen.number - back
    return None
