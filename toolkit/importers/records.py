"""Build records, in the design document's `stateHistory` shape, become facts: one object, a list, or one a line."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Annotated, Any, Final, Literal, NotRequired, Required

from pydantic import Field, TypeAdapter, ValidationError, with_config
from pydantic_core import from_json
from typing_extensions import TypedDict  # pydantic reads typing's own from Python 3.12 on only

from toolkit.core import events as ev
from toolkit.importers.lines import Code, Count, Faults, Moment, Number, Seconds, Text, milliseconds
from toolkit.importers.numbering import facts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from toolkit.core.events import Event

RecordStatus = Literal["pending", "in_progress", "started", "completed", "failed", "interrupted", "skipped", "reused"]
STATUS_OF: Final = {"in_progress": "started"}
"""The document's word for a state that has begun; `pending` says that nothing happened."""


@with_config({"extra": "ignore"})
class Entry(TypedDict):
    """One line of a record's history."""

    state: Required[Code]
    status: Required[RecordStatus]
    timestamp: Required[Moment]
    error: NotRequired[str | None]
    attempt: NotRequired[Count | None]
    run: NotRequired[Count | None]
    name: NotRequired[str | None]
    duration: NotRequired[Seconds | None]
    exit_code: NotRequired[Number | None]
    host: NotRequired[str | None]


@with_config({"extra": "ignore"})
class Record(TypedDict):
    """One build."""

    build: Required[Text]
    stateHistory: Required[Annotated[list[Entry], Field(min_length=1)]]
    pipeline: NotRequired[str | None]
    target: NotRequired[str | None]
    phase: NotRequired[str | None]
    abandoned: NotRequired[bool | None]


RECORD: Final[TypeAdapter[Record]] = TypeAdapter(Record)
MANY: Final[TypeAdapter[list[Record]]] = TypeAdapter(list[Record])


def read_records(
    source: IO[bytes], name: str, progress: Callable[[int], None] = lambda _: None
) -> Iterator[tuple[str, Sequence[Event]]]:
    """Give each recorded build with its facts; all of them are checked first, and BadInput names the faults."""
    records = _records(source.read(), name)
    for done, record in enumerate(records, start=1):
        yield record["build"], _facts(record)
        progress(done)


def _records(text: bytes, name: str) -> list[Record]:
    faults = Faults(name)
    records: list[Record] = []
    try:
        if text.lstrip().startswith(b"["):
            records = MANY.validate_json(text)
        elif _is_one(text):
            records = [RECORD.validate_json(text)]
        else:
            for number, line in enumerate(text.splitlines(), start=1):
                if line.strip():
                    try:
                        records.append(RECORD.validate_json(line))
                    except ValidationError as error:
                        faults.explain(number, error)
    except ValidationError as error:
        faults.explain("", error)
    faults.check()
    return records


def _is_one(text: bytes) -> bool:
    """Tell one object, however it is laid out, from one object a line."""
    try:
        from_json(text)
    except ValueError as error:
        return "trailing" not in str(error)
    return True


def _facts(record: Record) -> list[Event]:
    rows: list[dict[str, Any]] = [
        {
            **entry,
            "status": STATUS_OF.get(entry["status"], entry["status"]),
            "ts_ms": milliseconds(entry["timestamp"]),
            "seq": place,
            "pipeline": record.get("pipeline"),
            "target": record.get("target"),
            "phase": record.get("phase"),
        }
        for place, entry in enumerate(record["stateHistory"])
        if entry["status"] != "pending"
    ]
    if not rows:
        begun = milliseconds(record["stateHistory"][0]["timestamp"])
        pipeline, target = record.get("pipeline"), record.get("target")
        return [ev.BuildBegun(build=record["build"], ts_ms=begun, pipeline=pipeline, target=target)]
    facts = facts_of(record["build"], rows)
    if record.get("abandoned"):
        facts.append(ev.BuildAbandoned(build=record["build"], ts_ms=rows[-1]["ts_ms"]))
    return facts
