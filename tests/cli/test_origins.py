"""How a build came to be: why states ran or did not, what was tried again, and the statement about it."""

from __future__ import annotations

import hashlib
import json
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.kinds import CODES, KINDS, Build

if TYPE_CHECKING:
    from pathlib import Path

    from tests.transcripts import Shell

STATES = {code: f'inputs = ["in-{code}"]\noutputs = ["out-{code}"]\n' for code in CODES}


@pytest.fixture(params=KINDS)
def build(request: pytest.FixtureRequest, tmp_path: Path) -> Build:
    """A build of each kind whose states declare what they are made from and what they make."""
    made = Build(tmp_path, request.param)
    made.configure(STATES)
    for code in CODES:
        (tmp_path / f"in-{code}").write_text(f"for {code}\n")
    return made


def test_why_says_afterwards_what_the_plan_said_before(build: Build) -> None:
    """Field by field, for each state: what was reused, what ran, and the reason."""
    build.fails_at(100)
    (build.folder / "in-40").write_text("changed\n")
    (build.folder / "out-20").unlink()
    plan = {each["code"]: (each["action"], each["why"]) for each in build.shell.json("plan")["states"]}
    assert plan[5][0] == "reuse"
    assert plan[20] == ("run", "outputs: out-20 missing")
    assert build.resume()[0] == 0

    told = build.shell.json("why")
    assert told["run"] == 2
    why = {each["code"]: (each["action"], each["why"]) for each in told["states"]}
    assert why[5] == plan[5]
    if build.kind != "marked":
        assert why[20] == plan[20]
        assert why[40][1].startswith("state 20 before it ran")
    assert {code: action for code, (action, _) in why.items()} == {5: "reuse", 20: "run", 40: "run", 100: "run"}
    assert "run      20 s20" in build.shell.run("why")[1]


def test_completed_after_retry_is_never_plain_success(build: Build) -> None:
    """Wherever a status is told, a build that failed on its way is told apart."""
    assert build.run()[0] == 0
    build.ran()
    build.fails_at(40, "--build", "new")
    assert build.resume()[0] == 0

    assert [each["afterRetry"] for each in build.shell.json("builds")["builds"]] == [False, True]
    assert build.shell.json("status")["afterRetry"] is True
    assert build.shell.run("builds")[1].count("completed after retry") == 1
    assert "status   completed after retry" in build.shell.run("status")[1]
    assert "is completed after retry" in build.shell.run("why")[1]


def test_provenance(build: Build) -> None:
    """A finished build says state by state what was run, retried, reused or skipped, where, and made from what."""
    build.fails_at(40)
    assert build.resume()[0] == 0
    statement = build.shell.json("status", "--provenance")

    assert (statement["_type"], statement["predicateType"]) == (
        "https://in-toto.io/Statement/v1", "https://slsa.dev/provenance/v1",
    )  # fmt: skip
    made = {each["name"]: each["digest"] for each in statement["subject"]}
    assert made["out-5"] == {"sha256": hashlib.sha256(b"for 5\n").hexdigest()}
    definition, details = statement["predicate"]["buildDefinition"], statement["predicate"]["runDetails"]
    assert {each["name"] for each in definition["resolvedDependencies"]} >= {"in-5", "in-20", "in-40"}
    assert definition["externalParameters"]["pipeline"] == "image"
    assert details["metadata"]["invocationId"] == "b-0001/2"
    assert details["metadata"]["toolkit_status"] == "completed after retry"
    states = {each["code"]: each for each in details["toolkit_states"]}
    outcomes = {code: (each["outcome"], each["failures"]) for code, each in states.items()}
    assert outcomes == {5: ("reused", 0), 20: ("reused", 0), 40: ("retried", 1), 100: ("run", 0)}
    assert states[5]["why"] == "completed in attempt 1: inputs and outputs unchanged"
    assert states[5]["run"] == 1
    assert states[40]["failed"][0]["attempt"] == 1
    assert states[40]["inputs"].startswith("v1:")
    assert states[40]["host"]
    out = build.shell.run("status", "--provenance")[1]
    assert out.startswith("b-0001 completed after retry, in 2 runs\n")


