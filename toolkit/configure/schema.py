"""What may stand in toolkit.toml, key by key; what keys must be true of each other is in `checking.py`.

A validated file is kept in a normal form made of plain JSON values: durations in seconds, shares from 0 to 1, codes as
text, and only the keys that the file has, so that a default may change without the file.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from toolkit.configure.faults import Doubt, nearest, shown
from toolkit.core.classes import CLASSES, GROUPS
from toolkit.core.codes import parse_codes
from toolkit.core.moments import parse_duration
from toolkit.core.phase import canonical
from toolkit.core.pipeline import GRACE
from toolkit.core.policy import MOST_ATTEMPTS, MOST_MINUTES


def read_duration(value: object) -> float:
    """Take `45m` or a number of seconds."""
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except ValueError as error:
            what, _, remedy = str(error).partition(": ")
            raise Doubt(what, f"{remedy[:1].upper()}{remedy[1:]}." if remedy else "") from None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Doubt(f"{shown(value)} is not a duration", "Write 90s, 45m, 2h or 1h30m.")
    if value < 0:
        raise Doubt(f"{value} is negative", "Write a duration such as 90s, 45m, 2h or 1h30m.")
    return float(value)


def read_limit(value: object) -> float:
    """Take a duration that is longer than nothing."""
    seconds = read_duration(value)
    if seconds == 0:
        raise Doubt("a limit of 0 would end every attempt at once", "Write a longer duration, or leave the key out.")
    return seconds


def read_codes(value: object) -> str:
    """Take `5`, `10-65` or `5,10-65`."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise Doubt(f"{shown(value)} is not a state code", "Write codes and ranges as 5, 10-65 or 5,10-65.")
    try:
        return str(parse_codes(str(value)))
    except ValueError as error:
        raise Doubt(str(error), "Write codes and ranges as 5, 10-65 or 5,10-65.") from None


def read_share(value: object) -> float:
    """Take `0.2` or `20%`."""
    advice = "Write a share such as 0.2 or 20%."
    try:
        percent = isinstance(value, str) and value.strip().endswith("%")
        share = float(value.strip().removesuffix("%")) / 100 if isinstance(value, str) and percent else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise Doubt(f"{shown(value)} is not a share", advice) from None
    if isinstance(value, bool) or not 0 <= share <= 1:
        raise Doubt(f"{value} is out of range", "A share lies between 0 and 1, or 0% and 100%.")
    return share


def read_phase(value: object) -> str:
    """Take any of the phases' names."""
    try:
        return canonical(str(value))
    except ValueError as error:
        raise Doubt(str(error), "Write one of them.") from None


def read_word(value: object) -> str:
    """Take a failure class or a group."""
    words = (*GROUPS, *CLASSES)
    if value not in words:
        raise Doubt(f"{shown(value)} is neither a failure class nor a group", nearest(str(value), words))
    return str(value)


def read_class(value: object) -> str:
    """Take a failure class."""
    if value not in CLASSES:
        raise Doubt(f"{shown(value)} is not a failure class", nearest(str(value), CLASSES))
    return str(value)


def read_expression(value: object) -> str:
    """Take a regular expression that every engine searches in linear time, a line at a time."""
    from toolkit.core.rules.linear import linear

    if not isinstance(value, str):
        raise Doubt(f"{shown(value)} is not a regular expression", "Write it in single quotes.")
    reason = linear(value)
    if reason is not None:
        raise Doubt(f"'{value}' cannot be used: {reason}", "Expressions are searched in one line, in linear time.")
    return value


def read_address(value: object) -> str:
    """Take an address as Apprise writes them, or `env:NAME` for one that is a secret."""
    if not isinstance(value, str) or not (value.startswith("env:") or "://" in value):
        remedy = "Write a URL such as mailto://… or json://…, or env:NAME for a variable that holds one."
        raise Doubt(f"{shown(value)} is not an address", remedy)
    return value


def read_collector(value: object) -> str:
    """Take the address of a collector of traces, or `env`."""
    sound = isinstance(value, str) and (value == "env" or value.startswith(("http://", "https://")))
    if not sound:
        remedy = "Write http://HOST:4318, or env to leave it to the variables of OpenTelemetry."
        raise Doubt(f"{shown(value)} is no collector's address", remedy)
    return str(value)


def read_label(value: object) -> str:
    """Take `K=V`."""
    if not isinstance(value, str) or "=" not in value.strip("="):
        raise Doubt(f"{shown(value)} is not a label", "Write it as KEY=VALUE.")
    return value


