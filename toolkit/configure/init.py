"""Writes the first toolkit.toml of a project, with a word about everything that can stand in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from toolkit.configure.proposing import Proposed, propose_from_log

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Proposed", "propose_from_log", "template"]

_HEAD = """\
# What is tracked here, and what is done about failures. `toolkit check` says whether it is in order.

# track-only: everything runs as it would without us, and is remembered.
# selective-retry: what is worth it is tried again in place; what needs a person waits for one.
# full-resume: and a build that is run again goes on at the state that failed.
phase = "track-only"

[pipeline]
name = {name}
# link_window = "24h"      # a run within this after a failure continues the same build
# restarts = 0             # how often we start a failed build over; 0 leaves it to whoever does it today
# resume_command = "./build.sh --from {{state}}"   # how to enter a script that only prints markers
"""

_STATES = """
# The milestones of the build, in order; codes only have to grow. A build tells them itself with the state helper
# (`toolkit shell --help`), or prints `::state 5 started::` and `::state 5 completed::`, or has them found by `marker`.
"""

_EXAMPLE = """\
#
# [[states]]
# code = 5
# name = "kickstart"
# marker = '^Starting install, retrieving'   # this line starts the state and completes the one before it
# run = "./kickstart.sh"                     # for `toolkit run` without a command
# strategy = "expensive"                     # expensive | quick | manual | none | one of your own
# timeout = "45m"
# stall = "15m"                              # so long without informative output
# grace = "10s"                              # between SIGTERM and SIGKILL, when one of these is reached
# inputs = ["ks.cfg", "env:RELEASE"]         # when these change, the state runs again
# outputs = ["build/green.qcow2"]            # must be there, and unchanged, to be reused
# verify = "qemu-img check build/green.qcow2"
# reset = "rm -f build/green.qcow2"          # before a retry in place
# access = "ssh -p 2222 root@localhost"      # shown to whoever has to mend it
"""

_TAIL = """
# [strategies.nightly]
# on = ["transient"]        # failure classes or groups worth a retry; `toolkit classify` shows them
# max_attempts = 3          # counts the first attempt
# wait = "30s"
# factor = 2.0
# max_wait = "10m"
# max_elapsed = "2h"
# then = "start-over"       # start-over | hold

# [[rules]]                 # failures that only your builds have
# id = "our.broker"
# class = "network"
# match = 'broker handshake lost'
# fatal = true              # such a line ends the attempt at once

# [budget]
# attempts_per_build = 12
# minutes_per_build = 240
# breaker = 5               # so many builds failing alike within an hour: all wait, one tries

# [prices]                  # what `toolkit recommend` weighs, in one unit of your choice
# hour_to_green = 1.0       # an hour until the image is there
# machine_hour = 0.0        # an hour of the build's machine
# attention = 0.5           # a person's look at a held build
# response = "2h"           # until that person looks

# [notify]                  # one message per incident
# command = 'mail -s "$TOOLKIT_TITLE" team@example.com'   # the message is its standard input
# urls = ["env:TEAM_CHAT"]  # addresses as Apprise writes them, or variables that hold one; needs the extra `notify`
# on = ["hold", "failure", "breaker", "rollback"]

# [publish]                 # when a run has ended, beside its own output; trouble is told in .toolkit/notify.log
# summary = true            # into the job's summary: GitHub, Azure Pipelines, Buildkite
# annotations = true        # a line on stderr for each failure, as your CI system reads it, after the build's last line
# junit = "states.xml"      # a test case for each state
# otlp = "env"              # a collector of traces, or env for OTEL_EXPORTER_OTLP_ENDPOINT; needs the extra `otel`
"""


def template(name: str, states: Sequence[Proposed] | None = None) -> str:
    """Give the text of a toolkit.toml for a pipeline, with the states that were proposed, if any were."""
    listed = "".join(map(_state, states)) if states else _EXAMPLE
    return _HEAD.format(name=_text(name)) + _STATES + listed + _TAIL


def _state(state: Proposed) -> str:
    lines = ["", "[[states]]", f"code = {state.code}", f"name = {_text(state.name)}"]
    if state.marker:
        lines.append(f"marker = {_expression(state.marker)}   # line {state.line} of the log")
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    """Write a TOML string; JSON's escapes are among TOML's."""
    sound = text.encode(errors="replace").decode()
    return json.dumps(sound, ensure_ascii=False).replace("\x7f", "\\u007f")


def _expression(text: str) -> str:
    return _text(text) if "'" in text or not text.isprintable() else f"'{text}'"
