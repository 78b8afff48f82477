"""What a command writes into toolkit.toml stands where a careful person would have put it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toolkit.configure.checking import check
from toolkit.configure.edit import add_rule, apply_rules, duration, set_phase
from toolkit.core.codes import CodeRange, parse_codes
from toolkit.core.moments import parse_duration
from toolkit.core.phase import PHASES
from toolkit.errors import ConfigurationError
from toolkit.project import load_project

if TYPE_CHECKING:
    from pathlib import Path

MINE = """\
# our image
phase = "track-only"  # for now

[pipeline]
name = "golden-image" # the one

[[policy]] # by hand
id = "ours"
on = ["auth"]
action = "hold"

# what we can afford
[budget]
breaker = 3
"""


def advice(*rules: dict[str, Any], code: int = 5) -> dict[str, Any]:
    return {"states": [{"code": code, "why": "kickstart mostly recovers", "rules": list(rules)}]}


def rule(action: str = "retry", on: str = "network", **fields: Any) -> dict[str, Any]:
    shape = {"on": [on], "signatures": [], "action": action, "max_attempts": 3, "wait": 0.0, "factor": 2.0}
    return {**shape, "max_wait": 600.0, "then": "start-over", "why": "80 of 86 recovered", **fields}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "toolkit.toml"
    path.write_text(MINE)
    return path


def test_phase_is_set_in_its_line(file: Path) -> None:
    """Setting the phase changes one word of the file and nothing else."""
    set_phase(str(file), "selective-retry")

    assert file.read_text() == MINE.replace("track-only", "selective-retry")


def test_share_remembers_what_the_rest_follows(file: Path) -> None:
    """With a share, the file says what the other builds follow; without one again, it is as if there never was."""
    set_phase(str(file), "selective-retry", None, 0.2)
    shared = load_project(str(file.parent))
    set_phase(str(file), "selective-retry", None, 0.5)
    wider = load_project(str(file.parent))
    set_phase(str(file), "track-only")

    assert (shared.phase, shared.share, shared.rest_phase) == ("selective-retry", 0.2, "track-only")
    assert (wider.phase, wider.share, wider.rest_phase) == ("selective-retry", 0.5, "track-only")
    assert file.read_text() == MINE


def test_states_get_a_phase_of_their_own(file: Path) -> None:
    """Some states can follow another phase; the latest word about a state counts."""
    set_phase(str(file), "selective-retry", parse_codes("5,10-65"))
    set_phase(str(file), "full-resume", parse_codes("20-30"))
    project = load_project(str(file.parent))

    assert "[phases]\n5,10-65" not in file.read_text()
    assert '[phases]\n"5,10-19,31-65" = "selective-retry"\n20-30 = "full-resume"\n' in file.read_text()
    assert [project.phase_at(code) for code in (0, 5, 19, 20, 30, 31, 70)] == [
        "track-only", "selective-retry", "selective-retry", "full-resume", "full-resume", "selective-retry",
        "track-only",
    ]  # fmt: skip


def test_everybody_means_everybody(file: Path) -> None:
    """A phase without states is everybody's, also of states that had one of their own."""
    set_phase(str(file), "full-resume", parse_codes("5"))
    set_phase(str(file), "selective-retry")

    assert load_project(str(file.parent)).overrides == {}


def test_a_project_without_a_file_gets_one(tmp_path: Path) -> None:
    """Where there is no toolkit.toml, the smallest possible one is written."""
    set_phase(str(tmp_path / "toolkit.toml"), "selective-retry", None, 0.5)

    assert (tmp_path / "toolkit.toml").read_text() == (
        'phase = "selective-retry"\nshare = 0.5 # of the builds; the others follow [rest]\n\n'
        '[rest]\nphase = "track-only"\n'
    )


def test_recommended_rules_stand_behind_ours(file: Path) -> None:
    """Recommended rules come after those of a person, say why they are there, and leave every comment in its place."""
    written = apply_rules(str(file), advice(rule(), rule("hold", "auth"), rule("collect", "test")))
    policy = load_project(str(file.parent)).policy

    assert written == ["learned.5.1", "learned.5.2"]
    assert [each.id for each in policy.rules] == ["ours", "learned.5.1", "learned.5.2"]
    assert (policy.rules[1].max_attempts, policy.rules[1].wait, policy.rules[1].max_wait) == (3, 0.0, 600.0)
    assert '[[policy]]\n# 80 of 86 recovered\nid = "learned.5.1"\nstates = "5"\n' in file.read_text()
    assert 'action = "hold"\n\n# what we can afford\n[budget]\nbreaker = 3\n' in file.read_text()


@pytest.mark.parametrize("before", [MINE, 'phase = "track-only"\n'])
def test_the_next_recommendation_replaces_the_last(file: Path, before: str) -> None:
    """Applying again changes nothing, and a recommendation without rules leaves the file as it was before any."""
    file.write_text(before)
    apply_rules(str(file), advice(rule(), rule("hold", "auth")))
    once = file.read_text()
    apply_rules(str(file), advice(rule(), rule("hold", "auth")))
    twice = file.read_text()
    apply_rules(str(file), advice())

    assert once == twice
    assert file.read_text() == before


