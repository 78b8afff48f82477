"""Says what is wrong in a configuration file: where, with which key, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from toolkit.core.values import Value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import BaseModel
    from pydantic_core import ErrorDetails


class Fault(Value):
    """One thing wrong, or with `warning` only doubtful, in a file."""

    file: str
    line: int | None = None
    """From 1; None when nothing in the file is at fault, such as something that is missing."""
    key: str = ""
    message: str
    remedy: str = ""
    warning: bool = False

    @property
    def text(self) -> str:
        """`toolkit.toml:12: states.code: must be a whole number`."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return ": ".join(part for part in (place, self.key, self.message) if part)


class Doubt(ValueError):
    """What a validator has against a value, with the remedy it knows."""

    def __init__(self, message: str, remedy: str = "") -> None:
        """Take both sentences."""
        super().__init__(message)
        self.remedy = remedy


_TYPES: Final[Mapping[str, str]] = {
    "int": "a whole number",
    "float": "a number",
    "string": "text in quotes",
    "bool": "true or false",
    "list": 'a list, such as ["one", "two"]',
    "dict": "a table",
    "model": "a table",
}


def nearest(word: str, known: Sequence[str]) -> str:
    """Advise on a word that is not known: the one that was probably meant, else all there are."""
    from difflib import get_close_matches

    close = get_close_matches(word, known, n=1)
    return f"Did you mean {close[0]}?" if close else f"Known: {', '.join(known)}."


def explain(error: ErrorDetails, model: type[BaseModel]) -> tuple[str, str]:
    """Say what pydantic found, in our words: message and remedy."""
    kind, given, limits = error["type"], error["input"], error.get("ctx") or {}
    if kind == "extra_forbidden":
        key = str(error["loc"][-1])
        return "unknown key", nearest(key, sorted(_keys_beside(model, error["loc"])))
    if kind == "missing":
        return "is missing", "Add it."
    if kind == "value_error":
        reason = limits.get("error")
        return str(reason), reason.remedy if isinstance(reason, Doubt) else ""
    if kind == "literal_error":
        words = [word.strip(" '") for word in str(limits["expected"]).replace(" or ", ",").split(",")]
        return f"{shown(given)} is not one of {', '.join(words)}", nearest(str(given), words)
    if kind == "string_pattern_mismatch":
        return f"{shown(given)} is not an id", "Use letters, digits, and . _ : - between them."
    if kind == "string_too_short":
        return "is empty", "Write something, or leave the key out."
    return _out_of_bounds(kind, given, limits) or _wrong_type(kind, given) or (error["msg"], "")


def _out_of_bounds(kind: str, given: Any, limits: Mapping[str, Any]) -> tuple[str, str] | None:  # noqa: ANN401 - any TOML value
    if kind in {"greater_than_equal", "greater_than"}:
        limit = limits["ge" if kind == "greater_than_equal" else "gt"]
        if limit == 0 and isinstance(given, int | float) and given < 0:
            return f"{given} is negative", "Write 0 or more." if kind == "greater_than_equal" else "Write more than 0."
        return f"{given} is too small", f"Write {'at least' if kind == 'greater_than_equal' else 'more than'} {limit}."
    if kind in {"less_than_equal", "less_than"}:
        limit = limits["le" if kind == "less_than_equal" else "lt"]
        return f"{given} is too large", f"Write {'at most' if kind == 'less_than_equal' else 'less than'} {limit}."
    return None


def _wrong_type(kind: str, given: Any) -> tuple[str, str] | None:  # noqa: ANN401 - any TOML value
    wanted = _TYPES.get(kind.partition("_")[0])
    return (f"{shown(given)} is not {wanted.partition(',')[0]}", f"Write {wanted}.") if wanted else None


def shown(value: object) -> str:
    """Write a value as the file would, and not at length."""
    shown = f"'{value}'" if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."  # noqa: PLR2004 - enough to recognise it by


def _keys_beside(model: type[BaseModel], path: tuple[str | int, ...]) -> set[str]:
    """Give the keys that are known where an unknown one was found."""
    from pydantic import BaseModel

    present: Any = model
    for step in path[:-1]:
        if isinstance(step, int):
            continue
        field = present.model_fields.get(step) or next(
            (each for each in present.model_fields.values() if each.alias == step), None
        )
        kinds = _inner(field.annotation) if field else []
        found = [each for each in kinds if isinstance(each, type) and issubclass(each, BaseModel)]
        if found:
            present = found[0]
    return {field.alias or name for name, field in present.model_fields.items()}


def _inner(annotation: Any) -> list[Any]:  # noqa: ANN401 - annotations are what they are
    """Give an annotation and everything inside its brackets."""
    from typing import get_args

    return [annotation, *(deeper for each in get_args(annotation) for deeper in _inner(each))]
