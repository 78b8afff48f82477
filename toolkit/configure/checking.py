"""Checks a whole toolkit.toml at once: every fault with its file, line, key and remedy, and what is merely doubtful."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from toolkit.configure import consistency, rulebook
from toolkit.configure.consistency import Found
from toolkit.configure.faults import Fault, explain
from toolkit.configure.positions import line_of, positions
from toolkit.configure.schema import File, normal_form
from toolkit.core.rules.linear import required

if TYPE_CHECKING:
    from collections.abc import Iterable

    from toolkit.configure.positions import Path

_QUESTIONS: Final = (
    consistency.states_grow,
    consistency.markers_differ,
    consistency.ranges_share,
    consistency.pipelines_are_whole,
    consistency.strategies_exist,
    consistency.fatal_rules_exist,
    consistency.phases_differ,
    consistency.notices_arrive,
    rulebook.rules_ask,
    rulebook.retries_are_limited,
    rulebook.ids_differ,
    rulebook.rules_are_asked,
    rulebook.examples_hold,
)


def check(content: bytes, file: str) -> tuple[dict[str, Any] | None, list[Fault]]:
    """Give the normal form of a file's content, None when it cannot be used, and all that is wrong with it, by line."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return None, [Fault(file=file, line=line, message="not UTF-8", remedy="Save the file as UTF-8.")]
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return None, [_syntax(str(error), text, file)]
    places = positions(text.replace("\r\n", "\n"))
    try:
        model = File.model_validate(document)
    except ValidationError as invalid:
        errors = invalid.errors(include_url=False)
        found = [Found(each["loc"], *explain(each, File)) for each in errors]
        return None, _placed([*found, *_beyond(document, [each["loc"] for each in errors])], places, file)
    faults = _placed(_doubts(model), places, file)
    if any(not fault.warning for fault in faults):
        return None, faults
    return _with_hints(normal_form(model)), faults


def _doubts(model: File) -> list[Found]:
    return [found for ask in _QUESTIONS for found in ask(model)]


def _beyond(document: dict[str, Any], faulty: list[Path]) -> list[Found]:
    """Find what else is wrong with a file, besides the keys and tables that are already known to be."""
    entries = {path[:2] for path in faulty}
    for path in faulty:
        _prune(document, path)
    old: dict[str, list[int]] = {}
    for table in ("states", "policy", "rules"):
        kept = document.get(table, [])
        old[table] = [place for place, entry in enumerate(kept) if _valid(table, entry)]
        document[table] = [kept[place] for place in old[table]]
    try:
        found = _doubts(File.model_validate(document))
    except ValidationError:
        return []
    moved = [each._replace(path=_moved(each.path, old)) for each in found]
    return [each for each in moved if each.path[:2] not in entries]


def _moved(path: Path, old: dict[str, list[int]]) -> Path:
    """Translate the path of an entry back to where it stood before faulty entries were left out."""
    table, *rest = path
    if isinstance(table, str) and table in old and rest and isinstance(rest[0], int):
        return (table, old[table][rest[0]], *rest[1:])
    return path


def _prune(document: dict[str, Any], path: Path) -> None:
    """Take a faulty value out of a document; the entries of arrays of tables stay where they are."""
    inside: Any = document
    *way, last = (step for step in path if step != "[key]")
    try:
        for step in way:
            inside = inside[step]
    except (KeyError, IndexError, TypeError):
        return
    if isinstance(inside, dict):
        inside.pop(last, None)
    elif isinstance(inside, list) and len(way) > 1:
        inside.clear()


def _valid(table: str, entry: object) -> bool:
    try:
        File.model_validate({table: [entry]})
    except ValidationError:
        return False
    return True


def _placed(found: Iterable[Found], places: dict[Path, int], file: str) -> list[Fault]:
    faults = [
        Fault(
            file=file,
            line=line_of(places, each.path),
            key=".".join(step for step in each.path if isinstance(step, str) and step != "[key]"),
            message=each.message,
            remedy=each.remedy,
            warning=each.warning,
        )
        for each in found
    ]
    return sorted(faults, key=lambda fault: (fault.line or 0, fault.key))


def _syntax(message: str, text: str, file: str) -> Fault:
    """Say what the parser stumbled over; at the end of the document it names no line."""
    said = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", message)
    what, line, column = said.groups() if said else (message, None, None)
    told = f"{what[:1].lower()}{what[1:]}" + (f", at column {column}" if column else "")
    number = int(line) if line else len(text.splitlines())
    return Fault(file=file, line=number, message=f"not valid TOML: {told}", remedy="Correct this line first.")


def _with_hints(document: dict[str, Any]) -> dict[str, Any]:
    """Note what lets a scan skip most lines, so that a run needs not find it out."""
    for state in document.get("states", ()):
        if state.get("marker"):
            state["marker_hints"] = [literal.decode() for literal in required(state["marker"])]
    return document
