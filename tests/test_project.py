"""A project is what its toolkit.toml says, found from anywhere below it and read in no time when nothing changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from toolkit.core.codes import parse_codes
from toolkit.core.pipeline import PipelineConfig, StateConfig
from toolkit.core.policy import BUILT_IN, Budget, Policy, RetryRule, Strategy
from toolkit.errors import ConfigurationError
from toolkit.project import (
    FailureRule,
    Project,
    check_project,
    find_project,
    load_project,
    store_url,
    with_policy,
)

FULL = """\
phase = "2"
share = "20%"

[phases]
5-10 = "full"

[rest]
phase = "track"
phases = { 70 = "selective" }

[pipeline]
name = "golden-image"
link_window = "2h"
never_resume = ["channel=release"]

[[states]]
code = 5
name = "kickstart"
marker = '^Starting install'
timeout = "45m"
inputs = ["ks.cfg"]

[[states]]
code = "10-65"
name = "ansible"
strategy = "quick"

[strategies.quick]
max_attempts = 2

[strategies.night]
on = ["infrastructure"]
wait = "1h"
max_wait = "2h"

[[policy]]
id = "r"
states = "5"
on = ["network"]
signatures = ["net.timeout"]
max_attempts = 4

[[rules]]
id = "vmforge.broker"
class = "network"
match = "E7713 broker handshake lost"
states = "10-65"
exit_codes = [70]

[budget]
breaker = 0

[notify]
command = "./tell"
on = ["hold"]

[redact]
patterns = ["tok_[a-z]+"]

[prices]
attention = 2
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "toolkit.toml").write_text(FULL)
    return tmp_path


def test_everything_a_file_can_say(directory: Path) -> None:
    """Each table of the file becomes the value that decides, runs or reports."""
    project = load_project(str(directory))

    assert (project.phase, project.share, project.rest_phase) == ("selective-retry", 0.2, "track-only")
    assert [project.phase_at(code) for code in (5, 70)] == ["full-resume", "selective-retry"]
    assert [project.phase_at(code, rest=True) for code in (5, 70)] == ["track-only", "selective-retry"]
    assert project.pipeline == PipelineConfig(
        name="golden-image", link_window=7200.0, never_resume=("channel=release",)
    )
    assert project.states[0] == StateConfig(
        code=5, name="kickstart", marker="^Starting install", marker_hints=("starting install",), timeout=2700.0,
        inputs=("ks.cfg",),
    )  # fmt: skip
    assert project.strategies == {
        **BUILT_IN,
        "quick": BUILT_IN["quick"].but(max_attempts=2),
        "night": Strategy(name="night", on=("infrastructure",), wait=3600.0, max_wait=7200.0),
    }
    assert project.policy.rules == (
        RetryRule(id="r", states=parse_codes("5"), on=("network",), signatures=("net.timeout",), max_attempts=4),
    )
    assert project.budget == Budget(breaker=0)
    assert project.rules == (
        FailureRule(
            id="vmforge.broker", failure_class="network", match="E7713 broker handshake lost",
            states=parse_codes("10-65"), exit_codes=(70,),
        ),
    )  # fmt: skip
    assert project.rules[0].rule().states == "10-65"
    assert (project.notify.command, project.notify.on) == ("./tell", ("hold",))
    assert project.redact.patterns == ("tok_[a-z]+",)
    assert (project.prices.hour_to_green, project.prices.attention) == (1.0, 2)


def test_read_twice_is_read_alike(directory: Path) -> None:
    """What is remembered of a file is exactly what the file says."""
    first = load_project(str(directory))

    assert [path.name for path in (directory / ".toolkit" / "cache").iterdir()] != []
    assert load_project(str(directory)) == first


def test_states_that_share_an_entry(directory: Path) -> None:
    """A range configures every state in it; a state nobody configured has the defaults and the build's own name."""
    project = load_project(str(directory))

    assert project.state(20) == StateConfig(code=20, name="ansible", strategy="quick")
    assert project.state(20, "base").name == "base"
    assert project.state(90, "boot") == StateConfig(code=90, name="boot")
    assert project.state(5, "other").name == "kickstart"


def test_without_a_file_all_is_default(tmp_path: Path) -> None:
    """A directory without toolkit.toml is a project too: it tracks, and its pipeline is named after it."""
    folder = tmp_path / "golden"
    folder.mkdir()
    project = load_project(str(folder))

    assert project == Project(directory=str(folder), pipeline=PipelineConfig(name="golden"), policy=Policy())
    assert (project.phase, project.file, list(folder.iterdir())) == ("track-only", None, [])


