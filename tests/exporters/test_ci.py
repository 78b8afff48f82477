"""A build told to CI systems: each in its own commands, and nothing that a build printed ever becomes one."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.histories import completes, decides, ends, fails, histories, history, holds, interrupts, restarts, reuses
from tests.transcripts import Shell
from toolkit.core.progress import Progress, fold
from toolkit.exporters.ci import style, summary, told
from toolkit.exporters.dialects import SYSTEMS, Dialect, detected
from toolkit.exporters.junit import junit

if TYPE_CHECKING:
    from pathlib import Path

    from tests.histories import Step
    from toolkit.core.events import Event

HOSTILE = (
    "::error::x", "##[error]x", "##vso[task.setvariable variable=a]b", "##teamcity[buildStatus text='x']", "--- x",
    "+++ x", "^^^ +++", "%0A::set-env name=a::b", "\n::add-path::/tmp", "\r::stop-commands::x", "|n##teamcity[x]",
    "\x1b[0Ksection_start:1:x\r\x1b[0K", "\u2028::error::x", "  ::error::x", "## [x]", "##VSO[x]", "']##teamcity[x",
)  # fmt: skip
DIALECTS = list(SYSTEMS.values())


def build(*steps: Step) -> Progress:
    return fold(history(*steps, holder="h/1/1/1"))


def commands(system: str, text: str) -> list[str]:
    """Give what a system would take for a command in a log, as its agent looks for them."""
    lines = re.split(r"\r\n|\n|\r(?!\x1b\[0K)", text)
    if system == "github":
        return [line for line in lines if line.lstrip().startswith("::") or "##[" in line]
    if system == "azure":
        return [line for line in lines if re.search(r"##vso\[|##\[", line, re.IGNORECASE)]
    if system == "teamcity":
        return [line for line in lines if "##teamcity[" in line]
    if system == "gitlab":
        return [line for line in lines if re.search(r"section_(start|end):\d+:[^\r]*\r", line)]
    return [line for line in lines if re.match(r"---|\+\+\+|~~~|\^\^\^", line)] if system == "buildkite" else []


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda each: each.name)
@given(st.lists(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=40)), min_size=3, max_size=6))
@example(list(HOSTILE))
def test_nothing_a_build_printed_becomes_a_command(dialect: Dialect, noise: list[str]) -> None:
    """Whatever stands in names, errors, evidence and output, the system finds our commands and no other."""
    plain = [f"word{number}" for number, _ in enumerate(noise)]

    def lines(words: list[str]) -> str:
        failed = fails(5, "net.timeout", error=words[0], name=words[1])
        progress = build(failed, decides(5, "retry", reason=words[2]), holds(5)).but(pipeline=words[-1])
        return "\n".join(told(progress, dialect, lambda _: words))

    said, expected = lines(noise), lines(plain)
    assert len(commands(dialect.name, said)) == len(commands(dialect.name, expected))
    assert len(said.split("\n")) == len(expected.split("\n"))
    kinds = [re.findall(r"^[-+:#]+\w*", line) for line in commands(dialect.name, said)]
    assert kinds == [re.findall(r"^[-+:#]+\w*", line) for line in commands(dialect.name, expected)]


def test_github() -> None:
    """Annotations with titles, the output in a group; commas, colons and percent signs as its runner wants them."""
    progress = build(fails(5, "net.timeout", error="100% lost: a, b", name="kickstart"))
    assert list(told(progress, SYSTEMS["github"], lambda _: ["one", "::error::two"])) == [
        "::error title=golden-image b-0001%3A state 5 kickstart%2C attempt 1 failed (network)::100%25 lost: a, b",
        "::group::output of state 5 kickstart, attempt 1",
        "| one",
        "| ::error::two",
        "::endgroup::",
    ]


def test_gitlab() -> None:
    """A coloured line, and a section that is closed until somebody opens it."""
    progress = build(fails(5, "net.timeout", error="lost"))
    first, begin, line, end = told(progress, SYSTEMS["gitlab"], lambda _: ["one"])
    assert first.startswith("\x1b[31;1mERROR\x1b[0m golden-image b-0001: state 5, attempt 1 failed (network): lost")
    mark = re.fullmatch(r"\x1b\[0Ksection_start:(\d+):(\S+)\[collapsed=true\]\r\x1b\[0K(.*)", begin)
    assert mark is not None
    assert end == f"\x1b[0Ksection_end:{mark[1]}:{mark[2]}\r\x1b[0K"
    assert line == "| one"


def test_teamcity() -> None:
    """A build problem, with bars before what its parser would take for the end."""
    progress = build(fails(5, error="can't [read] a|b \u00e4"))
    assert next(told(progress, SYSTEMS["teamcity"], lambda _: [])) == (
        "##teamcity[buildProblem description='golden-image b-0001: state 5, attempt 1 failed: "
        "can|'t |[read|] a||b |0x00E4']"
    )


def test_azure_and_buildkite_and_plain() -> None:
    """An issue; a section that is open; words."""
    progress = build(fails(5, error="50%"))
    title = "golden-image b-0001: state 5, attempt 1 failed"
    firsts = {name: next(told(progress, SYSTEMS[name], lambda _: [])) for name in ("azure", "buildkite", "jenkins")}
    assert firsts == {
        "azure": f"##vso[task.logissue type=error;]{title}: 50%AZP25", "buildkite": f"+++ {title}: 50%",
        "jenkins": f"[ERROR] {title}: 50%",
    }  # fmt: skip


def test_green_does_not_hide_a_retry() -> None:
    """A failure that was recovered from is a warning, in a build that is completed and in one that still runs."""
    for progress in (build(fails(5), completes(5), ends("completed")), build(fails(5), completes(5), fails(9))):
        lines = list(told(progress, SYSTEMS["github"], lambda _: []))
        assert lines[0].startswith("::warning ")
        assert [line.startswith("::error ") for line in lines[1:]] == ([True] if len(lines) > 1 else [])
    assert style(build(fails(5), completes(5), ends("completed"))) == "warning"
    assert "completed after retry" in summary(build(fails(5), completes(5), ends("completed")))
    assert style(build(completes(5), ends("completed"))) == "success"


def test_nothing_to_tell() -> None:
    """A build without trouble prints nothing; one that is held or cut short says so."""
    assert list(told(build(completes(5), ends("completed")), SYSTEMS["github"], lambda _: [])) == []
    held = list(told(build(fails(5), holds(5), ends("failed")), SYSTEMS["github"], lambda _: []))
    assert "waits for a person" in held[1]
    (cut,) = told(build(interrupts(5), ends("interrupted")), SYSTEMS["github"], lambda _: [])
    assert "was interrupted at state 5" in cut


@given(histories())
def test_any_build_can_be_told(events: list[Event]) -> None:
    """Summary and report come out of every history; the report's sums are those of its cases."""
    progress = fold(events)
    assert summary(progress).startswith("### ")
    suite = ET.fromstring(junit(progress)).find("testsuite")  # noqa: S314 - written a moment ago
    assert suite is not None
    cases = suite.findall("testcase")
    assert int(suite.get("tests", "")) == len(cases)
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(suite.get(name, "")) == sum(1 for case in cases if case.find(tag) is not None)


