"""Evidence becomes a policy: what is recommended, when nothing is, and what never changes it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.chains import begins
from analysis.episodes import episodes
from analysis.history import History
from analysis.recommend import recommend
from analysis.waits import Prices
from tests.analysis.frames import NOON, Telling, attempts
from tests.searching import worth
from tests.worlds import STATES, Mode, World, live
from toolkit.core.failure import Classifier

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from analysis.recommendation import Recommendation, RuleAdvice

SHAPE = {"pipeline", "builds", "from", "to", "states", "unclassified"}
STATE_SHAPE = {"code", "name", "action", "confidence", "why", "evidence", "rules", "saves"}
RULE_SHAPE = {
    "on", "signatures", "action", "max_attempts", "wait", "factor", "max_wait", "then", "p_recover", "failures",
}  # fmt: skip


def lives(*modes: Mode, builds: int = 200, seed: int = 3, **more: float) -> pl.DataFrame:
    return live(World("image", STATES, modes, **more), builds, seed)  # type: ignore[arg-type]


def rule(advice: Recommendation, state: int) -> RuleAdvice:
    return next(each for each in advice.states if each.code == state).rules[0]


def network(state: int, kind: str = "random", rate: float = 0.2, **more: float) -> Mode:
    return Mode(state, kind, rate, "net.timeout", "network", "timed out", **more)  # type: ignore[arg-type]


def told_again(outcomes: Sequence[bool]) -> list[Telling]:
    """Builds a day apart that fail once at state 20, are started over, and pass or fail the same again."""
    builds = []
    for number, passes in enumerate(outcomes):
        build = Telling(f"b-{number:03d}", at=86400.0 * number).completes(5, 3600).fails(20).starts_over()
        build.completes(5, 3600)
        builds.append(build.completes(20) if passes else build.fails(20))
    return builds


def test_the_shape_is_the_promised_one() -> None:
    """Scripts find every promised key, times in RFC 3339, and intervals with mean, low and high."""
    shape = recommend(lives(network(40))).shape()

    assert shape.keys() >= SHAPE
    assert shape["from"] < shape["to"]
    assert shape["from"].endswith("Z")
    assert shape["unclassified"] == {"failures": 0, "share": 0.0}
    failing = next(state for state in shape["states"] if state["rules"])
    assert failing.keys() >= STATE_SHAPE
    assert failing["evidence"].keys() >= {"attempts", "failures", "recovered", "in_place", "censored"}
    assert failing["rules"][0].keys() >= RULE_SHAPE
    assert failing["rules"][0]["p_recover"].keys() == {"mean", "low", "high"}
    assert failing["saves"]["hours_per_100_builds"].keys() == {"mean", "low", "high"}


def test_an_empty_history_recommends_nothing() -> None:
    """Before the first build there is an answer too: an empty one."""
    advice = recommend(attempts())

    assert (advice.builds, advice.states, advice.since) == (0, (), None)


def test_a_state_that_never_failed_has_nothing_to_learn_from() -> None:
    """No failures, no rule: collect, and say so."""
    state = recommend(attempts(Telling().completes(5).completes(20))).states[0]

    assert (state.action, state.rules) == ("collect", ())
    assert "not failed" in state.why


def test_late_failures_that_pass_are_retried() -> None:
    """A state hours into the build whose failures pass at the next attempt is worth a retry in place."""
    advice = recommend(lives(network(65)))

    assert rule(advice, 65).action == "retry"
    assert rule(advice, 65).on == ("network",)
    assert rule(advice, 65).signatures == ("net.timeout",)
    saved = next(state for state in advice.states if state.code == 65).saves.hours_per_100_builds
    assert 0 < saved.low < saved.mean < saved.high


def test_early_failures_that_take_long_are_started_over() -> None:
    """Where the way back is nothing, an attempt in place saves nothing."""
    advice = recommend(lives(network(5, fails_after=1700.0), delay=1.0))

    assert rule(advice, 5).action in {"start-over", "collect"}
    assert rule(advice, 5).max_attempts == 1


def test_what_never_passes_is_never_retried() -> None:
    """Failures that came back after every start-over are not retried, whatever their message says."""
    advice = recommend(lives(network(65, "stuck", 0.15, fails_after=1000.0)))

    assert rule(advice, 65).action != "retry"


def test_a_dirty_place_is_started_over() -> None:
    """What passes after a start-over and never in place is not retried in place, once both were seen."""
    advice = recommend(lives(network(40, "dirty", fails_after=2000.0), builds=300, in_place=0.3))

    assert rule(advice, 40).action == "start-over"


def test_the_class_dirty_is_believed_without_a_retry_in_place() -> None:
    """Start-overs flatter failures of class `dirty`; without a retry in place the class is enough of a warning."""
    mode = Mode(20, "dirty", 0.2, "disk.lock", "dirty", "lock file exists")

    assert rule(recommend(lives(mode)), 20).action != "retry"


def test_outages_are_waited_for() -> None:
    """Where other builds fail alike for a while and then pass again, the retry waits instead of hammering."""
    mode = network(65, "outage", 0.15, outage=1500.0, fails_after=20.0)
    advice = rule(recommend(lives(mode, builds=400, spacing=600.0)), 65)

    assert advice.action == "retry"
    assert sum(min(advice.wait * advice.factor**turn, advice.max_wait) for turn in range(advice.max_attempts - 1)) > 600


def test_a_retry_gains_nothing_from_what_people_repair() -> None:
    """Where builds pass because somebody repaired them, waiting in place would not have repaired anything."""
    stuck = Mode(65, "stuck", 0.15, "http.503", "unavailable", "HTTP 503", fails_after=30.0)
    advice = rule(recommend(live(World("image", STATES, (stuck,), vain=1, repaired=1.0), 200, 3)), 65)

    assert advice.action != "retry"


def test_what_stays_until_repaired_is_not_tried_as_a_cheap_lottery() -> None:
    """A persistent class that hardly ever passes is not retried, however little an attempt costs."""
    mode = Mode(65, "random", 0.15, "ansible.undefined", "config", "undefined", recovers=0.2, fails_after=5.0)

    assert rule(recommend(lives(mode)), 65).action != "retry"


def test_a_misleading_class_is_overruled_by_its_own_record() -> None:
    """What is called config and passes nearly always at the next attempt is retried, once that was seen often."""
    mode = Mode(65, "random", 0.15, "config.missing", "config", "no such file", recovers=0.95)

    assert rule(recommend(lives(mode, builds=400)), 65).action == "retry"


def test_the_savings_of_all_states_are_less_than_the_failures_cost() -> None:
    """Nobody saves more than was lost: waiting and ways back, and failing again."""
    modes = (network(40), network(20, "outage", 0.1), Mode(65, "stuck", 0.15, "config.syntax", "config", "syntax"))
    for builds in (40, 150):
        frame = lives(*modes, builds=builds, delay=5400.0)
        told = episodes(frame).with_columns(begins())
        again = pl.when("begins").then(0.0).otherwise("own")
        lost = told.select((pl.col("waited") + pl.col("lead")).fill_null(0.0).sum() + again.sum()).item() / 36 / builds
        saved = sum(state.saves.hours_per_100_builds.mean for state in recommend(frame).states)

        assert 0 < saved < lost


def test_the_rest_of_a_class_is_retried_when_all_that_was_seen_of_it_is() -> None:
    """A new kind of network failure is tried again where those that were seen pass; one of the configuration is not."""
    state = next(state for state in recommend(lives(network(65))).states if state.code == 65)

    assert [(each.on, each.signatures, each.failures > 0) for each in state.rules] == [
        (("network",), ("net.timeout",), True),
        (("network",), (), False),
    ]
    misled = Mode(65, "random", 0.15, "config.missing", "config", "no such file", recovers=0.95)
    told = next(state for state in recommend(lives(misled, builds=400)).states if state.code == 65)
    assert [each.signatures for each in told.rules] == [("config.missing",)]


def test_many_retries_need_many_occasions() -> None:
    """After a handful of occasions a second and third attempt are enough."""
    assert rule(recommend(lives(network(65), builds=20)), 65).max_attempts <= 4


def test_hardly_any_evidence_collects() -> None:
    """One failure of what does not pass by itself decides nothing; the sentence says how many more would."""
    killed = Telling("b").completes(5, 3600).fails(20, "proc.killed", failure_class="killed").starts_over()
    advice = rule(recommend(attempts([killed.completes(5, 3600).completes(20)])), 20)

    assert advice.action == "collect"
    assert "more failure" in advice.why


def test_one_failure_that_passed_is_enough_where_the_class_passes_by_itself() -> None:
    """A mirror that was away once, far from the first state, is worth a retry from then on."""
    assert rule(recommend(attempts(told_again([True]))), 20).action == "retry"
    assert rule(recommend(attempts(told_again([False]))), 20).action != "retry"


def test_broad_words_do_not_make_a_failure_persistent() -> None:
    """What no rule of its own knows is judged by its outcomes, though its words sound like a lasting fault."""
    advice = rule(recommend(lives(Mode(65, "random", 0.2, None, None, "E{n} guest agent not found"))), 65)

    assert (advice.on, advice.action) == (("config",), "retry")
    assert advice.signatures[0].startswith("tmpl.")


def test_what_is_used_up_is_not_retried_in_place_before_it_was_seen_to_help() -> None:
    """Starting over clears up a full disk; that says nothing of a retry beside what filled it."""
    full = Mode(65, "dirty", 0.2, "disk.full", "resource", "no space left on device", recovers=0.95)

    assert rule(recommend(lives(full)), 65).action != "retry"


def test_a_hold_says_how_soon_somebody_has_to_look() -> None:
    """Whether stopping pays depends on people, so the sentence names the time at which it no longer does."""
    stuck = Mode(65, "stuck", 0.15, "config.syntax", "config", "syntax error in role")
    told = rule(recommend(lives(stuck), prices=Prices(response_hours=0.5, response_told=True)), 65)

    assert told.action == "hold"
    assert "That pays while somebody does within" in told.why


def test_failures_without_a_class_are_judged_by_their_own_outcomes() -> None:
    """A message that no rule knows gets a rule for its own signature, and counts as unclassified."""
    advice = recommend(lives(Mode(65, "random", 0.2, None, None, "E{n} vmforge broker lost", recovers=0.9)))

    assert rule(advice, 65).action == "retry"
    assert rule(advice, 65).on == ("unknown",)
    assert rule(advice, 65).signatures[0].startswith("tmpl.")
    assert advice.unclassified.share == 1.0


@pytest.mark.parametrize("message", ["Connection timed out", "E7713 vmforge broker handshake lost"])
def test_a_rule_learnt_from_a_message_speaks_for_the_same_message(tmp_path: Path, message: str) -> None:
    """Events without class and signature are classified as a live failure is, so what is learnt there fires here."""
    told = lives(Mode(65, "random", 0.3, None, None, message, recovers=0.9), builds=60)
    keys = ["build", "pipeline", "run", "state", "attempt", "status", "duration", "error"]
    told.select(*keys, pl.col("ended").dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").alias("ts")).write_ndjson(
        tmp_path / "events.jsonl"
    )
    with History.open(tmp_path / "events.jsonl", tmp_path / "cache") as history:
        learnt = rule(recommend(history.attempts().collect()), 65)
    live_failure = Classifier().classify(message.encode())

    assert learnt.action == "retry"
    assert (learnt.on, learnt.signatures) == ((live_failure.failure_class,), (live_failure.signature,))


def test_twenty_failures_in_one_outage_are_one_piece_of_evidence() -> None:
    """The interval after one incident of twenty builds is as wide as little evidence makes it."""
    apart = recommend(attempts(told_again([True] * 20)))
    crowd = [Telling(f"b-{number:03d}", at=float(number)).completes(5, 3600).fails(20) for number in range(20)]
    together = recommend(attempts([build.starts_over(7200).completes(5, 3600).completes(20) for build in crowd]))

    def width(advice: Recommendation) -> float:
        return rule(advice, 20).p_recover.high - rule(advice, 20).p_recover.low

    assert next(state for state in together.states if state.code == 20).evidence.incidents == 1
    assert width(together) > 1.5 * width(apart)


@worth(10)
@given(st.lists(st.booleans(), min_size=1, max_size=12), st.integers(0, 12))
def test_a_success_never_lowers_the_chance_of_recovery(outcomes: list[bool], place: int) -> None:
    """One more failure that recovered, whenever it did, makes recovery no less likely."""
    more = [*outcomes[:place], True, *outcomes[place:]]
    before, after = (recommend(attempts(told_again(told))) for told in (outcomes, more))

    assert rule(after, 20).p_recover.mean >= rule(before, 20).p_recover.mean


@worth(4)
@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_and_the_names_of_builds_change_nothing(chance: st.DataObject) -> None:
    """Independent builds can be told in any order and under any names."""
    frame = lives(network(40), Mode(65, "stuck", 0.1, None, None, "E{n} broke"), builds=60)
    names = frame["build"].unique().sort().to_list()
    others = names[:]
    chance.shuffle(others)  # type: ignore[attr-defined]
    renamed = frame.with_columns(pl.col("build").replace(dict(zip(names, others, strict=True))))

    assert recommend(renamed.sample(fraction=1.0, shuffle=True, seed=5)) == recommend(frame)


@worth(4)
@given(st.integers(1, 9), st.integers(0, 50))
def test_state_codes_are_only_names(factor: int, shift: int) -> None:
    """Codes only have to grow: other codes in the same order give the same advice."""
    frame = lives(network(40), network(65, "outage", 0.1), builds=60)
    recoded = recommend(frame.with_columns(pl.col("state") * factor + shift))

    def advice(told: Recommendation) -> list[object]:
        return [(state.rules, state.evidence, state.saves) for state in told.states]

    assert advice(recoded) == advice(recommend(frame))


def test_what_comes_later_is_not_looked_at() -> None:
    """Asked as of a moment, the recommendation knows nothing of what came after."""
    builds = told_again([True, True, False])
    then = datetime.fromtimestamp(NOON / 1000, UTC) + timedelta(days=1.5)

    assert recommend(attempts(builds), now=then).shape() == recommend(attempts(builds[:2])).shape()


def test_prices_decide() -> None:
    """Where only machine hours count, nobody waits with a machine in hand for what starts over for free."""
    frame = lives(network(40, fails_after=2300.0), delay=7200.0)
    hurried = recommend(frame, prices=Prices(hour_to_green=1.0, machine_hour=0.0))
    thrifty = recommend(frame, prices=Prices(hour_to_green=0.0, machine_hour=1.0, attention=1000.0))

    def saved(told: Recommendation) -> float:
        return sum(state.saves.hours_per_100_builds.mean for state in told.states)

    assert saved(hurried) >= saved(thrifty)


def test_other_pipelines_lend_and_do_not_meddle() -> None:
    """The recommendation of a pipeline counts its own builds, and names its own states only."""
    ours = lives(network(40), builds=80)
    theirs = lives(network(20), builds=80, seed=4).with_columns(pl.lit("other").alias("pipeline"))
    advice = recommend(pl.concat([ours, theirs]), pipeline="image")

    assert advice.builds == 80
    assert [state.code for state in advice.states if state.rules] == [40]


@pytest.mark.parametrize("code", [20, 40])
def test_durations_of_successes_suggest_a_time_limit(code: int) -> None:
    """The limit spares every success that was seen, and is of the order of what they took."""
    advice = next(state for state in recommend(lives(network(40))).states if state.code == code)

    assert advice.timeout is not None
    assert advice.timeout.would_have_cut == 0
    assert dict(STATES)[code] < advice.timeout.seconds < 5 * dict(STATES)[code]
