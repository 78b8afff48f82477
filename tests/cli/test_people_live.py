"""A build that needs a person: held with all that it takes, mended, and then let go on, skipped or given up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cli.test_phases_live import HELPER

if TYPE_CHECKING:
    from tests.transcripts import Shell

STATES = """phase = "full-resume"
[[states]]
code = 10
name = "image"
[[states]]
code = 70
name = "tests"
strategy = "manual"
outputs = ["report.xml"]
verify = "grep -q passed report.xml"
access = "ssh root@green"
"""
BUILD = """#!/bin/bash
{helper}state 10 image -- echo building
check() {{ [ -e fixed ] || {{ echo FAILED test_boot; return 4; }}; echo passed > report.xml; }}
state 70 tests -- check
echo shipped
"""


SOON = '[strategies.soon]\non = ["network"]\nwait = "10ms"\n'


def held(shell: Shell) -> str:
    """Run a build into its hold; gives how it is called."""
    (shell.folder / "toolkit.toml").write_text(STATES)
    build = shell.script("build.sh", BUILD.format(helper=HELPER))
    assert shell.run("run", "--", build)[:2] == (4, "building\nFAILED test_boot\n")
    return build


def test_who_waits_for_what_since_when(shell: Shell) -> None:
    """`builds --held` and `status` name state, reason and time; `status` also the way in and what can be done."""
    held(shell)
    hold = shell.json("builds", "--held")["builds"][0]["hold"]
    assert (hold["state"], hold["name"], hold["by"]) == (70, "tests", None)
    assert "calls for a person: strategy.manual" in hold["reason"]
    assert shell.json("status")["hold"] == hold
    since = hold["since"].replace("T", " ")[:19]
    listed = shell.run("builds", "--held")[1]
    told = shell.run("status")[1]
    assert f"70 tests  {since}" in listed
    assert f"held     since {since}: " in told
    for expected in ("logs b-0001 --state 70 --attempt 1", "get in:   ssh root@green", str(shell.folder), "release"):
        assert expected in told


def test_a_build_held_before_its_first_state_is_held_at_state_0(shell: Shell) -> None:
    """The list names state 0 by its code, as any other."""
    (shell.folder / "toolkit.toml").write_text(
        '[pipeline]\nname = "image"\n[[states]]\ncode = 0\nstrategy = "manual"\n'
    )
    assert shell.run("run", "--phase", "selective-retry", "--", "false")[0] == 1
    assert "  0 start  " in shell.run("builds", "--held")[1]


def test_mended_and_released_it_goes_on_where_it_stood(shell: Shell) -> None:
    """Hold, fix, release: the failed state is tried again at once, what was complete is not, and it gets done."""
    held(shell)
    assert shell.run("resume")[0] == 6
    (shell.folder / "fixed").touch()
    assert shell.run("release", "--now", "-m", "key renewed") == (0, "shipped\n", "")
    assert shell.json("status")["status"] == "completed"
    assert [each for each in shell.statuses("b-0001") if each[1] != "started"] == [
        (10, "completed", 1), (70, "failed", 1), (10, "reused", None), (70, "completed", 2),
    ]  # fmt: skip
    assert shell.run("release")[0] == 6


def test_a_state_done_by_hand_is_looked_at_first(shell: Shell) -> None:
    """`skip` wants a reason, the outputs and a content `verify`; it ends the hold, and resume goes on behind."""
    held(shell)
    assert shell.run("skip")[0] == 2
    code, _, error = shell.run("skip", "-m", "by hand")
    assert (code, error.splitlines()[0]) == (6, "error: state 70 is not done: its outputs are missing: report.xml")
    (shell.folder / "report.xml").write_text("failed\n")
    assert "grep -q passed report.xml` ended with 1" in shell.run("skip", "-m", "by hand")[2]
    (shell.folder / "report.xml").write_text("passed\n")
    assert shell.run("skip", "-m", "by hand") == (
        0,
        "b-0001 counts state 70 as done by hand; `toolkit resume` goes on behind it\n",
        "",
    )
    assert shell.json("builds", "--held") == {"builds": []}
    assert (70, "skipped", None) in shell.statuses("b-0001")
    assert shell.run("resume")[:2] == (0, "shipped\n")


def test_a_build_that_is_given_up_is_not_continued(shell: Shell) -> None:
    """After `abandon` nobody waits for anybody, and the next run begins another build."""
    build = held(shell)
    assert shell.run("abandon", "-m", "superseded")[0] == 0
    assert shell.json("builds", "--held") == {"builds": []}
    (shell.folder / "fixed").touch()
    assert shell.run("run", "--", build)[0] == 0
    assert [each["build"] for each in shell.json("builds")["builds"]] == ["b-0001", "b-0002"]


def test_a_build_that_is_given_up_waits_for_nobody(shell: Shell) -> None:
    """What is abandoned is neither held nor skipped: nothing could go on at its release."""
    held(shell)
    assert shell.run("abandon")[0] == 0
    for asked in (("hold", "-m", "looking"), ("skip", "--state", "70", "-m", "by hand")):
        code, _, error = shell.run(*asked)
        assert (code, error.splitlines()) == (
            6,
            [
                "error: build b-0001 is abandoned: nothing of it waits for a person",
                "hint: Begin another with `toolkit run --build new`.",
            ],
        )
    assert shell.json("builds", "--held") == {"builds": []}


def test_a_hold_behind_a_completed_state_advises_what_can_be_done(shell: Shell) -> None:
    """Where a build failed behind a state, nothing is to be skipped, and no older failure's log is what to look at."""
    (shell.folder / "toolkit.toml").write_text(
        'phase = "full-resume"\n[[states]]\ncode = 5\nstrategy = "soon"\n' + SOON
    )
    once = "once() { [ -e tried ] || { touch tried; echo 'curl: (28) Connection timed out'; return 28; }; }\n"
    build = shell.script("build.sh", "#!/bin/bash\n" + HELPER + once + "state 5 first -- once\nexit 3\n")
    assert shell.run("run", "--", build)[0] == 3
    assert shell.run("hold", "-m", "looking")[0] == 0
    told = shell.run("status")[1]
    assert "log:      toolkit logs b-0001\n" in told
    assert "toolkit resume goes on behind state 5" in told
    assert "toolkit skip" not in told
    code, _, error = shell.run("skip", "-m", "by hand")
    assert (code, error.splitlines()) == (
        6,
        [
            "error: state 5 of build b-0001 needs no skipping: it is completed",
            "hint: Name the state that was done by hand: --state CODE.",
        ],
    )


