"""The smaller estimates: outlook, shadows, drift, and readiness."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from analysis.attempts import tidy, understood
from analysis.drift import drift
from analysis.episodes import episodes
from analysis.outlook import features, fit, prospects
from analysis.ready import ready
from analysis.recommend import recommend
from analysis.shadows import score_shadows
from analysis.statistics import longest_good, rate
from tests.analysis.frames import Telling, attempts
from tests.worlds import STATES, Mode, World, live
from toolkit.core.pipeline import StateConfig


def network(rate: float = 0.2) -> Mode:
    return Mode(40, "random", rate, "net.timeout", "network", "timed out")


def lives(*modes: Mode, builds: int = 120, seed: int = 3) -> pl.DataFrame:
    return live(World("image", STATES, modes), builds, seed)


def outlook_of(frame: pl.DataFrame) -> list[float]:
    table = features(episodes(frame), understood(tidy(frame)))
    return list(fit(table[:0], np.zeros(0)).chances(table))


# ---------------------------------------------------------------- outlook


def test_the_outlook_is_worse_for_what_failed_before() -> None:
    """A build that failed at the state before, or others that failed there, make recovery less likely."""
    alone = Telling("a").completes(5).fails(20)
    again = Telling("b", pipeline="other").completes(5).fails(20).starts_over().completes(5).fails(20)

    first, once, twice = outlook_of(attempts(alone, again))

    assert twice < once == first


def test_the_outlook_knows_nothing_of_the_future() -> None:
    """What happens later changes nothing in what was told at the moment of the failure."""
    before = [Telling("a").completes(5).completes(20), Telling("b", at=5000).completes(5).fails(20)]
    after = [
        *before,
        Telling("c", at=90_000).completes(5).fails(20),
        Telling("d", at=99_000).completes(5).completes(20),
    ]

    assert outlook_of(attempts(after))[0] == pytest.approx(outlook_of(attempts(before))[0])


def test_open_failures_have_a_prospect() -> None:
    """What nobody has tried again yet gets a chance with its interval and n; what was tried again has an outcome."""
    tried = [Telling(f"b-{n}", at=9000.0 * n).fails(20).starts_over().completes(20) for n in range(8)]
    left = Telling("b-left", at=90000.0).completes(5).fails(20, "disk.full", failure_class="resource")

    (found,) = prospects(attempts([*tried, left]), "image")

    assert (found.build, found.state, found.signature, found.outcomes) == ("b-left", 20, "disk.full", 8)
    assert 0 < found.chance.low < found.chance.mean < found.chance.high < 1


def test_the_outlook_learns_from_outcomes() -> None:
    """After many failures that recovered, the chance is higher than after many that did not."""
    frame = attempts(
        [
            Telling(f"b-{day}", at=86400.0 * day).completes(5).fails(20).starts_over().completes(5).completes(20)
            for day in range(30)
        ]
    )
    table = features(episodes(frame), understood(tidy(frame)))

    good, bad = fit(table, np.ones(len(table))), fit(table, np.zeros(len(table)))

    assert good.chances(table[-1:])[0] > 0.85
    assert bad.chances(table[-1:])[0] < 0.3
    assert good.outcomes == 30


# ---------------------------------------------------------------- shadows


def test_shadows_are_scored_by_what_happened_next() -> None:
    """A retry that would have passed counts for a phase, one in vain against it, and a pass it gave away is missed."""
    decided = {"selective-retry": {"action": "retry"}, "full-resume": {"action": "stop"}}
    shadow = json.dumps(decided)
    good = Telling("good").completes(5, 3600).fails(20, shadow=shadow).starts_over(0).completes(5, 3600).completes(20)
    vain = (
        Telling("vain", at=9e4).completes(5).fails(20, lasts=1800, shadow=shadow).starts_over().completes(5).fails(20)
    )
    lost = Telling("lost", at=9e5).completes(5).fails(20, shadow=shadow)

    stops, retries = score_shadows(attempts(good, vain, lost))

    assert (retries.phase, retries.failures, retries.judged) == ("selective-retry", 3, 2)
    assert (retries.retried_and_passed, retries.retried_in_vain, retries.hours_saved) == (1, 1, 0.5)
    assert (stops.missed, stops.spared, stops.right_retries) == (1, 1, None)


def test_a_history_without_shadows_has_no_scores() -> None:
    """Imported histories carry no decisions."""
    assert score_shadows(attempts(Telling().fails(5))) == []


# ---------------------------------------------------------------- drift


def test_a_stationary_history_does_not_drift() -> None:
    """Where nothing changed, nothing is said to have changed."""
    told = []
    for seed in range(8):
        frame = understood(tidy(lives(network(), builds=200, seed=seed)))
        told.extend(drift(frame, episodes(frame)))

    assert len(told) <= 1


def test_a_change_of_the_times_is_told() -> None:
    """A failure rate that doubled and a signature that is new are named, with what they were before."""
    before = lives(network(0.05), builds=500)
    shift = pl.duration(days=30)
    worse = (network(0.5), Mode(20, "random", 0.4, "disk.full", "resource", "no space left"))
    after = lives(*worse, builds=60, seed=4).with_columns(
        pl.col("started", "ended") + shift, pl.concat_str(pl.lit("later-"), "build").alias("build")
    )
    frame = understood(tidy(pl.concat([before, after])))

    told = {(change.kind, change.state): change for change in drift(frame, episodes(frame))}

    rates = told["failure rate", 40]
    assert rates.recent is not None
    assert rates.before is not None
    assert rates.recent > 2 * rates.before
    assert told["new signature", 20].signature == "disk.full"


# ---------------------------------------------------------------- readiness


def builds_of(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.group_by("pipeline", "build").agg(
        pl.lit("completed").alias("status"), pl.lit(value=False).alias("degraded")
    )


def test_a_young_history_is_not_ready() -> None:
    """A handful of builds is told what it lacks."""
    frame = lives(network(), builds=5)
    told = ready("selective-retry", builds_of(frame), recommend(frame))

    assert not told.ready
    assert "builds: 5 ended builds, it takes 30" in told.why


def test_evidence_and_configuration_make_ready() -> None:
    """Enough builds, a rule that gains and a strategy where it is needed open the gate; without it, it stays shut."""
    frame = lives(network())
    advice = recommend(frame)

    assert ready("selective-retry", builds_of(frame), advice, states=[StateConfig(code=40, strategy="expensive")]).ready
    assert not ready("selective-retry", builds_of(frame), advice).ready


def test_a_resume_needs_fingerprints() -> None:
    """Full resume asks of each state what goes in and how one sees that it came out."""
    frame = lives(network())
    states = [StateConfig(code=code, inputs=("ks.cfg",), outputs=("image",)) for code, _ in STATES]

    assert ready("full-resume", builds_of(frame), recommend(frame), states=states).ready
    assert "do not say what goes in" in ready("full-resume", builds_of(frame), recommend(frame), states=states[1:]).why


def test_watching_is_always_ready() -> None:
    """Nobody needs a reason to go back to track-only."""
    assert ready("track-only", builds_of(lives(builds=1)), recommend(attempts())).ready


# ---------------------------------------------------------------- small estimates


def test_rates_hold_their_interval() -> None:
    """A 90 % interval of a rate holds the truth in about 90 of 100 cases."""
    rng = np.random.default_rng(5)
    held = [told.low <= 0.3 <= told.high for told in (rate(float(rng.binomial(40, 0.3)), 40) for _ in range(400))]

    assert 0.86 <= np.mean(held) <= 0.94


def test_a_time_limit_spares_good_attempts() -> None:
    """Of 10,000 further attempts like those seen, the limit cuts hardly any."""
    rng = np.random.default_rng(6)
    limit = longest_good(600 * rng.lognormal(0, 0.3, 100))

    assert (600 * rng.lognormal(0, 0.3, 10_000) > limit).mean() < 0.002
    assert limit < 6000
