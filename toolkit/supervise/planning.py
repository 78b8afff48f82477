"""What a run would do, before anything runs: the same decisions about the same situations, and how long they take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from toolkit.core.action import Reuse, Stop
from toolkit.core.codes import StateCode
from toolkit.core.situation import before_attempt
from toolkit.core.span import Span, span_of, total
from toolkit.core.values import NOTHING, Value
from toolkit.errors import Refused
from toolkit.supervise.hashes import Hashes
from toolkit.supervise.ledger import now_ms as clock_ms
from toolkit.supervise.selecting import WHOLE, Selection, narrowed
from toolkit.supervise.validity import UNNAMED, restore_point, validity

if TYPE_CHECKING:
    from phases import Decide
    from toolkit.core.pipeline import Resume, StateConfig
    from toolkit.core.progress import Progress
    from toolkit.project import Project
    from toolkit.store import Store

BUILDS = 20
"""So many of the pipeline's last builds tell how long its states take."""


class Experience(Value):
    """What the last builds of a pipeline taught."""

    seconds: Mapping[StateCode, Span] = NOTHING
    """How long the attempts that completed took."""
    names: Mapping[StateCode, str | None] = NOTHING
    """The states of the last build that completed: those that this one will come to."""


class PlannedState(Value):
    """What would become of one state. `expected` is None when it never completed."""

    code: StateCode
    name: str | None
    action: str
    """`reuse` or `run`."""
    why: str
    expected: Span | None = None

    @property
    def shape(self) -> dict[str, Any]:
        """The state as JSON-ready values."""
        return {**self.__dict__, **_shaped("expected", self.expected)}


class Plan(Value):
    """What would become of a build; `build` is None for one that has not begun. Seconds; None when nothing is known."""

    build: str | None
    states: tuple[PlannedState, ...]
    left_out: tuple[StateCode, ...] = ()
    """Behind the last state that was asked for."""
    goes_back_to: StateCode | None = None
    """The reused state whose checkpoint is restored before the first state runs."""
    start_over: Span | None = None
    """How long all the states would take, as far as it is known."""

    @property
    def entry(self) -> PlannedState | None:
        """The first state that runs."""
        return next((each for each in self.states if each.action == "run"), None)

    @property
    def expected(self) -> Span | None:
        """How long the states that run will take, as far as it is known."""
        return total(each.expected for each in self.states if each.action == "run")

    @property
    def unknown(self) -> tuple[StateCode, ...]:
        """The states that run and of which nobody knows how long they take."""
        return tuple(each.code for each in self.states if each.action == "run" and each.expected is None)

    @property
    def shape(self) -> dict[str, Any]:
        """The plan as JSON-ready values."""
        return {
            "build": self.build,
            "states": [each.shape for each in self.states],
            **_shaped("expected", self.expected),
            **_shaped("start_over", self.start_over),
            "unknown": list(self.unknown),
            "left_out": list(self.left_out),
            "goes_back_to": self.goes_back_to,
        }


def plan(  # noqa: PLR0913 - what a plan depends on
    progress: Progress | None,
    project: Project,
    decide: Decide,
    *,
    experience: Experience = Experience(),  # noqa: B008 - a frozen value
    asked: Selection = WHOLE,
    now_ms: int | None = None,
) -> Plan:
    """Say what a run would do with each state, by the very function that decides in a run; None: a build to begin.

    Refused when a state before the first one that was asked for cannot be reused.
    """
    now = clock_ms() if now_ms is None else now_ms
    deciding, hashes = narrowed(decide, asked), Hashes(project.state_directory)
    ran_again: StateCode | None = None
    states: list[PlannedState] = []
    left_out: list[StateCode] = []
    for state in states_of(project, progress, experience):
        held = None if progress is None else validity(progress, state, project, now_ms=now, hashes=hashes)
        stands = _new(project) if progress is None else progress
        situation = before_attempt(
            stands, state, now_ms=now, validity=held, ran_again=ran_again, resume=allowed(project, progress)
        )
        action = deciding(situation, project.policy)
        if isinstance(action, Stop) and asked.last is not None and state.code > asked.last:
            left_out.append(state.code)
            continue
        if isinstance(action, Stop):
            raise Refused(action.reason, hint="Leave --from and --only out, or reuse it all the same with --force.")
        reuses = isinstance(action, Reuse)
        ran_again = ran_again if reuses or ran_again is not None else state.code
        states.append(
            PlannedState(
                code=state.code,
                name=state.name,
                action="reuse" if reuses else "run",
                why="a new build" if progress is None else action.reason,
                expected=experience.seconds.get(state.code),
            )
        )
    everything = (*(each.code for each in states), *left_out)
    return Plan(
        build=None if progress is None else progress.build,
        states=tuple(states),
        left_out=tuple(left_out),
        goes_back_to=_checkpoint(progress, project, states),
        start_over=total(experience.seconds.get(code) for code in everything),
    )


