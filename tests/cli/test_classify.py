"""From a failure that nobody knows to a rule for it: what is typed, and what is said."""

from __future__ import annotations

import json

import pytest

from tests.transcripts import Shell

LOG = "Fetching\ncurl: (28) Operation timed out after 8001 milliseconds with 0 bytes received\n"
MYSTERY = "vmforge: E7713 broker 10.0.0.{} handshake went south"


def mysterious(shell: Shell) -> Shell:
    """Make a project whose history holds three mysteries and one failure that every rule book knows."""
    shell.run("init", "--name", "image")
    lines = []
    for number in range(4):
        error = MYSTERY.format(number) if number else "No space left on device"
        told = {"build": f"b-{number}", "state": 20, "ts": f"2026-03-01T10:0{number}:00.000Z", "pipeline": "image"}
        lines += [{**told, "status": "started"}, {**told, "status": "failed", "error": error, "exit_code": 70}]
    (shell.folder / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert shell.run("import", "events.jsonl")[0] == 0
    return shell


@pytest.fixture
def history(shell: Shell) -> Shell:
    """Give such a project, to be changed."""
    return mysterious(shell)


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """Give such a project, which stays as it is."""
    return mysterious(Shell(tmp_path_factory.mktemp("project")))


def test_an_output_is_classified(shell: Shell) -> None:
    """A log comes in as a file or on stdin; line by line each gets an object of its own."""
    (shell.folder / "build.log").write_text(LOG)
    found = shell.json("classify", "build.log", "--exit-code", "28")
    assert [found[key] for key in ("class", "group", "signature", "rule")] == [
        "network", "transient", "net.timeout", "net.timeout",
    ]  # fmt: skip
    assert found["evidence"][0] == {"line": 2, "text": LOG.splitlines()[1]}
    code, out, _ = shell.run("classify", "--lines", stdin=LOG)
    assert code == 0
    assert [json.loads(line)["class"] for line in out.splitlines()] == ["unknown", "network"]
    assert json.loads(shell.run("classify", "--json", "--exit-code", "137", stdin="")[1])["class"] == "killed"


def test_from_the_queue_to_a_rule(history: Shell) -> None:
    """One command shows what no rule knows, one writes the rule; what it changes is told, and changed nowhere."""
    (entry,) = history.json("classify", "--unmatched")["unmatched"]
    assert (entry["failures"], entry["states"], entry["builds"]) == (3, [20], ["b-3", "b-2", "b-1"])
    code, out, _ = history.run("classify", "--unmatched")
    assert code == 0
    assert f"toolkit classify --add-rule ID --class CLASS --from {entry['signature']}" in out

    code, out, error = history.run(
        "classify", "--add-rule", "vmforge.broker", "--class", "network", "--from", entry["signature"]
    )
    assert (code, error) == (0, "")
    assert "3 of 4 recorded failures would be called so" in out
    code, out, error = history.run("check")
    assert (code, error) == (0, "")
    assert out.splitlines()[1] == "rule vmforge.broker is new: it would change 3 of 4 recorded failures"
    changed = history.json("classify", "--against-history")
    assert changed["failures"] == 4
    assert [(each["build"], each["present"]["rule"]) for each in changed["changed"]] == [
        ("b-0", "disk.full"), ("b-1", "vmforge.broker"), ("b-2", "vmforge.broker"), ("b-3", "vmforge.broker"),
    ]  # fmt: skip
    assert history.run("classify", "--unmatched")[1] == "every recorded failure is known to a rule\n"
    found = json.loads(history.run("classify", "--json", stdin=MYSTERY.format(9))[1])
    assert (found["class"], found["rule"]) == ("network", "vmforge.broker")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--add-rule", "a.b", "--class", "nope", "--match", "x"], 2, "'nope' is no class"),
        (["--add-rule", "a.b", "--match", "x"], 2, "no class is named"),
        (["--add-rule", "a.b", "--class", "auth"], 2, "nothing is said of what"),
        (["--add-rule", "a.b", "--class", "auth", "--match", "(?=x)y"], 3, "look-around"),
        (["--add-rule", "a.b", "--class", "auth", "--from", "tmpl.none"], 4, "no failure that lacks a rule"),
        (["--class", "auth"], 2, "describe a rule"),
        (["nothere.log"], 4, "there is no file nothere.log"),
    ],
)
def test_what_cannot_be_is_refused(unchanged: Shell, arguments: list[str], code: int, told: str) -> None:
    """A rule that cannot work is not written, and the words say why."""
    before = (unchanged.folder / "toolkit.toml").read_text()
    ended, out, error = unchanged.run("classify", *arguments)
    assert (ended, out) == (code, "")
    assert told in error
    assert "hint: " in error
    assert (unchanged.folder / "toolkit.toml").read_text() == before


def test_rules_need_a_file_and_a_history_only_where_they_do(shell: Shell) -> None:
    """Without toolkit.toml no rule can be written; without a history it can, and there is no queue."""
    assert shell.run("classify", "--add-rule", "a.b", "--class", "auth", "--exit-code", "77")[0] == 3
    shell.run("init", "--name", "image")
    code, out, _ = shell.run("classify", "--add-rule", "a.b", "--class", "auth", "--exit-code", "77")
    assert code == 0
    assert "0 of 0 recorded failures" in out
    assert json.loads(shell.run("classify", "--json", "--exit-code", "77", stdin="zorg\n")[1])["rule"] == "a.b"
    assert shell.run("classify", "--unmatched")[0] == 4
    assert shell.json("check")["ok"]


def test_doctor_tells_of_an_outage(unchanged: Shell) -> None:
    """The same failure on several builds at once is one incident, in `doctor` and in the report."""
    code, out, _ = unchanged.run("doctor")
    assert code == 0
    assert "hit 3 builds between 2026-03-01T10:01:00.000Z and 2026-03-01T10:03:00.000Z" in out
    assert unchanged.json("report")["watched"]["incidents"][0]["builds"] == 3


def test_a_reader_is_shown_the_weightiest_lines(shell: Shell) -> None:
    """Five lines prove a class; the document has all."""
    steps = "".join(f"unpacking part {name}\n" for name in "abcdefgh")
    (shell.folder / "build.log").write_text(f"{steps}curl: (28) Connection timed out after 30001 milliseconds\n")

    lines = shell.run("classify", "build.log", "--exit-code", "28")[1].splitlines()
    evidence = shell.json("classify", "build.log", "--exit-code", "28")["evidence"]

    assert lines[1].split(maxsplit=2) == ["line", "9", "curl: (28) Connection timed out after 30001 milliseconds"]
    assert (len(lines), lines[-1]) == (7, f"  and {len(evidence) - 5} lines around them, which --json shows")
