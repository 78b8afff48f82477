"""A run that has ended is told of where `[publish]` says: beside its output, in bounded time, never at its expense."""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING

import pytest

from tests.collector import collector
from toolkit.cli.publishing import publish
from toolkit.configure.checking import check
from toolkit.core.words import HOLES
from toolkit.project import load_project, store_url

if TYPE_CHECKING:
    from pathlib import Path

    from tests.transcripts import Shell

SCRIPT = "#!/bin/sh\necho '::state 5 started kickstart::'\necho 'no mirror is left' >&2\nexit 3\n"
PRINTED = ("::state 5 started kickstart::\n", "no mirror is left\n")
ANNOTATION = "::error title=image b-0001%3A state 5 kickstart%2C attempt 1 failed"


def configure(shell: Shell, wanted: str, more: str = "") -> str:
    """Write a project that wants to be told, and a build that fails; gives how the build is called."""
    text = f'phase = "track-only"\n[pipeline]\nname = "image"\n{more}[publish]\n{wanted}\n'
    (shell.folder / "toolkit.toml").write_text(text)
    return shell.script("build.sh", SCRIPT)


def complaints(folder: Path) -> str:
    """Give what the log of messages that were not delivered holds."""
    log = folder / ".toolkit" / "notify.log"
    return log.read_text() if log.exists() else ""


def on_github(folder: Path) -> dict[str, str]:
    """Give the variables of a job."""
    return {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(folder / "summary.md"), "TEAMCITY_VERSION": ""}


def test_a_job_finds_summary_and_annotations_behind_the_build(shell: Shell) -> None:
    """The summary and the report are written, the annotation follows the build's last line; the rest is the build's."""
    script = configure(shell, 'summary = true\nannotations = true\njunit = "states.xml"')
    code, out, error = shell.run("run", "--", script, **on_github(shell.folder))
    lines = error.splitlines()

    assert (code, out, lines[0]) == (3, PRINTED[0], "no mirror is left")
    assert lines[1].startswith(ANNOTATION)
    assert lines[2:] == [
        "::group::output of state 5 kickstart, attempt 1", "| ::state 5 started kickstart::", "| no mirror is left",
        "::endgroup::",
    ]  # fmt: skip
    assert (shell.folder / "summary.md").read_text().startswith("### image b\\-0001: failed\n")
    assert "kickstart" in (shell.folder / "states.xml").read_text()
    assert complaints(shell.folder) == ""


def test_who_does_not_ask_hears_nothing(shell: Shell) -> None:
    """Without `[publish]`, and with a part of it, the rest is as it was: not a byte more, not a file more."""
    script = configure(shell, "")
    assert shell.run("run", "--", script, **on_github(shell.folder)) == (3, *PRINTED)
    assert not (shell.folder / "summary.md").exists()
    configure(shell, "summary = true")
    assert shell.run("run", "--", script, **on_github(shell.folder)) == (3, *PRINTED)
    assert (shell.folder / "summary.md").exists()


def test_a_build_that_starts_over_by_itself_is_told_once(shell: Shell) -> None:
    """The summary tells of the build when nothing of ours goes on with it, whatever it took."""
    configure(shell, "summary = true", more="restarts = 2\n")
    text = (shell.folder / "toolkit.toml").read_text()
    (shell.folder / "toolkit.toml").write_text(text.replace("track-only", "selective-retry"))
    script = shell.script("build.sh", f"{SCRIPT[:-7]}[ -e ok ] && exit 0\ntouch ok\nexit 3\n")
    code, _, error = shell.run("run", "--", script, **on_github(shell.folder))
    assert (code, error) == (0, PRINTED[1] * 2)
    told = (shell.folder / "summary.md").read_text()
    assert told.count("### ") == 1
    assert told.startswith("### image b\\-0001: completed after retry\n")


def test_a_collector_has_the_trace_when_the_run_has_ended(shell: Shell) -> None:
    """Nobody has to send it afterwards; the address may be left to the variables of OpenTelemetry."""
    pytest.importorskip("opentelemetry.sdk")
    with collector() as (address, received):
        script = configure(shell, f'otlp = "{address}"')
        assert shell.run("run", "--", script) == (3, *PRINTED)
        assert [each.path for each in received] == ["/v1/traces"]
        configure(shell, 'otlp = "env"')
        assert shell.run("run", "--", script, OTEL_EXPORTER_OTLP_ENDPOINT=address) == (3, *PRINTED)
        assert [each.path for each in received] == ["/v1/traces"] * 2


