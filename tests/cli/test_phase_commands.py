"""`toolkit phase`: the change of phase, judged, written and remembered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.transcripts import Shell

PACING = "at most 3 attempts, the first wait is up to 30s, for no longer than 2h; then start-over"

FILE = """# our image
phase = "track-only"   # for now

[[states]]
code = 5
strategy = "expensive"
"""


def test_moving_up_asks_for_evidence(shell: Shell) -> None:
    """Without recorded builds the phase is not changed; `--force` does it and is remembered, comments are kept."""
    (shell.folder / "toolkit.toml").write_text(FILE)
    code, _, error = shell.run("phase", "set", "selective-retry")
    assert code == 6
    assert "not ready" in error
    assert (shell.folder / "toolkit.toml").read_text() == FILE
    assert shell.run("phase", "set", "2", "--force", "-m", "trying it")[0] == 0
    assert (shell.folder / "toolkit.toml").read_text() == FILE.replace("track-only", "selective-retry")
    shown = shell.json("phase", "show")
    assert (shown["phase"], shown["why"]) == ("selective-retry", "trying it")
    changes = shell.json("phase", "history")["changes"]
    assert [(each["before"], each["phase"], each["forced"]) for each in changes] == [
        ("track-only", "selective-retry", True)
    ]
    assert shell.json("phase", "rollback")["phase"] == "track-only"
    code, _, error = shell.run("phase", "rollback")
    assert (code, error.splitlines()[0]) == (6, "error: the last change was taken back already")
    assert shell.json("phase", "show")["phase"] == "track-only"


def test_single_states_may_go_ahead(shell: Shell) -> None:
    """A phase can be set for some states only."""
    (shell.folder / "toolkit.toml").write_text(FILE)
    assert shell.run("phase", "set", "selective-retry", "--states", "5,20-30", "--force")[0] == 0
    shown = shell.json("phase", "show")
    assert shown["phase"] == "track-only"
    assert list(shown["states"].values()) == ["selective-retry"]
    assert shell.run("phase", "set", "track-only")[1] == "phase track-only -> track-only, for all states\n"
    assert shell.json("phase", "show")["states"] == {}


def test_which_rule_would_answer(shell: Shell) -> None:
    """`phase explain` shows what each phase would do about a failure, and why."""
    (shell.folder / "toolkit.toml").write_text(FILE)
    out = shell.run("phase", "explain", "--state", "5", "--failure", "net.timeout")[1]
    assert out.splitlines() == [
        "state 5: net.timeout is network (transient)",
        "",
        "* track-only       stop        track-only lets every failure through, as it would be without us",
        "  selective-retry  retry       net.timeout is worth another attempt: strategy.expensive",
        f"{PACING:>118}",
        "  full-resume      retry       net.timeout is worth another attempt: strategy.expensive",
        f"{PACING:>118}",
        "",
        "RULE                         WHAT IT SAYS",
        "strategy.expensive  decides  retries transient",
    ]


def test_every_rule_says_why(shell: Shell) -> None:
    """`phase explain` goes through all rules in their order; own failure rules give their signatures a class."""
    (shell.folder / "toolkit.toml").write_text(
        'phase = "selective-retry"\n[[states]]\ncode = 20\n'
        '[[policy]]\nid = "early"\nstates = "5"\non = ["network"]\n'
        '[[policy]]\nid = "broker"\nsignatures = ["forge.broker"]\naction = "hold"\n'
        '[[rules]]\nid = "forge.broker"\nclass = "network"\nmatch = \'E7713 broker\'\n'
    )
    told = shell.json("phase", "explain", "--state", "20", "--failure", "forge.broker")
    assert (told["class"], told["group"]) == ("network", "transient")
    assert [(each["phase"], each["action"], each["rule"]) for each in told["phases"]] == [
        ("track-only", "stop", None), ("selective-retry", "hold", "broker"), ("full-resume", "hold", "broker"),
    ]  # fmt: skip
    assert told["rules"] == [
        {"id": "early", "speaks": False, "why": "is about states 5"},
        {"id": "broker", "speaks": True, "why": "holds forge.broker"},
    ]


def twelve_builds(shell: Shell) -> None:
    """Record builds of a project that configures nothing; every other one started over once, from the network."""
    (shell.folder / "toolkit.toml").write_text('phase = "track-only"\n[pipeline]\nname = "image"\n')
    lines = []
    for number in range(12):
        attempts = [("failed", "02"), ("completed", "03")] if number % 2 else [("completed", "02")]
        for run, (ended, hour) in enumerate(attempts, 1):
            told = {"build": f"x-{number}", "pipeline": "image", "state": 5, "run": run, "attempt": run}
            begun = f"2026-03-{number + 1:02}T{int(hour) - 1:02}:30:00Z"
            why = {"class": "network", "signature": "net.timeout", "exit_code": 28} if ended == "failed" else {}
            lines.append(json.dumps({**told, "status": "started", "ts": begun}))
            lines.append(json.dumps({**told, "status": ended, "ts": f"2026-03-{number + 1:02}T{hour}:00:00Z", **why}))
    (shell.folder / "old.jsonl").write_text("\n".join(lines) + "\n")
    assert shell.run("import", "old.jsonl")[0] == 0


def test_a_policy_is_previewed_from_a_file(shell: Shell) -> None:
    """What a changed copy of toolkit.toml would have brought is told without changing anything."""
    twelve_builds(shell)
    tried = shell.folder / "tried.toml"
    tried.write_text('[[policy]]\nid = "try"\non = ["network"]\nmax_attempts = 2\n')

    plain = shell.json("phase", "preview", "selective-retry")
    other = shell.json("phase", "preview", "--policy", "tried.toml")

    assert (plain["phase"], plain["retries"], plain["builds"]) == ("selective-retry", 0, 12)
    assert (other["phase"], other["retries"], other["builds"]) == ("selective-retry", 6, 12)
    assert other["start_overs"]["replayed"]["mean"] < plain["start_overs"]["replayed"]["mean"]
    asked = "No strategy or rule would have acted; `toolkit recommend` says which are worth having.\n"
    assert shell.run("phase", "preview", "selective-retry")[1].endswith(asked)
    assert asked not in shell.run("phase", "preview", "--policy", "tried.toml")[1]
    assert shell.run("phase", "preview")[0] == 2
    tried.write_text("[[policy]]\nid = 3\n")
    code, _, error = shell.run("phase", "preview", "--policy", "tried.toml")
    assert code == 3
    assert error.startswith("error: tried.toml:2: policy.id")


def test_rules_that_were_applied_count_for_states_that_only_the_script_names(shell: Shell) -> None:
    """What `recommend --apply` wrote is what readiness asks for, whether or not toolkit.toml lists the state."""
    twelve_builds(shell)

    def configured() -> bool:
        checks = json.loads(shell.run("phase", "ready", "2", "--json")[1])["checks"]
        return next(bool(each["ok"]) for each in checks if each["name"] == "configuration")

    assert not configured()
    code, out, _ = shell.run("recommend", "--apply")
    assert code == 0
    assert out.endswith("\nsee what they would have brought: `toolkit phase preview selective-retry`\n")
    assert configured()


def test_a_phase_in_which_nothing_would_act_says_so(shell: Shell) -> None:
    """Selective retry without any strategy or rule starts everything over; who turns it on is told what is missing."""
    (shell.folder / "toolkit.toml").write_text('phase = "track-only"\n[pipeline]\nname = "image"\n')
    code, out, error = shell.run("phase", "set", "2", "--force", "--states", "5", "--share", "20%")
    assert (code, out) == (0, "phase track-only -> selective-retry for states 5, 20% of the builds follow it\n")
    assert error.startswith("hint: No state has a strategy and there is no rule yet")

    (shell.folder / "toolkit.toml").write_text(FILE)
    assert shell.run("phase", "set", "2", "--force")[::2] == (0, "")


def test_every_command_about_a_project_may_be_told_of_a_store(shell: Shell) -> None:
    """`--store` may always be given beside `--project`, also where the history has nothing to say."""
    where = ("--project", ".", "--store", "sqlite:///elsewhere.db")
    assert shell.run("init", *where)[0] == 0
    assert shell.run("phase", "explain", "--state", "5", "--failure", "net.timeout", *where)[0] == 0
    assert not (shell.folder / "elsewhere.db").exists()


def test_a_preview_wants_to_know_of_what(shell: Shell) -> None:
    """Neither a phase nor a policy is a mistake; a policy alone is replayed under selective-retry, as the help says."""
    assert shell.run("run", "--", "true")[0] == 0
    (shell.folder / "toolkit.toml").write_text(FILE)
    assert shell.run("phase", "preview")[0] == 2
    assert shell.json("phase", "preview", "--policy", "toolkit.toml")["phase"] == "selective-retry"


def test_applying_a_recommendation_can_be_read_by_a_script(shell: Shell) -> None:
    """`recommend --apply --json` prints the recommendation and the ids of the rules written, and nothing else."""
    (shell.folder / "toolkit.toml").write_text(FILE)
    (shell.folder / "build.sh").write_text("echo '::state 5 started::'; echo 'curl: (28) timed out'; exit 28\n")
    assert shell.run("run", "--", "sh", "build.sh")[0] == 28
    advice = shell.json("recommend", "--apply")
    assert advice["applied"]
    for rule in advice["applied"]:
        assert f'id = "{rule}"' in (shell.folder / "toolkit.toml").read_text()
    assert [each["code"] for each in advice["states"]] == [5]
