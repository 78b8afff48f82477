"""How a process ends when its output says nothing: exit codes, signals, and our own limits."""

from __future__ import annotations

from typing import Final

from toolkit.core.rules.rule import Rule

TIMED_OUT: Final = Rule("toolkit.timeout", "timeout", "", weight=90)
STALLED: Final = Rule("toolkit.stall", "stall", "", weight=90)

RULES: Final = (
    TIMED_OUT,
    STALLED,
    Rule("exit.timeout", "timeout", "", weight=80, exit_codes=(124,)),
    Rule("limit.cpu", "resource", "", weight=90, signals=(24,)),
    Rule("limit.file_size", "resource", "", weight=90, signals=(25,)),
    Rule("killed.sigkill", "killed", "", weight=80, signals=(9,)),
    Rule("killed.sigterm", "killed", "", weight=80, signals=(15,)),
    Rule("killed.interrupt", "killed", "", weight=80, signals=(2, 3)),
    Rule("killed.hangup", "killed", "", weight=80, signals=(1,)),
    Rule("crash.signal", "killed", "", weight=-60, signals=(4, 6, 7, 8, 11, 31)),
    Rule("killed.signal", "killed", "", weight=-60, signals=(5, 10, 12, 13, 14, 16, 21, 22, 23, 26, 27, 29, 30)),
    Rule("exit.not_executable", "config", "", weight=-60, exit_codes=(126,)),
    Rule("exit.command_not_found", "config", "", weight=-60, exit_codes=(127,)),
    Rule("exit.tempfail", "unavailable", "", weight=-50, exit_codes=(75,)),
)
