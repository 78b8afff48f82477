"""Reads what came after a line: whether the same was tried again, whether it worked then, or whether nobody minded."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

from toolkit.core.classes import GROUP_OF
from toolkit.core.evidence import shapes

if TYPE_CHECKING:
    from toolkit.core.evidence import Sighting
    from toolkit.core.rules.rule import Rule

Outcome = Literal["worked", "minor"] | None

_SOON: Final = 2
"""A retry is announced, or an error passed over, within so many lines."""
_STEPS: Final = 2
"""So many traced commands in a row mean that the retried one did not stop the script."""

_AGAIN: Final = re.compile(
    rb"(?i)(?<!out )\bretrying\b|\bre-?attempt(?:ing|ed)\b|(?<!before )\btrying again\b|\bwill (?:retry"
    rb"|try again)\b|\bretry(?:ing)? in \d|\bretries left\b"
)
_NEXT: Final = re.compile(
    rb"(?i)\(try: ?\d|\b(?:retry|attempt|try) ?[#(:]? ?\d+\b|^\++ sleep\b|\bsleep(?:ing)? (?:for )?\d"
    rb"|\bwaiting (?:for )?\d"
    rb"|\bback(?:ing)? off\b|\bnext (?:try|attempt)\b"
)
_GIVEN_UP: Final = re.compile(
    rb"(?i)\bfail|\bgiv(?:e|es|ing|en) up|\bgave up|exhausted|\bexceeded|\bno more\b|\babort|\blast (?:attempt"
    rb"|try)\b"
)
_MENDED: Final = re.compile(
    rb"(?i)\.\.\. connected\.$|\bconnection (?:was )?(?:re-?)?established\b|\bback online\b|^connected (?:to"
    rb"|after|again)\b"
)
"""These words are about what was refused or lost a moment ago."""
_UP: Final = re.compile(
    rb"(?i)^Warning: Permanently added '|\b(?:guest|host|vm|machine|instance|server|service|node|port|mirror"
    rb"|registry|daemon|agent"
    rb"|network) (?:is|came) (?:now |back )?(?:up|ready|reachable|available|online|healthy|open|alive)\b"
    rb"|\.\.\. ?(?:open|up|ready)$"
)
_PAIRS: Final = (
    (re.compile(rb"(?i)pull"), re.compile(rb"^Status: (?:Downloaded newer image|Image is up to date) for ")),
    (
        re.compile(rb"Curl error|Status code: \d|^\[MIRROR\]|metadata for repo"),
        re.compile(rb"^Complete!|\b[1-9][\d.]* [kMG]B/s \| +[1-9][\d.]* [kMG]?B +\d\d:\d\d"),
    ),
    (re.compile(rb"(?i)unable to access|clon"), re.compile(rb"^Receiving objects: 100%.*done\.$")),
)
"""What one tool says when the thing that it complained about has come after all."""
_NOT_UP: Final = re.compile(
    rb"(?i)\bssh\b|\brefused\b|\bunreachable\b|\bno route\b|\b(?:not|un)[ -]?(?:ready|reachable|available)\b"
)
"""What such a host or service says, or others of it, before it is up."""
_WORKED: Final = re.compile(
    rb"(?i)\b200 OK\b| saved \[\d|^ *100 +[\d.]+[kMGT]? +100 |\bsuccess(?:ful|fully)?\b|\bsucceeded\b"
    rb"|\brecovered\b|\bworked\b|(?:^|[:.] ?)(?:ok|done|pushed"
    rb"|downloaded|fetched|installed"
    rb"|connected|acquired|mounted|uploaded|complete|completed)[.!]*$|\.\.\. ?(?:ok|done)\b|, done\.$"
    rb"|^(?:download|upload|copy): \S+ to \S|^Complete!"
    rb"|^Fetched \d"
    rb"|^(?:ok|changed): \["
)
_NOT_SO: Final = re.compile(
    rb"(?i)without success|unsuccess|\bnot? success|\bno longer\b|\bnot (?:ok|ready|up|available)\b|\b0 succe"
)
_MINOR: Final = re.compile(
    rb"(?i)^\W*(?:using (?:the )?(?:default|built-in|cached|previous)|fall(?:ing)? ?back|ignoring\b|ignored\b"
    rb"|continuing\b|proceeding\b"
    rb"|skipping\b|never mind|non-fatal|harmless)|\bnot (?:important|needed|critical|fatal)\b"
)
_TROUBLE: Final = re.compile(
    rb"(?i)\berrors?\b|\bfail(?:ed|ure|s|ing)?\b|\bfatal\b|\bcan ?(?:not|'t)\b|\bcould ?n[o']t\b|\bunable to\b"
    rb"|\bdenied\b|\brefused\b"
    rb"|\btimed? ?out\b|\bno such\b|\bnot found\b|\bgiv(?:e|ing) up\b|\bgave up\b|\babort|\bkilled\b"
    rb"|\bexit(?:ed)? (?:code|status|with)\b"
)
_SHRUG: Final = re.compile(rb"^\++ (?:true|:)$")
"""A traced `|| true`."""
_LATER: Final = re.compile(rb"(?i)\bon (?:the )?(?:second|third|2nd|3rd|next) (?:try|attempt)\b")
_TRACE: Final = re.compile(rb"^\++ ")
_STEP: Final = re.compile(rb"^#\d+ ")
_STEP_DONE: Final = re.compile(rb"^#\d+ (?:DONE|CACHED)\b")
_MINDLESS: Final = frozenset({"timeout", "contention"})


def outcome(seen: Sighting, rule: Rule) -> Outcome:
    """Tell what became of a line: it `worked` later on, it was a `minor` thing, or None: it may be why all ended.

    That something worked is believed where its trying again was announced, or where the line is about something that
    comes back by itself and the later words name its coming back. Any other trouble in between ends the story.
    """
    lines = [line for line in seen.after.replace(b"\r", b"\n").split(b"\n")[:-1] if line.strip()]
    if _STEP.match(seen.line) and _step_done(seen.line, lines):
        return "worked"
    comes_back = (
        GROUP_OF[rule.failure_class] == "transient" or rule.failure_class in _MINDLESS or rule.id == "local.refused"
    )
    again, announced = bool(_AGAIN.search(seen.line)), False
    shape = shapes(seen.line)[0]
    steps = 0
    for at, line in enumerate(lines):
        if at < _SOON:
            if at == 0 and _SHRUG.match(line):
                return "worked"
            if at == 0 and _MINOR.search(line):
                return "minor"
            announced = announced or _announces(line)
            again = again or announced
        if not _NOT_SO.search(line) and (
            _came(seen.line, line) or (comes_back and _is_back(seen.line, line)) or (again and _says_it_worked(line))
        ):
            return "worked"
        steps = steps + 1 if _TRACE.match(line) and not _NEXT.search(line) else 0
        if announced and steps >= _STEPS:
            return "worked"
        if _TROUBLE.search(line) and not (_announces(line) or shapes(line)[0] == shape or _alike(seen.line, line)):
            break
    return "minor" if again else None


def _announces(line: bytes) -> bool:
    if _AGAIN.search(line):
        return True
    return bool(_NEXT.search(line)) and not _GIVEN_UP.search(line)


def _is_back(before: bytes, line: bytes) -> bool:
    return bool(_MENDED.search(line) or (_UP.search(line) and _NOT_UP.search(before)))


def _came(before: bytes, line: bytes) -> bool:
    return bool(_LATER.search(line)) or any(then.search(line) and first.search(before) for first, then in _PAIRS)


def _alike(before: bytes, line: bytes) -> bool:
    return any(first.search(before) and first.search(line) for first, _ in _PAIRS)


def _says_it_worked(line: bytes) -> bool:
    return bool(_MENDED.search(line) or _UP.search(line) or (_WORKED.search(line) and not _TROUBLE.search(line)))


def _step_done(line: bytes, later: list[bytes]) -> bool:
    """Tell whether the step of a container build that printed a line came to a good end."""
    step = line.split(b" ", 1)[0] + b" "
    return any(each.startswith(step) and _STEP_DONE.match(each) for each in later)