def test_provenance_of_what_was_done_by_hand(build: Build) -> None:
    """A state that a person declared done is told as that, with the reason, and with what had failed before."""
    build.fails_at(40)
    (build.folder / "out-40").write_text("made by hand\n")
    build.shell.run("skip", "b-0001", "--state", "40", "-m", "done on the machine")
    assert build.resume()[0] == 0

    details = build.shell.json("status", "--provenance")["predicate"]["runDetails"]
    assert {each["code"]: each["outcome"] for each in details["toolkit_states"]} == {
        5: "reused", 20: "reused", 40: "skipped", 100: "run",
    }  # fmt: skip
    assert (details["toolkit_states"][2]["why"], details["toolkit_states"][2]["failures"]) == ("done on the machine", 1)


def test_probes_and_ages(build: Build) -> None:
    """A `revalidate` that fails, or a state older than its `max_age`, is not reused, and the plan says so."""
    build.configure({**STATES, 20: STATES[20] + 'revalidate = "[ -e vm-is-up ] || { echo no answer; false; }"\n'})
    (build.folder / "vm-is-up").touch()
    build.fails_at(40)
    assert build.actions() == {5: "reuse", 20: "reuse", 40: "run", 100: "run"}
    (build.folder / "vm-is-up").unlink()
    told = build.shell.json("plan")["states"][1]
    assert told["action"] == "run"
    assert told["why"].startswith("revalidate: `[ -e vm-is-up ]")
    build.configure({**STATES, 5: STATES[5] + 'max_age = "0.01s"\n'})

    assert build.shell.json("plan")["states"][0]["why"].startswith("max_age: it completed ")
    assert build.resume()[0] == 0
    assert build.ran() == [5, 20, 40, 100]


def test_values_are_given_again(tmp_path: Path) -> None:
    """What a reused state gave to the script is set again, whatever it holds; other languages are told it, too."""
    build = Build(tmp_path, "instrumented")
    build.shell.script(
        "build.sh",
        """#!/bin/bash
. "$TOOLKIT_SHELL"
set -e
first() { echo first; state_output ID="it's \\"40\\" \\$HOME" LINES_="one
two"; }
state 5 first -- first
[ ! -e ask ] || toolkit state start 5 --json
echo "$ID|$LINES_"
state 20 second -- test ! -e fail
""",
    )
    (tmp_path / "fail").touch()
    assert build.run()[0] == 1
    (tmp_path / "fail").unlink()

    assert build.resume()[1] == 'it\'s "40" $HOME|one\ntwo\n'


def test_other_languages_are_given_the_values_again(shell: Shell) -> None:
    """Whoever asks by `toolkit state` hears what a reused state once gave, whatever it holds."""
    (shell.folder / "toolkit.toml").write_text('phase = "full-resume"\n')
    shell.script(
        "build.py",
        f"""#!{sys.executable}
import json, os, subprocess, sys

def toolkit(*words):
    said = subprocess.run([sys.executable, "-m", "toolkit", "state", *words, "--json"], capture_output=True, text=True)
    return json.loads(said.stdout)

answer = toolkit("start", "5")
if answer["action"] == "run":
    toolkit("output", "ID=it's \\"40\\" $HOME")
    toolkit("output", "LINES=one\\ntwo")
    toolkit("complete", "5")
else:
    print(json.dumps(answer))
sys.exit(toolkit("start", "20")["attempt"] == 1)
""",
    )
    assert shell.run("run", "--", "./build.py")[0] == 1
    code, out, error = shell.run("resume")

    assert (code, json.loads(out)) == (
        0, {"action": "reuse", "outputs": {"ID": 'it\'s "40" $HOME', "LINES": "one\ntwo"}},
    ), error  # fmt: skip


def test_a_script_that_misses_what_a_reused_state_set_is_told_so(shell: Shell) -> None:
    """Under `set -u` an unset variable ends the script: the message names the state behind which that happened."""
    (shell.folder / "toolkit.toml").write_text('phase = "full-resume"\n')
    text = (
        '#!/bin/bash\n. "$TOOLKIT_SHELL"\nset -eu\none() { id=ami-1; }\nstate 5 one -- one\n'
        'state_output IMAGE_ID="$id"\nstate 20 two -- test "$IMAGE_ID" = "$(cat wanted)"\n'
    )
    shell.script("build.sh", text)
    (shell.folder / "wanted").write_text("other\n")
    assert shell.run("run", "--", "./build.sh")[0] == 1
    (shell.folder / "wanted").write_text("ami-1\n")
    code, _, error = shell.run("resume")

    assert code == 1
    assert error.splitlines()[0].endswith("id: unbound variable")
    assert error.splitlines()[1].startswith("toolkit: warning: the script failed behind state 5, which was reused")
    shell.script("build.sh", text.replace("$id", "${id-}"))
    assert shell.run("resume") == (0, "", "")
