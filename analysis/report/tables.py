"""Findings as tables: one file each, CSV or Parquet, for whoever wants to go on with the numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import polars as pl
from pydantic import BaseModel

from toolkit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from analysis.findings_model import Findings

Form = Literal["csv", "parquet"]
NAMES: Final = ("states", "classes", "signatures", "weeks", "days", "hosts", "builds")


def tables(findings: Findings) -> dict[str, pl.DataFrame]:
    """Give every table of the findings, flat: a rate becomes `_hits`, `_n`, `_mean`, `_low` and `_high`."""
    found = {name: _frame(getattr(findings, name)) for name in NAMES}
    totals = {**findings.outcomes.model_dump(), **_flat(findings.totals)}
    found["totals"] = pl.DataFrame([totals])
    rules = [
        {"pipeline": advice.pipeline, **_flat(each)} for advice in findings.recommendations for each in advice.states
    ]
    found["recommendations"] = pl.DataFrame(rules, infer_schema_length=None)
    return found


def write(findings: Findings, folder: Path, form: Form) -> list[Path]:
    """Write every table that has rows into `folder`; gives the files. UsageError when it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [
            _write(table, folder / f"{name}.{form}", form) for name, table in tables(findings).items() if table.height
        ]
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
    return pl.DataFrame([_flat(each) for each in values], infer_schema_length=None)


def _flat(value: BaseModel, prefix: str = "") -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, each in value:
        key = f"{prefix}{name}"
        if name == "share" and prefix and each is None:
            row |= {f"{prefix}{end}": None for end in ("mean", "low", "high")}
        elif name == "share" and isinstance(each, BaseModel):
            row |= _flat(each, prefix)
        elif isinstance(each, BaseModel):
            row |= _flat(each, f"{key}_")
        elif isinstance(each, tuple) and each and isinstance(each[0], BaseModel):
            row[key] = [item.model_dump(mode="json") for item in each]
        else:
            row[key] = list(each) if isinstance(each, tuple) else each
    return row