def test_a_collector_that_refuses_is_asked_twice(shell: Shell) -> None:
    """The end of the run does not wait for the library's later tries, which come after ever longer waits."""
    pytest.importorskip("opentelemetry.sdk")
    with collector(503) as (address, received):
        script = configure(shell, f'otlp = "{address}"')
        assert shell.run("run", "--", script) == (3, *PRINTED)

    assert 1 <= len(received) <= 2
    assert f"the collector, build b-0001: {address} did not take the traces" in complaints(shell.folder)


def test_what_cannot_be_told_is_complained_of_in_the_log(shell: Shell) -> None:
    """A collector that is away, a folder that is missing: the build ends as it would have, and the log says why."""
    away = "http://127.0.0.1:1"
    script = configure(shell, f'otlp = "{away}"\njunit = "no/such/folder.xml"\nsummary = true')
    job = {**on_github(shell.folder), "GITHUB_STEP_SUMMARY": str(shell.folder / "no" / "summary.md")}
    assert shell.run("run", "--", script, **job) == (3, *PRINTED)
    said = complaints(shell.folder)
    for expected in ("the CI system, build b-0001: ", "no/such/folder.xml", "the collector, build b-0001"):
        assert expected in said


def test_a_collector_that_hangs_is_not_waited_for(shell: Shell) -> None:
    """Once the time is up the run ends, though the collector took the call and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        script = configure(shell, "")
        assert shell.run("run", "--", script)[0] == 3
        configure(shell, f'otlp = "{address}"')
        project = load_project(str(shell.folder))
        began = time.monotonic()
        publish(project, store_url(project), "b-0001", patience=0.5)
        waited = time.monotonic() - began
        accepted, _ = server.accept()  # it is being told all the same
        accepted.close()
    assert 0.5 <= waited < 5


def test_what_nobody_knows_is_refused() -> None:
    """`toolkit check` knows the keys of `[publish]` and what a collector's address looks like."""
    sound = b'[publish]\nsummary = true\notlp = "env"\n'
    document, faults = check(sound, "toolkit.toml")
    assert (json.dumps(document), faults) == ('{"publish": {"summary": true, "otlp": "env"}}', [])
    wrong = b'[publish]\nsumary = true\notlp = "collector:4318"\njunit = ""\n'
    document, faults = check(wrong, "toolkit.toml")
    assert document is None
    assert [fault.line for fault in faults] == [2, 3, 4]


@pytest.mark.parametrize("comes_back", [True, False])
def test_a_run_with_holes_in_its_record_is_told_with_a_word_of_that(shell: Shell, comes_back: bool) -> None:
    """Where the history was away for a while, or takes nothing any more, people hear of the failure all the same."""
    pytest.importorskip("opentelemetry.sdk")
    away = "cd .toolkit; cp history.db copy; mv history.db away; mv copy history.db; cd ..\n"
    seen = '. "$TOOLKIT_SHELL"\nstate 1 prepare -- true\n'
    back = "mv .toolkit/away .toolkit/history.db\n" if comes_back else ""
    with collector() as (address, received):
        configure(shell, f'summary = true\nannotations = true\njunit = "states.xml"\notlp = "{address}"')
        script = shell.script("build.sh", f"#!/bin/sh\n{away}{seen}{back}{SCRIPT[10:]}")
        code, _, error = shell.run("run", "--", script, **on_github(shell.folder))
    lines = error.splitlines()

    assert (code, lines[1]) == (3, "no mirror is left"), error
    assert lines[0].startswith("toolkit: warning: recording is in trouble, the build goes on: ")
    assert lines[2].startswith(ANNOTATION)
    assert lines[3] == f"::warning title=the record of image b-0001 is not whole::{HOLES}"
    summary = (shell.folder / "summary.md").read_text()
    assert summary.startswith("### image b\\-0001: failed\n")
    assert f"\n{HOLES.capitalize()}.\n" in summary
    assert f"<system-err>{HOLES}</system-err>" in (shell.folder / "states.xml").read_text()
    assert ([each.path for each in received], complaints(shell.folder)) == (["/v1/traces"], "")