def test_a_junit_report() -> None:
    """A case for each state: how it ended last, with what came before; what was reused is skipped."""
    steps = (completes(5, name="kickstart"), fails(9, "net.timeout", error="lost"), ends("failed"), restarts("resume"))
    progress = build(*steps, reuses(5), fails(9, "net.timeout", error="lost again"))
    suite = ET.fromstring(junit(progress)).find("testsuite")  # noqa: S314 - the same
    assert suite is not None
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "2", "failures": "1", "errors": "0", "skipped": "1",
    }  # fmt: skip
    failure = suite.find("testcase[@name='9']/failure")
    assert failure is not None
    assert (failure.get("message"), failure.get("type")) == ("lost again", "network")
    assert suite.findtext("testcase[@name='9']/system-out") == (
        "run 1, attempt 1 failed: lost\nrun 2, attempt 2 failed: lost again"
    )


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"GITHUB_ACTIONS": "true", "CI": "true"}, "github"), ({"GITLAB_CI": "true"}, "gitlab"),
        ({"TF_BUILD": "True"}, "azure"), ({"BUILDKITE": "true"}, "buildkite"), ({"JENKINS_URL": "http://x"}, "jenkins"),
        ({"TEAMCITY_VERSION": "2026.1"}, "teamcity"), ({"CI": "true"}, "plain"), ({}, "plain"),
    ],
)  # fmt: skip
def test_the_system_is_recognised(environ: dict[str, str], name: str) -> None:
    """Each by the variable that it documents; others get plain words."""
    assert detected(environ).name == name


def test_in_a_job(tmp_path: Path) -> None:
    """The step behind the build prints annotations, writes summary and report; the build printed nothing more."""
    shell = Shell(tmp_path)
    (tmp_path / "toolkit.toml").write_text('phase = "track-only"\n\n[pipeline]\nname = "golden-image"\n')
    script = shell.script("build.sh", "#!/bin/sh\necho '::state 5 started kickstart::'\necho '##[error]@ann'\nexit 3\n")
    job = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
    assert shell.run("run", "--", script, **job) == (3, "::state 5 started kickstart::\n##[error]@ann\n", "")
    assert not (tmp_path / "summary.md").exists()
    code, out, error = shell.run("why", "--ci", "--junit", "states.xml", **job)

    assert (code, error) == (0, "")
    assert out.splitlines()[0].startswith("::error title=golden-image b-0001%3A state 5 kickstart%2C attempt 1 failed")
    assert out.splitlines()[1:] == [
        "::group::output of state 5 kickstart, attempt 1", "| ::state 5 started kickstart::", "| # #[error]@ann",
        "::endgroup::",
    ]  # fmt: skip
    assert (tmp_path / "summary.md").read_text().startswith("### golden\\-image b\\-0001: failed\n")
    assert ET.parse(tmp_path / "states.xml").getroot().tag == "testsuites"  # noqa: S314 - the same


def test_buildkite_shows_the_summary(tmp_path: Path) -> None:
    """Its agent is handed the summary; without the agent the log still says what failed."""
    shell = Shell(tmp_path)
    shell.run("run", "--", "false")
    code, out, error = shell.run("why", "--ci", BUILDKITE="true", PATH=os.environ["PATH"])
    assert (code, error) == (0, "")
    assert out.startswith("+++ ")
    (tmp_path / "bin").mkdir()
    agent = tmp_path / "bin" / "buildkite-agent"
    agent.write_text(f'#!/bin/sh\necho "$@" >{tmp_path}/asked; cat >{tmp_path}/said\n')
    agent.chmod(0o755)
    shell.run("why", "--ci", BUILDKITE="true", PATH=f"{tmp_path}/bin:{os.environ['PATH']}")
    assert (tmp_path / "asked").read_text() == "annotate --style error --context build-state-toolkit\n"
    assert (tmp_path / "said").read_text().startswith("### ")


def test_an_unknown_system_is_refused(tmp_path: Path) -> None:
    """Who names a system that there is not hears which there are."""
    shell = Shell(tmp_path)
    shell.run("run", "--", "true")
    code, _, error = shell.run("why", "--system", "travis")
    assert (code, error.splitlines()[0]) == (2, "error: there is no CI system 'travis' here")
