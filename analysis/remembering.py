"""What was learnt from a history, kept beside its mirror: the same attempts teach the same, and learning takes seconds.

Kept is what was found out, under a digest of all that it was found out from: the attempts, what was asked, and the code
that learns. Nothing has to be declared stale; what nobody asks for any more makes room.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import polars as pl
from pydantic import ValidationError

from analysis.recommendation import Said

if TYPE_CHECKING:
    from collections.abc import Callable

Told = TypeVar("Told", bound=Said)

MOST: Final = 16
"""So many answers are kept, the latest ones."""
_CODE: Final = ("analysis", "phases", "toolkit/core")
_SUFFIX: Final = ".learnt.json"


def remembered(
    folder: Path | None, attempts: pl.DataFrame, asked: object, kind: type[Told], learn: Callable[[], Told]
) -> Told:
    """Give what was learnt from these attempts when the same was asked (by its `repr`), or learn it and keep it.

    Without a folder nothing is kept; where it cannot be read or written, nothing is lost but time.
    """
    if folder is None:
        return learn()
    file = folder / f"{_digest(attempts, asked)}{_SUFFIX}"
    with suppress(OSError, ValidationError):
        found = kind.model_validate_json(file.read_bytes())
        file.touch()
        return found
    told = learn()
    with suppress(OSError):
        _keep(file, told)
    return told


def _keep(file: Path, told: Said) -> None:
    text = told.model_dump_json()
    try:
        same = type(told).model_validate_json(text) == told
    except ValidationError:
        same = False
    if not same:
        return  # JSON cannot say it
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(text)
    part.replace(file)
    kept = sorted(file.parent.glob(f"*{_SUFFIX}"), key=lambda each: each.stat().st_mtime)
    for old in kept[:-MOST]:
        old.unlink(missing_ok=True)


def _digest(attempts: pl.DataFrame, asked: object) -> str:
    told = blake2b(digest_size=16)
    for part in (pl.__version__, _code(), repr(attempts.schema), repr(asked)):
        told.update(f"{part}\0".encode())
    told.update(attempts.hash_rows().to_numpy().tobytes())
    return told.hexdigest()


@cache
def _code() -> str:
    root = Path(__file__).parents[1]
    told = blake2b(digest_size=16)
    for file in sorted(file for folder in _CODE for file in (root / folder).rglob("*.py")):
        told.update(file.read_bytes())
    return told.hexdigest()
