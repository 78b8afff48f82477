"""What a project says about its pipeline and about each of its states."""

from __future__ import annotations

from typing import Literal

from toolkit.core.codes import CodeRange, StateCode
from toolkit.core.values import Value

Resume = Literal["auto", "never"]

DAY = 86400.0
GRACE = 10.0


class StateConfig(Value):
    """One state, or one of a range that is configured alike. Durations are in seconds, commands go to `sh -c`."""

    code: StateCode
    name: str | None = None
    codes: CodeRange | None = None
    """The states that share this entry when it was written for a range; `code` is then the lowest of them."""
    marker: str = ""
    """A line of output that matches starts this state and completes the one before it."""
    marker_hints: tuple[str, ...] = ()
    """In lower case: every line that matches `marker` holds one of them. Empty when no such thing is known."""
    run: str = ""
    strategy: str | None = None
    """Name of the strategy; None when the project names none."""
    timeout: float | None = None
    stall: float | None = None
    """So long without informative output means that the attempt hangs."""
    grace: float = GRACE
    """What is to be ended has so long between SIGTERM and SIGKILL."""
    fatal: tuple[str, ...] = ()
    """Ids of failure rules whose lines end an attempt at once."""
    inputs: tuple[str, ...] = ()
    """Files, globs and `env:NAME`; their content is the state's fingerprint."""
    outputs: tuple[str, ...] = ()
    verify: str = ""
    """Must exit 0 before `completed` is believed."""
    reset: str = ""
    """Runs before a retry in place; when it fails, there is no retry."""
    access: str = ""
    """How a person gets at what a held build left, such as `ssh -p 2222 root@localhost`; only ever shown."""
    resume: Resume = "auto"
    revalidate: str = ""
    """Must exit 0 for a completed state to be reused."""
    max_age: float | None = None
    """A completed state older than this is not reused."""
    checkpoint: str = ""
    """Saves what the completed state leaves behind; the state after it starts from there when it is resumed."""
    restore: str = ""
    discard: str = ""
    """Removes a checkpoint that is no longer wanted."""
    checkpoint_age: float | None = 7 * DAY
    """A checkpoint older than this is not restored, and removed."""

    @property
    def label(self) -> str:
        """`5 kickstart`, for sentences."""
        return f"{self.code} {self.name}" if self.name else str(self.code)


class PipelineConfig(Value):
    """The ordered list of states that leads to one image."""

    name: str
    link_window: float = DAY
    """Seconds within which a run after a failure continues the same build."""
    restarts: int = 0
    """How often we start a failed build over ourselves."""
    resume: Resume = "auto"
    never_resume: tuple[str, ...] = ()
    """Builds with one of these labels, `K=V`, always run from the first state on (releases, say)."""
    resume_command: str = ""
    """How to enter a script that only prints markers: `./build.sh --from {state}`."""
    verify_clean: float = 0.0
    """Share of the builds with retries that is verified by a clean rebuild."""