Duration = Annotated[float, BeforeValidator(read_duration)]
Limit = Annotated[float, BeforeValidator(read_limit)]
Codes = Annotated[str, BeforeValidator(read_codes)]
Share = Annotated[float, BeforeValidator(read_share)]
Phase = Annotated[str, BeforeValidator(read_phase)]
Word = Annotated[str, BeforeValidator(read_word)]
Class = Annotated[str, BeforeValidator(read_class)]
Expression = Annotated[str, BeforeValidator(read_expression)]
Collector = Annotated[str, BeforeValidator(read_collector)]
Address = Annotated[str, BeforeValidator(read_address)]
Label = Annotated[str, BeforeValidator(read_label)]
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*$")]


class Table(BaseModel):
    """A table of the file: no key but those listed, no value of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=False)


class Pipeline(Table):
    """`[pipeline]`."""

    name: str | None = Field(default=None, min_length=1)
    link_window: Duration | None = None
    restarts: int = Field(default=0, ge=0, le=MOST_ATTEMPTS)
    resume: Literal["auto", "never"] = "auto"
    never_resume: list[Label] = []
    resume_command: str = ""
    verify_clean: Share = 0.0


class State(Table):
    """`[[states]]`."""

    code: Codes
    name: str | None = None
    marker: Expression | None = None
    run: str = ""
    strategy: str | None = None
    timeout: Limit | None = None
    stall: Limit | None = None
    grace: Duration = GRACE
    fatal: list[str] = []
    inputs: list[str] = []
    outputs: list[str] = []
    verify: str = ""
    reset: str = ""
    access: str = ""
    resume: Literal["auto", "never"] = "auto"
    revalidate: str = ""
    max_age: Limit | None = None
    checkpoint: str = ""
    restore: str = ""
    discard: str = ""
    checkpoint_age: Limit | None = None


class Pacing(Table):
    """What strategies and retry rules have in common."""

    max_attempts: int = Field(default=3, ge=1, le=MOST_ATTEMPTS)
    wait: Duration = 30.0
    factor: float = Field(default=2.0, ge=1, le=100)
    max_wait: Duration = 600.0
    jitter: bool = True
    max_elapsed: Limit | None = None
    then: Literal["start-over", "hold"] = "start-over"
    command: str = ""


class Strategy(Pacing):
    """`[strategies.NAME]`."""

    on: list[Word] = []
    hold: list[Word] = []


class RetryRule(Pacing):
    """`[[policy]]`."""

    id: Id
    states: Codes | None = None
    on: list[Word] = []
    signatures: list[str] = []
    action: Literal["retry", "start-over", "hold"] = "retry"
    saves: float | None = Field(default=None, allow_inf_nan=False)


class FailureRule(Table):
    """`[[rules]]`."""

    id: Id
    failure_class: Class = Field(alias="class")
    match: Expression | None = None
    unless: Expression | None = None
    states: Codes | None = None
    exit_codes: list[Annotated[int, Field(ge=0, le=255)]] = []
    signals: list[Annotated[int, Field(ge=1, le=64)]] = []
    fatal: bool = False
    version: int = Field(default=1, ge=1)
    example: str = ""
    counterexample: str = ""


class Budget(Table):
    """`[budget]`."""

    attempts_per_build: int = Field(default=12, ge=1, le=MOST_ATTEMPTS)
    minutes_per_build: float = Field(default=240.0, gt=0, le=MOST_MINUTES)
    breaker: int = Field(default=5, ge=0)


class Notify(Table):
    """`[notify]`."""

    command: str = ""
    urls: list[Address] = []
    on: list[Literal["hold", "failure", "breaker", "rollback"]] = []


class Publish(Table):
    """`[publish]`."""

    summary: bool = False
    annotations: bool = False
    junit: str = Field(default="", min_length=1)
    otlp: Collector = ""


class Redact(Table):
    """`[redact]`."""

    patterns: list[Expression] = []
    env: list[str] = []


class Prices(Table):
    """`[prices]`."""

    hour_to_green: float = Field(default=1.0, ge=0)
    machine_hour: float = Field(default=0.0, ge=0)
    attention: float = Field(default=0.5, ge=0)
    response: Duration | None = None


class Rest(Table):
    """`[rest]`: what the builds outside the share follow."""

    phase: Phase = "track-only"
    phases: dict[Codes, Phase] = {}


class File(Table):
    """toolkit.toml."""

    phase: Phase = "track-only"
    share: Share = 1.0
    phases: dict[Codes, Phase] = {}
    rest: Rest | None = None
    pipeline: Pipeline = Pipeline()
    states: list[State] = []
    strategies: dict[str, Strategy] = {}
    policy: list[RetryRule] = []
    rules: list[FailureRule] = []
    budget: Budget = Budget()
    notify: Notify = Notify()
    publish: Publish = Publish()
    redact: Redact = Redact()
    prices: Prices = Prices()


def normal_form(file: File) -> dict[str, Any]:
    """Give the keys that the file has, as plain JSON values."""
    return file.model_dump(exclude_unset=True)
