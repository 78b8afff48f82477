"""Two builds that come to the same conclusion at the same moment: one acts on it."""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.test_trials import TRIAL, recorded
from tests.cli.test_verify_clean import helped
from tests.store.servers import Server, serving
from tests.transcripts import Shell
from toolkit.configure.edit import set_phase
from toolkit.core import events as ev
from toolkit.core.verifying import LABEL
from toolkit.errors import Refused
from toolkit.project import Project, load_project
from toolkit.store import Store, open_store
from toolkit.supervise.ledger import Ledger
from toolkit.supervise.linking import Wanted, begin_run
from toolkit.supervise.trial import GUARD, guard
from toolkit.supervise.verification import conclude, verifying

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Run a PostgreSQL server for the tests that want one."""
    with serving() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgres"])
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Shell:
    """Give an empty project folder, with its history in either kind of store."""
    found = Shell(tmp_path)
    if request.param == "postgres":
        running: Server = request.getfixturevalue("server")
        found.environment["TOOLKIT_STORE"] = running.database()
    return found


@pytest.fixture
def stores(shell: Shell) -> Iterator[tuple[Store, Store]]:
    """Open the project's history twice, once there is one."""
    url = shell.environment.get("TOOLKIT_STORE", f"sqlite:///{shell.folder}/.toolkit/history.db")
    with ExitStack() as stack:
        yield tuple(stack.enter_context(closing(open_store(url))) for _ in range(2))  # type: ignore[misc]


class Overtaken:
    """A store whose reader is overtaken by somebody else as soon as it has looked at the builds."""

    def __init__(self, store: Store, meanwhile: Callable[[], object]) -> None:
        self._store = store
        self._meanwhile = meanwhile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def builds(self, **wanted: Any) -> Any:
        found = self._store.builds(**wanted)
        self._meanwhile()
        return found


def on_trial(shell: Shell) -> Project:
    """Give a project whose trial does harm, on record."""
    (shell.folder / "toolkit.toml").write_text(TRIAL)
    recorded(shell, builds=80, harmed="new")
    return load_project(str(shell.folder))


def changes(store: Store) -> list[str]:
    return [each.by for each in store.project_events() if isinstance(each, ev.PhaseChanged)]


def test_a_trial_is_taken_back_once(shell: Shell, stores: tuple[Store, Store]) -> None:
    """Both judge that it harms before either has said so: one says it and writes toolkit.toml, the other is silent."""
    project, (one, other) = on_trial(shell), stores
    file = shell.folder / "toolkit.toml"
    first: list[object] = []

    def meanwhile() -> None:
        first.append(guard(project, other))
        file.write_text(file.read_text() + "# written by a person behind the first\n")

    second = guard(project, Overtaken(one, meanwhile))

    assert [each is not None for each in (*first, second)] == [True, False]
    assert changes(one) == [GUARD]
    assert file.read_text().endswith("# written by a person behind the first\n")
    assert load_project(str(shell.folder)).phase == "track-only"


def test_a_person_is_not_overruled(shell: Shell, stores: tuple[Store, Store]) -> None:
    """Who changes the phase while a build's guard still judges has the last word."""
    project, (one, other) = on_trial(shell), stores

    def meanwhile() -> None:
        set_phase(str(shell.folder / "toolkit.toml"), "full-resume")
        other.append_project(ev.PhaseChanged(build=ev.PROJECT, ts_ms=1, phase="full-resume", by="ann"))

    assert guard(project, Overtaken(one, meanwhile)) is None
    assert changes(one) == ["ann"]
    assert load_project(str(shell.folder)).phase == "full-resume"


def test_a_trial_that_is_no_longer_in_the_file_is_over(shell: Shell, stores: tuple[Store, Store]) -> None:
    """A build takes hours: when toolkit.toml was exchanged meanwhile, its end does not write to it."""
    project, (one, _) = on_trial(shell), stores
    (shell.folder / "toolkit.toml").write_text('phase = "full-resume"\n[pipeline]\nname = "trial"\n')

    assert guard(project, one) is None
    assert changes(one) == []
    assert load_project(str(shell.folder)).phase == "full-resume"


def wanted(project: Project) -> Wanted:
    return Wanted(pipeline=project.pipeline.name, phase=project.phase, command=("true",))


def test_a_build_is_verified_by_one_clean_build(shell: Shell, stores: tuple[Store, Store]) -> None:
    """Both choose it before either has begun: the second is an ordinary build, and so is the next."""
    helped(shell)
    project, both = load_project(str(shell.folder)), stores
    chosen = [verifying(store, wanted(project), 1.0, asked=False) for store in both]
    assert [each.labels for each in chosen] == [{LABEL: "b-0001"}] * 2

    begun = [begin_run(store, each, project).progress for store, each in zip(both, chosen, strict=True)]

    assert [each.labels for each in begun] == [{LABEL: "b-0001"}, {}]
    assert verifying(both[0], wanted(project), 1.0, asked=False).labels == {}


def test_who_asks_for_a_verification_builds_nothing_else(shell: Shell, stores: tuple[Store, Store]) -> None:
    """Where another one was quicker to verify the same build, `--verify-clean` is refused, with a word of by whom."""
    helped(shell)
    project, both = load_project(str(shell.folder)), stores
    chosen = [verifying(store, wanted(project), 1.0, asked=True) for store in both]
    begin_run(both[0], chosen[0], project)

    with pytest.raises(Refused, match="build b-0001 is verified by build b-0002"):
        begin_run(both[1], chosen[1], project)
    assert len(both[0].builds()) == 2


def test_the_first_verdict_counts(shell: Shell, stores: tuple[Store, Store]) -> None:
    """Of two clean builds that were begun for the same one, the second to end changes nothing and says nothing."""
    helped(shell)
    said: list[str] = []
    for store, outcome in zip(stores, ("completed", "failed"), strict=True):
        ledger = Ledger(store.begin(clean), phase="selective-retry", host="h", warn=said.append)
        ledger.start(5, "fetch")
        attempt = ledger.progress.open_attempts()[0]
        if outcome == "completed":
            ledger.complete(attempt)
        else:
            ledger.fail(attempt, "broken for good", exit_code=4)
        ledger.end("completed" if outcome == "completed" else "failed")
        conclude(store, ledger)

    verdicts = [each.by_build for each in stores[0].project_events() if isinstance(each, ev.CleanVerified)]
    assert (verdicts, said) == (["b-0002"], [])


def clean(build: str) -> tuple[ev.Event, ...]:
    return (
        ev.BuildBegun(build=build, ts_ms=1, pipeline="image", labels={LABEL: "b-0001"}),
        ev.RunStarted(build=build, ts_ms=1, run=1),
    )