def test_rules_in_one_list_become_tables(tmp_path: Path) -> None:
    """A policy that was written as a list of inline tables takes recommended rules as well."""
    file = tmp_path / "toolkit.toml"
    file.write_text('policy = [{ id = "ours", on = ["auth"], action = "hold" }]\n')
    apply_rules(str(file), advice(rule()))

    assert [each.id for each in load_project(str(tmp_path)).policy.rules] == ["ours", "learned.5.1"]


def test_advice_beyond_the_limits_is_brought_within(file: Path) -> None:
    """Whatever evidence recommends, what is written passes the check."""
    apply_rules(str(file), advice(rule(max_attempts=500, wait=900.0, max_wait=600.0, max_elapsed=None, jitter=False)))
    learned = load_project(str(file.parent)).policy.rules[-1]

    assert (learned.max_attempts, learned.wait, learned.max_wait, learned.jitter) == (100, 900.0, 900.0, False)


def test_mode_and_link_are_kept(file: Path, tmp_path: Path) -> None:
    """The file keeps its mode, and a symbolic link still points where it did."""
    file.chmod(0o640)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "toolkit.toml").symlink_to(file)
    set_phase(str(elsewhere / "toolkit.toml"), "full-resume")

    assert (elsewhere / "toolkit.toml").is_symlink()
    assert file.stat().st_mode & 0o777 == 0o640
    assert 'phase = "full-resume"' in file.read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "toolkit.toml"]


def test_a_faulty_file_is_not_touched(file: Path) -> None:
    """Who wants to change a file that is wrong is told what is wrong with it first."""
    file.write_text("phase = \n")

    with pytest.raises(ConfigurationError, match=r"toolkit\.toml:1: not valid TOML"):
        set_phase(str(file), "full-resume")
    assert file.read_text() == "phase = \n"


def test_line_ends_are_kept(file: Path) -> None:
    """A file from Windows stays one."""
    file.write_bytes(MINE.replace("\n", "\r\n").encode())
    set_phase(str(file), "full-resume")

    assert file.read_bytes() == MINE.replace("\n", "\r\n").replace("track-only", "full-resume").encode()


@given(st.integers(0, 10**9))
def test_durations_are_read_back(milliseconds: int) -> None:
    """A written duration is read as what it was, to the millisecond."""
    assert parse_duration(duration(milliseconds / 1000)) == pytest.approx(milliseconds / 1000, abs=5e-4)


ranges = st.lists(st.tuples(st.integers(0, 99), st.integers(0, 20)), min_size=1, max_size=3).map(
    lambda spans: parse_codes(",".join(f"{low}-{low + length}" for low, length in spans))
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.lists(st.tuples(ranges, st.sampled_from(PHASES)), min_size=1, max_size=5))
def test_the_latest_word_counts(file: Path, words: list[tuple[CodeRange, str]]) -> None:
    """However phases of states are set one after the other, each state follows the last that named it."""
    file.write_text(MINE)
    for codes, name in words:
        set_phase(str(file), name, codes)
    project = load_project(str(file.parent))

    assert check(file.read_bytes(), "toolkit.toml")[1] == []
    for code in range(125):
        last = next((name for codes, name in reversed(words) if code in codes), "track-only")
        assert project.phase_at(code) == last


OWN = {"id": "vmforge.broker", "class": "network", "match": r"E\d+ it's \"lost\"", "exit_codes": [70]}


def test_a_failure_rule_joins_the_others(file: Path) -> None:
    """The first rule and the second stand behind what is there, which keeps every byte; both can be read back."""
    add_rule(str(file), OWN)
    add_rule(str(file), {"id": "second", "class": "auth", "match": r"denied \d+"})

    assert file.read_text().startswith(MINE)
    assert r"match = 'denied \d+'" in file.read_text()
    rules = load_project(str(file.parent)).rules
    assert [(each.id, each.match, each.exit_codes) for each in rules] == [
        ("vmforge.broker", OWN["match"], (70,)),
        ("second", r"denied \d+", ()),
    ]


def test_comments_below_a_rule_stay_with_what_they_speak_of(file: Path) -> None:
    """A new rule goes between the last one and the comment of the table behind it."""
    file.write_text('[[rules]]\nid = "a"\nclass = "auth"\nmatch = "x"\n\n# ours\n[budget]\nbreaker = 3\n')

    add_rule(str(file), {"id": "b", "class": "auth", "match": "y"})

    assert file.read_text().endswith("match = 'y'\n\n# ours\n[budget]\nbreaker = 3\n")


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"id": "vmforge.broker"}, "is there already"),
        ({"id": "other", "match": "("}, "rules.match"),
        ({"id": "other", "match": "never", "example": "always"}, "rules.example"),
    ],
)
def test_a_wrong_failure_rule_is_not_written(file: Path, fault: dict[str, Any], told: str) -> None:
    """An id that is taken, or an expression that cannot work: the file stays as it was."""
    add_rule(str(file), OWN)
    before = file.read_text()

    with pytest.raises(ConfigurationError, match=told):
        add_rule(str(file), {"class": "auth", "match": "x", **fault})

    assert file.read_text() == before