def test_a_person_may_hold_a_build(shell: Shell) -> None:
    """Who is still looking at a failed build keeps it: nothing goes on before the release, and the note is kept."""
    (shell.folder / "toolkit.toml").write_text('phase = "selective-retry"\n')
    assert shell.run("run", "--", "false")[0] == 1
    assert shell.run("hold", "-m", "looking at it")[0] == 0
    code, _, error = shell.run("run", "--", "true")
    assert (code, error.splitlines()[0]) == (6, "error: build b-0001 is held: looking at it")
    assert shell.run("release")[0] == 0
    assert shell.run("run", "--", "true")[0] == 0


def test_a_phase_reaches_a_running_build_at_its_next_state(shell: Shell) -> None:
    """A change of phase never touches the attempt under way; the next state follows it; who did it is recorded."""
    states = '[[states]]\ncode = 5\nstrategy = "soon"\n[[states]]\ncode = 10\nstrategy = "soon"\n'
    (shell.folder / "toolkit.toml").write_text(f'phase = "track-only"\n{states}{SOON}')
    times_out = 'echo "curl: (28) Connection timed out"; return 28'
    build = shell.script(
        "build.sh",
        '#!/bin/bash\neval "$(toolkit shell)"\n'
        f"first() {{ toolkit phase set selective-retry --force -m enough >/dev/null; {times_out}; }}\n"
        f'second() {{ [ "$TOOLKIT_ATTEMPT" = 2 ] || {{ {times_out}; }}; }}\n'
        "state 5 first -- first\nstate 10 second -- second\n",
    )
    assert shell.run("run", "--", build)[0] == 0
    failed = [each for each in shell.json("history")["events"] if each["status"] == "failed"]
    assert [(each["state"], each["phase"]) for each in failed] == [(5, "track-only"), (10, "selective-retry")]
    assert [(each["state"], each["status"]) for each in shell.json("status")["stateHistory"]][-1] == (10, "completed")
    change = shell.json("phase", "history")["changes"][0]
    assert (change["before"], change["phase"], change["why"]) == ("track-only", "selective-retry", "enough")
    assert change["by"]


def test_single_states_follow_another_phase(shell: Shell) -> None:
    """With `--states` only those are retried; the others pass their failures through."""
    (shell.folder / "toolkit.toml").write_text(
        '[[states]]\ncode = 5\nstrategy = "soon"\n[[states]]\ncode = 10\nstrategy = "soon"\n'
        '[strategies.soon]\non = ["network"]\nwait = "10ms"\n'
    )
    assert shell.run("phase", "set", "selective-retry", "--states", "10", "--force")[0] == 0
    build = shell.script(
        "build.sh",
        '#!/bin/bash\neval "$(toolkit shell)"\n'
        'fails() { echo "curl: (28) Connection timed out"; return 28; }\n'
        "state 5 first -- fails\nstate 10 second -- fails\n",
    )
    assert shell.run("run", "--", build)[0] == 28
    failed = [each for each in shell.json("history")["events"] if each["status"] == "failed"]
    assert [each["state"] for each in failed] == [5, 10, 10, 10]
