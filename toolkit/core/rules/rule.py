"""What a failure rule is: a line to look for, and what it means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from toolkit.core.classes import FailureClass

# Weights say how near to the cause a line stands. The best-scoring line of an output decides its class.
ROOT: Final = 100
"""The line names the cause beyond doubt, wherever it stands (an OOM kill, a full disk)."""
CAUSE: Final = 90
"""A tool's own last word about one definite cause."""
PHRASE: Final = 65
"""A phrase that any tool may print about this cause."""
SYMPTOM: Final = 50
"""True, but often only the consequence of something that is named elsewhere in the output."""
VAGUE: Final = 30
"""Says that something failed, hardly what."""
BROAD: Final = 29
"""Words of a cause in no known phrase: heard only near the end, and where no better line is."""


_STAMPED: Final = (
    r"(?:[\[(]?\d{4}-\d\d-\d\d[T ][\d:.,+Z-]+[\])]? +|\[?\d\d:\d\d:\d\d(?:[.,]\d+)?\]? +|#\d+ [\d.]+ +"
    r"|(?:==> |--> | {4})[\w.-]+: +|[\w.-]+ +\| |##\[error\])?"
)
"""What CI systems, Packer and container builds put before every line: a time, a step, a name."""


def stamped(regex: str) -> str:
    """Let every `^` of an expression stand behind such a prefix too."""
    out: list[str] = []
    at, in_class = 0, False
    while at < len(regex):
        char = regex[at]
        if char == "\\":
            out.append(regex[at : at + 2])
            at += 2
            continue
        in_class = char != "]" if in_class else char == "["
        out.append("^" + _STAMPED if char == "^" and not in_class else char)
        at += 1
    return "".join(out)


@dataclass(frozen=True, slots=True)
class Rule:
    """One piece of knowledge: a line that looks like `match` means a failure of class `failure_class`.

    `match` is searched in every single line of the output, without its line end; an empty one asks for the end of the
    process only. `states` holds codes and ranges (`10-65`); `exit_codes` and `signals` together ask how the process ended:
    one of them must be true. `unless` must not match the same line, which has at most `longest` bytes; `near_end` lines count near the end of the output only. `fatal` rules may end an attempt early: nothing good
    can follow such a line.
    """

    id: str
    failure_class: FailureClass
    match: str
    example: str = ""
    counterexample: str = ""
    weight: int = CAUSE
    unless: str | None = None
    longest: int | None = None
    near_end: bool = False
    states: str | None = None
    exit_codes: tuple[int, ...] = ()
    signals: tuple[int, ...] = ()
    fatal: bool = False
    version: int = 1

    def asks_for(self, state: int | None, exit_code: int | None, signal: int | None) -> bool:
        """Whether the state and the end of the process are what this rule asks for."""
        if self.states is not None and not within(self.states, state):
            return False
        if not self.exit_codes and not self.signals:
            return True
        return exit_code in self.exit_codes or signal in self.signals


def within(states: str, code: int | None) -> bool:
    """Whether `code` lies in `states`, written like `5,10-65`; an unknown code lies nowhere."""
    if code is None:
        return False
    for part in states.split(","):
        low, _, high = part.strip().partition("-")
        if int(low) <= code <= int(high or low):
            return True
    return False