def test_found_from_below(directory: Path) -> None:
    """The nearest toolkit.toml upwards is the project's; above it there is none."""
    below = directory / "a" / "b"
    below.mkdir(parents=True)

    assert find_project(str(below)) == str(directory)
    assert find_project(str(directory.parent)) is None


def test_the_history_lies_beside_the_project(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The option has the first word about the store, then the environment, then the project's own directory."""
    project = load_project(str(directory))
    here = store_url(project)
    monkeypatch.setenv("TOOLKIT_STORE", "postgresql://db/history")

    assert here == f"sqlite:///{directory}/.toolkit/history.db"
    assert store_url(project) == "postgresql://db/history"
    assert store_url(project, "sqlite:////tmp/h.db") == "sqlite:////tmp/h.db"


def test_a_wrong_file_is_refused(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading names the first fault with its remedy, and how many more there are."""
    (directory / "toolkit.toml").write_text("shar = 1\n[pipeline]\nrestarts = -1\n")
    monkeypatch.chdir(directory)
    with pytest.raises(ConfigurationError) as refused:
        load_project(str(directory))

    assert str(refused.value) == "toolkit.toml:1: shar: unknown key (and 1 more: `toolkit check` tells all)"
    assert refused.value.hint == "Did you mean share?"
    assert len(check_project(str(directory))) == 2


def test_no_file_to_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checking what is not there says how to make it."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=r"there is no toolkit\.toml") as refused:
        check_project(str(tmp_path))

    assert refused.value.hint == "Write one with `toolkit init`."


def test_an_unreadable_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A toolkit.toml that is no file is told as such, not passed over."""
    (tmp_path / "toolkit.toml").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=r"cannot read toolkit\.toml: Is a directory"):
        load_project(str(tmp_path))


def test_a_policy_of_its_own(tmp_path: Path) -> None:
    """Rules, strategies and budget can come from another file, to be tried out."""
    file = tmp_path / "other.toml"
    file.write_text("[[policy]]\nid = 'r'\non = ['network']\n[budget]\nattempts_per_build = 3\n")

    project = load_project(str(tmp_path)).but(states=(StateConfig(code=5),))

    tried = with_policy(project, str(file))

    assert tried.policy == Policy(rules=(RetryRule(id="r", on=("network",)),), budget=Budget(attempts_per_build=3))
    assert tried.states == project.states
    file.write_text("[[states]]\ncode = 7\nstrategy = 'expensive'\n")
    assert [each.code for each in with_policy(project, str(file)).states] == [7]


@pytest.mark.parametrize("junk", ["", "[]", "{", '{"states": [{"nope": 1}]}', '{"phases": {"x": "y"}}'])
def test_a_damaged_cache_is_not_believed(directory: Path, junk: str) -> None:
    """What is remembered is only a shortcut: when it makes no sense, the file is read again."""
    wanted = load_project(str(directory))
    kept = next((directory / ".toolkit" / "cache").iterdir())
    kept.write_text(junk)

    assert load_project(str(directory)) == wanted
    assert kept.read_text() != junk


def test_only_the_latest_form_is_kept(directory: Path) -> None:
    """A changed file replaces what was remembered of the one before; both are readable by their owner alone."""
    load_project(str(directory))
    (directory / "toolkit.toml").write_text('phase = "track-only"\n')
    load_project(str(directory))
    kept = list((directory / ".toolkit" / "cache").iterdir())

    assert len(kept) == 1
    assert kept[0].stat().st_mode & 0o777 == 0o600
    assert (directory / ".toolkit" / ".gitignore").read_text() == "*\n"


def test_a_read_only_project_is_read_all_the_same(directory: Path) -> None:
    """Where nothing can be remembered, everything still works."""
    (directory / ".toolkit").write_text("in the way")

    assert load_project(str(directory)).phase == "selective-retry"


def test_an_unchanged_file_needs_no_parser(directory: Path) -> None:
    """Once checked, a configuration is loaded without a TOML parser and without a validation library."""
    load_project(str(directory))
    program = (
        "import sys; from toolkit.project import load_project; load_project(sys.argv[1]);"
        "print(sorted({'tomllib', 'pydantic', 'tomlkit', 'hashlib', 'pathlib', 'dataclasses'} & sys.modules.keys()))"
    )
    root = str(Path(__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "-S", "-c", program, str(directory)],
        env={**os.environ, "PYTHONPATH": root}, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stdout == "[]\n"
