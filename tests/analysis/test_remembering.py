"""What was learnt is kept: the same history, asked the same, answers at once, and nothing else answers for it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import polars as pl
import pytest

from analysis import remembering, study
from analysis.history import History
from analysis.recommendation import Interval
from analysis.remembering import MOST, remembered
from analysis.report import html
from analysis.waits import Prices
from tests.invented import invent
from toolkit.core.policy import Budget, Policy

if TYPE_CHECKING:
    from pathlib import Path

ATTEMPTS = pl.DataFrame({"build": ["b-1", "b-2"], "duration": [1.0, None]})


def one(mean: float = 0.5) -> Interval:
    return Interval(mean=mean, low=0.1, high=0.9)


def never() -> NoReturn:
    pytest.fail("it was learnt anew")


def test_the_same_question_is_answered_at_once(tmp_path: Path) -> None:
    """Only other attempts, another question or another order of attempts are learnt from again."""
    assert remembered(tmp_path, ATTEMPTS, "how", Interval, one) == one()
    assert remembered(tmp_path, ATTEMPTS.clone(), "how", Interval, never) == one()
    others = ATTEMPTS.with_columns(pl.col("duration").fill_null(2.0)), ATTEMPTS.reverse(), ATTEMPTS.head(1)
    for place, other in enumerate(others, start=1):
        assert remembered(tmp_path, other, "how", Interval, partial(one, place)) == one(place)
        assert remembered(tmp_path, other, "how", Interval, never) == one(place)
    assert remembered(tmp_path, ATTEMPTS, "when", Interval, lambda: one(9)) == one(9)


def test_what_cannot_be_kept_is_learnt_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is a file, a damaged answer, a number that JSON cannot say, other code: no error, nothing wrong."""
    (tmp_path / "file").write_text("")
    assert remembered(tmp_path / "file", ATTEMPTS, "how", Interval, one) == one()
    assert remembered(None, ATTEMPTS, "how", Interval, one) == one()
    remembered(tmp_path, ATTEMPTS, "how", Interval, one)
    (kept,) = tmp_path.glob("*.json")
    kept.write_text(kept.read_text()[:-9])
    assert remembered(tmp_path, ATTEMPTS, "how", Interval, lambda: one(2)) == one(2)
    for _ in range(2):
        assert remembered(tmp_path, ATTEMPTS, "far", Interval, lambda: one(float("inf"))).mean == float("inf")
    monkeypatch.setattr(remembering, "_code", lambda: "other")
    assert remembered(tmp_path, ATTEMPTS, "how", Interval, lambda: one(3)) == one(3)


def test_old_answers_make_room(tmp_path: Path) -> None:
    """However many questions are asked, the folder stays small."""
    for number in range(MOST + 5):
        remembered(tmp_path, ATTEMPTS, number, Interval, one)
    assert len(list(tmp_path.iterdir())) == MOST
    assert remembered(tmp_path, ATTEMPTS, MOST + 4, Interval, never) == one()


def test_a_second_report_of_the_same_history_learns_nothing_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Advice, replays and changes come back to the last digit; under another budget they are found anew."""
    (tmp_path / "events").mkdir()
    invent(tmp_path / "events" / "events.parquet", 120, days=40, codes=(5, 40, 100))

    def studied(**policy: Any) -> dict[str, Any]:
        with History.open(tmp_path / "events", tmp_path / "mirror") as history:
            recent = history.recent(study.MOST_BUILDS)
        return study.study(
            recent, Policy(**policy), {}, pipeline=None, prices=Prices(), cache=tmp_path / "learnt"
        )  # fmt: skip

    first = studied()
    assert first["previews"]
    assert all(advice.states for advice in first["recommendations"])
    with monkeypatch.context() as patched:
        patched.setattr(study, "recommend", lambda *_, **__: never())
        assert studied() == first
    other = studied(budget=Budget(attempts_per_build=1))
    assert other["recommendations"] == first["recommendations"]
    assert other["previews"] != first["previews"]


@pytest.mark.long
def test_the_charts_library_is_put_together_once(tmp_path: Path) -> None:
    """The page takes it from where an earlier one left it, byte for byte."""
    pytest.importorskip("vl_convert")
    html.library.cache_clear()
    first = html.library(tmp_path)
    (kept,) = tmp_path.glob("charts-*.js")
    html.library.cache_clear()
    assert html.library(tmp_path) == first == kept.read_text()
    assert html.library() == first