def allowed(project: Project, progress: Progress | None) -> Resume:
    """Tell whether the pipeline, or a label of the build, forbids to go on where it stopped."""
    labels = set() if progress is None else {f"{key}={value}" for key, value in progress.labels.items()}
    return "never" if labels & set(project.pipeline.never_resume) else project.pipeline.resume


def states_of(project: Project, progress: Progress | None, experience: Experience) -> tuple[StateConfig, ...]:
    """Give the states that a build comes to, in order: those configured, those it had, those the last good one had."""
    configured = {each.code: each for each in project.states if each.codes is None}
    names: dict[StateCode, str | None] = {code: each.name for code, each in configured.items()}
    seen = dict(experience.names)
    if progress is not None:
        seen |= {each.state: each.name for each in progress.attempts} | dict(progress.names)
    for code, name in seen.items():
        names[code] = names.get(code) or name
    stands_in = UNNAMED not in configured and names.get(UNNAMED, "") == "start"
    if len(names) > 1 and stands_in and not _told_of_start(progress, experience):
        del names[UNNAMED]
    return tuple(project.state(code, name) for code, name in sorted(names.items()))


def _told_of_start(progress: Progress | None, experience: Experience) -> bool:
    """Tell a state 0 of the build's own from the one that stands for a run of which nothing else was told."""
    if UNNAMED in experience.names and len(experience.names) > 1:
        return True
    attempts = () if progress is None else progress.attempts
    begun = {each.run for each in attempts if each.state == UNNAMED}
    return any(each.run in begun and each.state != UNNAMED for each in attempts)


def learn(store: Store, pipeline: str, builds: int = BUILDS) -> Experience:
    """Read from the last builds of a pipeline how long its states take."""
    seconds: dict[StateCode, list[float]] = {}
    names: Mapping[StateCode, str | None] = NOTHING
    for row in store.builds(pipeline=pipeline, limit=builds):
        progress = store.progress(row.build)
        for each in progress.attempts:
            if each.status == "completed" and each.duration is not None:
                seconds.setdefault(each.state, []).append(each.duration)
        if progress.status == "completed":
            names = {code: progress.names.get(code) for code in progress.states}
    return Experience(seconds={code: span_of(told) for code, told in seconds.items()}, names=names)


def _checkpoint(progress: Progress | None, project: Project, states: list[PlannedState]) -> StateCode | None:
    """Name the state whose checkpoint the build goes back to: the last one that is reused before another one runs."""
    reused = [each for each in states if each.action == "reuse"]
    if progress is None or not reused or len(reused) == len(states):
        return None
    last = project.state(reused[-1].code, reused[-1].name)
    return last.code if last.restore and restore_point(progress, last, project) is not None else None


def _shaped(word: str, span: Span | None) -> dict[str, Any]:
    return {
        f"{word}_seconds": None if span is None else span.median,
        word: None if span is None else span.shape,
    }  # fmt: skip


def _new(project: Project) -> Progress:
    from toolkit.core.progress import Progress

    return Progress(build="new", pipeline=project.pipeline.name)
