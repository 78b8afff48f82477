"""What is written down of a build: no secret, and no time that cannot be."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from toolkit.project import load_project
from toolkit.store import open_store
from toolkit.supervise.ledger import Ledger
from toolkit.supervise.linking import Wanted, begin_run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.transcripts import Shell

SECRET = "s3cr3t-of-the-mirror"  # noqa: S105 - it is the test's own
SPLIT = "printf 'pass s3cr3t-of'; sleep 0.3; echo '-the-mirror word' >&1"


def test_no_secret_is_written_down(shell: Shell) -> None:
    """A secret in output (in two pieces, too), in a marker's reason or in an error that is told gets into no file."""
    told = (
        f"{SPLIT}\n"
        'toolkit state start 5; toolkit state fail 5 --error "cannot log in with $MIRROR_TOKEN"\n'
        'echo "::state 10 started::"; echo "::state 10 failed - refused $MIRROR_TOKEN::"\n'
        '. "$TOOLKIT_SHELL"; state 20 x -- sh -c "echo curl: $MIRROR_TOKEN refused >&2; exit 22"\n'
        'echo "bye $MIRROR_TOKEN"; exit 1\n'
    )
    _, out, err = shell.run("run", "--", shell.script("build.sh", "#!/bin/sh\n" + told), MIRROR_TOKEN=SECRET)

    assert out.startswith(f"pass {SECRET} word\n")
    assert f"curl: {SECRET} refused" in err
    kept = [path.read_bytes() for path in (shell.folder / ".toolkit").rglob("*") if path.is_file()]
    assert len(kept) > 4
    assert not any(SECRET.encode() in each for each in kept)
    shown = "".join(shell.run(*words)[1] for words in (["history", "--json"], ["why", "--json"], ["logs"]))
    assert "[redacted]" in shown
    assert SECRET not in shown
    errors = [each.get("error") for each in json.loads(shell.run("history", "--json")[1])["events"]]
    assert "cannot log in with [redacted]" in errors
    assert "refused [redacted]" in errors


@pytest.mark.parametrize("jump", [-7200.0, 7200.0, -3_000_000_000.0])
def test_a_clock_that_jumps(jump: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the wall clock is set while a state runs, its duration is still what passed, and its end is its end."""
    store = open_store(f"sqlite:///{tmp_path}/history.db")
    writer = begin_run(store, Wanted(pipeline="p", phase="track-only"), load_project(str(tmp_path)))
    ledger = Ledger(writer, phase="track-only", host="h", warn=pytest.fail)
    ledger.start(5, "kickstart")
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: max(0, real() + int(jump * 1e9)))
    ledger.complete(ledger.progress.attempts_at(5)[-1])
    ledger.end("completed", exit_code=0, duration=0.1)
    monkeypatch.undo()
    progress = store.progress(ledger.build)

    duration = progress.attempts_at(5)[-1].duration
    assert duration is not None
    assert 0 <= duration < 60
    assert (progress.states[5], progress.run_open) == ("completed", False)
    store.close()
