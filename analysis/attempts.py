"""The table of attempts that all learning starts from, and what is filled in where a history does not say."""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import polars as pl

from analysis.tables import ATTEMPTS
from toolkit.core.classes import GROUP_OF
from toolkit.core.failure import Classifier

if TYPE_CHECKING:
    from collections.abc import Mapping

_FAILURE: Final = ("error", "exit_code", "signal", "class", "signature")
_MESSAGE_CHARS: Final = 4000


def tidy(attempts: pl.DataFrame) -> pl.DataFrame:
    """Give the attempts with every column of `tables.ATTEMPTS`, `began` and `over` filled, in the order they happened.

    `began` and `over` (datetimes, never null where any time is known) are the best guess from start, end and duration;
    `duration` is in seconds, 0 where nothing tells. Columns beyond those are kept.
    """
    present = attempts.columns
    typed = attempts.with_columns(
        pl.col(name).cast(dtype) if name in present else pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in ATTEMPTS.items()
    )
    lasted = pl.duration(milliseconds=pl.col("duration").fill_null(0.0) * 1000)
    filled = typed.with_columns(
        pl.coalesce("started", pl.col("ended") - lasted).alias("began"),
        pl.coalesce("ended", pl.col("started") + lasted).alias("over"),
        pl.col("pipeline").fill_null(""),
        pl.col("run").fill_null(1),
    ).with_columns(
        pl.coalesce("duration", (pl.col("over") - pl.col("began")).dt.total_milliseconds() / 1000)
        .fill_null(0.0).clip(lower_bound=0.0)
    )  # fmt: skip
    return filled.sort("pipeline", "build", "run", "began", "state", "attempt", nulls_last=True)


def understood(attempts: pl.DataFrame) -> pl.DataFrame:
    """Give the attempts with class, group and signature of each failure, found from its message where they are missing.

    The same classifier that understands a live failure reads the message, so a rule learnt here fires there. A class
    that the history names is never overruled.
    """
    blind = attempts.filter(
        (pl.col("status") == "failed") & (pl.col("signature").is_null() | pl.col("class").is_null())
    )
    meaning = meanings(blind.select(_FAILURE).unique(maintain_order=True))
    groups = pl.col("class").replace_strict(dict(GROUP_OF), default="uncertain", return_dtype=pl.String)
    return (
        attempts.join(meaning, on=list(_FAILURE), how="left", nulls_equal=True, maintain_order="left")
        .with_columns(
            pl.coalesce("class", "found_class"),
            pl.coalesce("signature", "found_signature"),
        )
        .drop("found_class", "found_signature")
        .with_columns(pl.when(pl.col("class").is_not_null()).then(pl.coalesce("group", groups)).alias("group"))
    )


def meanings(failures: pl.DataFrame) -> pl.DataFrame:
    """Add `found_class` and `found_signature` to failures told by message, exit code, signal and what is known."""
    found = [_read(_built_in(), row) for row in failures.iter_rows(named=True)]
    return failures.with_columns(
        pl.Series("found_class", [each[0] for each in found], dtype=pl.String),
        pl.Series("found_signature", [each[1] for each in found], dtype=pl.String),
    )


@cache
def present_rules() -> str:
    """Give a digest of the rules that messages are understood by."""
    from toolkit.core.rules import BUILT_IN

    return blake2b(repr(BUILT_IN).encode(), digest_size=8).hexdigest()


@cache
def _built_in() -> Classifier:
    return Classifier()


def _read(classifier: Classifier, row: Mapping[str, object]) -> tuple[str, str]:
    text, code, signal = row["error"], row["exit_code"], row["signal"]
    failure = classifier.classify(
        (text if isinstance(text, str) else "")[:_MESSAGE_CHARS].encode(),
        exit_code=code if isinstance(code, int) else None,
        signal=signal if isinstance(signal, int) else None,
    )
    known = row["class"]
    return (known if isinstance(known, str) else failure.failure_class), failure.signature
