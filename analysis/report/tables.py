"""Findings as tables: one file each, CSV or Parquet, for whoever wants to go on with the numbers."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, Literal

import polars as pl
from pydantic import BaseModel

from toolkit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from analysis.findings_model import Findings

Form = Literal["csv", "parquet"]
_LISTED: Final = (
    "states", "classes", "signatures", "weeks", "days", "hosts", "builds", "previews", "shadows", "changes"
)  # fmt: skip
"""Those parts of the findings that are tables already."""


def tables(findings: Findings) -> dict[str, pl.DataFrame]:
    """Give every table of the findings, flat: a rate becomes `_hits`, `_n`, `_mean`, `_low` and `_high`."""
    found = {name: _frame(getattr(findings, name)) for name in _LISTED}
    found["totals"] = pl.DataFrame([{**findings.outcomes.model_dump(), **_flat(findings.totals)}])
    found["quality"] = _frame([findings.quality])
    advised = [(advice.pipeline, each) for advice in findings.recommendations for each in advice.states]
    found["recommendations"] = _rows({"pipeline": name, **_flat(each)} for name, each in advised)
    if found["recommendations"].width:
        found["recommendations"] = found["recommendations"].drop("rules")
    found["rules"] = _rows(
        {"pipeline": name, "code": each.code, "name": each.name, "place": place, **_flat(rule)}
        for name, each in advised
        for place, rule in enumerate(each.rules, 1)
    )
    if findings.comparison is not None:
        found["comparison"] = _rows({"period": name, **_flat(period)} for name, period in findings.comparison)
    if findings.worst is not None:
        about = {"build": findings.worst.build}
        found["timeline"] = _rows(
            {**about, "run": lane.run, **_flat(step)} for lane in findings.worst.lanes for step in lane.steps
        )
    if findings.arms is not None:
        found["arms"] = _frame([findings.arms])
    if findings.watched is not None:
        found["host_problems"] = _frame(findings.watched.hosts)
        found["incidents"] = _frame(findings.watched.incidents)
        found["worthless_rules"] = _frame(findings.watched.worthless)
    for name, columns in (("cube_attempts", findings.cube.attempts), ("cube_builds", findings.cube.builds)):
        words = findings.cube.words
        told = {key: [words[key][int(at)] for at in each] if key in words else each for key, each in columns.items()}
        found[name] = pl.DataFrame(told)
    return found


def write(findings: Findings, folder: Path, form: Form) -> list[Path]:
    """Write every table that has rows into `folder`, all or none; gives the files. UsageError when it cannot."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".part-", dir=folder) as aside:
            made = [
                _write(table, Path(aside) / f"{name}.{form}", form)
                for name, table in tables(findings).items()
                if table.height
            ]
            return [path.replace(folder / path.name) for path in made]
    except OSError as error:
        hint = "Name a folder that can be written."
        raise UsageError(f"cannot write {error.filename or folder}: {error.strerror}", hint=hint) from None


def _write(table: pl.DataFrame, path: Path, form: Form) -> Path:
    if form == "parquet":
        table.write_parquet(path)
    else:
        lists = [name for name, dtype in table.schema.items() if isinstance(dtype, (pl.List, pl.Struct))]
        told = [pl.col(name).map_elements(_listed, return_dtype=pl.String) for name in lists]
        table.with_columns(told).write_csv(path)
    return path


def _listed(values: Sequence[Any]) -> str:
    return "; ".join(str(each["text"]) if isinstance(each, dict) else str(each) for each in values)


def _frame(values: Sequence[BaseModel]) -> pl.DataFrame:
    return _rows(_flat(each) for each in values)


def _rows(rows: Iterable[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), infer_schema_length=None)


def _flat(value: BaseModel, prefix: str = "") -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, each in value:
        inner = prefix if name == "share" and prefix else f"{prefix}{name}_"
        if each is None and "Interval" in str(type(value).model_fields[name].annotation):
            row |= {f"{inner}{end}": None for end in ("mean", "low", "high")}
        elif isinstance(each, BaseModel):
            row |= _flat(each, inner)
        elif isinstance(each, tuple) and each and isinstance(each[0], BaseModel):
            row[f"{prefix}{name}"] = [item.model_dump(mode="json") for item in each]
        else:
            row[f"{prefix}{name}"] = list(each) if isinstance(each, tuple) else each
    return row
