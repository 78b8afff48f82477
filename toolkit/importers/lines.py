"""Interchange events as they come in: checked against the contract, every fault named by file, line and key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NotRequired, Required

from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict  # pydantic reads typing's own from Python 3.12 on only

from toolkit.core.codes import HIGHEST
from toolkit.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Status = Literal["started", "completed", "failed", "interrupted", "skipped", "reused"]
Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1, le=2**31 - 1, strict=True)]
Code = Annotated[int, Field(ge=0, le=HIGHEST, strict=True)]
Number = Annotated[int, Field(ge=-(2**31), le=2**31 - 1, strict=True)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Moment = Annotated[AwareDatetime, Field(strict=True)]
"""An RFC 3339 time with its zone; a bare number is refused, since its unit would be a guess."""

MOST_FAULTS: Final = 20
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


@with_config({"extra": "ignore"})
class Decision(TypedDict):
    """What was chosen after a failure."""

    action: Required[Text]
    reason: NotRequired[str | None]
    rule: NotRequired[str | None]
    wait: NotRequired[Seconds | None]
    phase: NotRequired[str | None]


Line = TypedDict(
    "Line",
    {
        "build": Required[Text],
        "state": Required[Code],
        "status": Required[Status],
        "ts": Required[Moment],
        "pipeline": NotRequired[str | None],
        "target": NotRequired[str | None],
        "run": NotRequired[Count | None],
        "seq": NotRequired[Number | None],
        "name": NotRequired[str | None],
        "attempt": NotRequired[Count | None],
        "error": NotRequired[str | None],
        "exit_code": NotRequired[Number | None],
        "signal": NotRequired[Number | None],
        "class": NotRequired[str | None],
        "signature": NotRequired[str | None],
        "rule": NotRequired[str | None],
        "duration": NotRequired[Seconds | None],
        "host": NotRequired[str | None],
        "phase": NotRequired[str | None],
        "inputs": NotRequired[str | None],
        "decision": NotRequired[Decision | None],
        "shadow": NotRequired[dict[str, dict[str, Any]] | None],
    },
)
"""One interchange event; keys beyond the contract's are left out."""

LINE: Final[TypeAdapter[Line]] = TypeAdapter(Line)

_ADVICE: Final = {
    "missing": "is missing",
    "json_invalid": "is not JSON",
    "dict_type": "must be a JSON object",
    "timezone_aware": "must carry its zone, such as 2026-03-01T10:15:00.000Z",
    "datetime_type": "must be RFC 3339 text, such as 2026-03-01T10:15:00.000Z",
}


def milliseconds(moment: datetime) -> int:
    """Give a moment as milliseconds since 1970 (UTC)."""
    return (moment - _EPOCH) // _MILLISECOND


class Faults:
    """What is wrong with an input, up to `MOST_FAULTS` of it."""

    def __init__(self, source: str) -> None:
        """Take the name of the input, as it is to be called."""
        self.source = source
        self.told: list[str] = []
        self.more = 0

    def note(self, place: int | str, key: str, what: str) -> None:
        """Add one fault: `SOURCE:PLACE: key: what`; an empty place is left out."""
        if len(self.told) >= MOST_FAULTS:
            self.more += 1
            return
        self.told.append(
            ": ".join(part for part in (f"{self.source}:{place}" if place else self.source, key, what) if part)
        )

    def explain(self, place: int | str, error: ValidationError) -> None:
        """Add what pydantic found, in words for whoever wrote the input."""
        for each in error.errors(include_url=False, include_context=False):
            key = ".".join(str(part) for part in each["loc"])
            what = _ADVICE.get(each["type"]) or _lower(each["msg"])
            if each["type"] == "json_invalid":
                what = f"is not JSON ({each['msg'].removeprefix('Invalid JSON: ')})"
            elif each["type"] not in {"missing", "dict_type"}:
                what += f", not {_shown(each['input'])}"
            self.note(place, key, what)

    def check(self) -> None:
        """Raise BadInput when there are any."""
        if not self.told:
            return
        rest = [f"… and {self.more} more"] if self.more else []
        count = len(self.told) + self.more
        lead = "" if count == 1 else f"{count} faults in {self.source}:\n"
        raise BadInput(lead + "\n".join([*self.told, *rest]))


def _lower(sentence: str) -> str:
    told = sentence.removeprefix("Input ").removeprefix("Value error, ")
    return told[:1].lower() + told[1:]


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"  # noqa: PLR2004 - what fits beside the rest of the sentence


def ordered(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Put a build's lines in order: by run and by `seq` where all tell it, by time, and as they came."""
    by_run = all(row.get("run") is not None for row in rows)
    by_seq = all(row.get("seq") is not None for row in rows)
    return sorted(rows, key=lambda row: (row["run"] if by_run else 0, row["seq"] if by_seq else 0, row["ts_ms"]))
