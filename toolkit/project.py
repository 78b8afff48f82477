"""Finds toolkit.toml and reads it into one frozen value; nobody else reads that file.

A file that was valid once is valid as long as its bytes are the same, so its checked form is kept beside the history,
and a build whose configuration did not change starts without a TOML parser and without a validation library.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from toolkit.configure.remembered import forget, recall, remember
from toolkit.core.codes import CodeRange, StateCode, parse_codes
from toolkit.core.phase import PhaseName
from toolkit.core.pipeline import PipelineConfig, StateConfig
from toolkit.core.policy import BUILT_IN, Budget, Policy, RetryRule, Strategy
from toolkit.core.values import NOTHING, Value
from toolkit.errors import ConfigurationError

if TYPE_CHECKING:
    from toolkit.configure.faults import Fault
    from toolkit.core.rules.rule import Rule

FILE: Final = "toolkit.toml"
STATE_DIRECTORY: Final = ".toolkit"

AnyValue = TypeVar("AnyValue", bound=Value)


class FailureRule(Value):
    """A failure rule of the project's own, tried before the built-in ones."""

    id: str
    failure_class: str
    match: str = ""
    unless: str | None = None
    states: CodeRange | None = None
    exit_codes: tuple[int, ...] = ()
    signals: tuple[int, ...] = ()
    fatal: bool = False
    version: int = 1
    example: str = ""
    counterexample: str = ""

    def rule(self) -> Rule:
        """Give it as the classifier wants it."""
        from toolkit.core.rules.rule import Rule

        facts = {**self.__dict__, "states": str(self.states) if self.states is not None else None}
        return Rule(**facts)


class Notify(Value):
    """Who hears of holds, final failures and breakers."""

    command: str = ""
    urls: tuple[str, ...] = ()
    on: tuple[str, ...] = ("hold", "failure", "breaker", "rollback")


class Publish(Value):
    """Where a run is told of when it has ended, beside its own output."""

    summary: bool = False
    annotations: bool = False
    junit: str = ""
    otlp: str = ""


class Redact(Value):
    """What is secret, beyond what looks so."""

    patterns: tuple[str, ...] = ()
    env: tuple[str, ...] = ()


class Prices(Value):
    """What time costs, in one unit: an hour of waiting for an image, an hour of machine, one call for a person."""

    hour_to_green: float = 1.0
    machine_hour: float = 0.0
    attention: float = 0.5
    response: float | None = None
    """Seconds until a person looks at a held build; None where nobody said so."""


class Project(Value):
    """A directory whose builds are tracked, with everything that its toolkit.toml says."""

    directory: str
    file: str | None = None
    """Path of the toolkit.toml; None when there is none, and all is default."""
    phase: PhaseName = "track-only"
    overrides: Mapping[CodeRange, PhaseName] = NOTHING
    """States that follow another phase."""
    share: float = 1.0
    """Of the builds that follow `phase`; the others follow `rest_phase`."""
    rest_phase: PhaseName = "track-only"
    rest_overrides: Mapping[CodeRange, PhaseName] = NOTHING
    pipeline: PipelineConfig
    states: tuple[StateConfig, ...] = ()
    policy: Policy = Policy()
    rules: tuple[FailureRule, ...] = ()
    notify: Notify = Notify()
    publish: Publish = Publish()
    redact: Redact = Redact()
    prices: Prices = Prices()

    @property
    def strategies(self) -> Mapping[str, Strategy]:
        """The built-in strategies and the project's own."""
        return self.policy.strategies

    @property
    def budget(self) -> Budget:
        return self.policy.budget

    @property
    def state_directory(self) -> str:
        """Where everything that is remembered lies."""
        return os.path.join(self.directory, STATE_DIRECTORY)

    def phase_at(self, code: StateCode, *, rest: bool = False) -> PhaseName:
        """Give the phase of a state, for builds in the share or for the `rest` of them."""
        overrides, phase = (self.rest_overrides, self.rest_phase) if rest else (self.overrides, self.phase)
        return next((other for codes, other in overrides.items() if code in codes), phase)

    def acts(self, override: PhaseName | None = None, *, rest: bool = False) -> bool:
        """Tell whether any state of a build may be decided about; where none is, nothing of it may be touched."""
        return self._followed(override, rest=rest) != {"track-only"}

    def resumes(self, override: PhaseName | None = None) -> bool:
        """Tell whether any state of any build may be reused, which takes a record that can be trusted."""
        return "full-resume" in self._followed(override) | (set() if override else self._followed(rest=True))

    def _followed(self, override: PhaseName | None = None, *, rest: bool = False) -> set[PhaseName]:
        overrides, phase = (self.rest_overrides, self.rest_phase) if rest else (self.overrides, self.phase)
        return {override} if override else {phase, *overrides.values()}

    def state(self, code: StateCode, name: str | None = None) -> StateConfig:
        """Give what is configured for a state; defaults for one that only the build knows."""
        for each in self.states:
            if each.code == code and each.codes is None:
                return each if each.name or not name else each.but(name=name)
            if each.codes is not None and code in each.codes:
                return each.but(code=code, name=name or each.name, codes=None)
        return StateConfig(code=code, name=name)


def find_project(start: str) -> str | None:
    """Give the nearest directory, from `start` upwards, that holds a toolkit.toml; None when there is none."""
    directory = os.path.abspath(start)
    while not os.path.isfile(os.path.join(directory, FILE)):
        parent = os.path.dirname(directory)
        if parent == directory:
            return None
        directory = parent
    return directory


def load_project(directory: str | None = None) -> Project:
    """Read the project in a directory, by default the present one; ConfigurationError when its file is wrong."""
    where = os.path.abspath(directory or ".")
    file = os.path.join(where, FILE)
    if not os.path.lexists(file):
        return _project(where, None, {})
    content = _read(file, "Write one with `toolkit init`.")
    kept = os.path.join(where, STATE_DIRECTORY)
    document = recall(kept, content)
    if document is not None:
        try:
            return _project(where, file, document)
        except (AttributeError, KeyError, TypeError, ValueError):
            forget(kept, content)
    document = _checked(content, file)
    remember(kept, content, document)
    return _project(where, file, document)


def check_project(directory: str) -> list[Fault]:
    """Give all that is wrong with, or doubtful about, the toolkit.toml of a directory, in the order of its lines.

    ConfigurationError when there is none that can be read.
    """
    from toolkit.configure.checking import check

    where = os.path.abspath(directory)
    file = os.path.join(where, FILE)
    content = _read(file, "Write one with `toolkit init`.")
    document, faults = check(content, _shown(file))
    if document is not None:
        remember(os.path.join(where, STATE_DIRECTORY), content, document)
    return faults


def with_policy(project: Project, file: str) -> Project:
    """Give a project the rules, strategies and budget of another file, and its states where it has any.

    ConfigurationError when that file, which is written like toolkit.toml, is wrong.
    """
    document = _checked(_read(file, "Name a file written like toolkit.toml."), file)
    tried = _project(project.directory, project.file, document)
    return project.but(policy=tried.policy, states=tried.states or project.states)


def store_url(project: Project, option: str | None = None) -> str:
    """Give the address of the project's history: as asked for, as the environment says, or beside the project."""
    here = f"sqlite:///{os.path.join(project.state_directory, 'history.db')}"
    return option or os.environ.get("TOOLKIT_STORE") or here


def _read(file: str, without: str) -> bytes:
    try:
        with open(file, "rb") as opened:
            return opened.read()
    except FileNotFoundError:
        raise ConfigurationError(f"there is no {_shown(file)}", hint=without) from None
    except OSError as error:
        raise ConfigurationError(f"cannot read {_shown(file)}: {error.strerror}", hint="Make it readable.") from None


def _checked(content: bytes, file: str) -> dict[str, Any]:
    from toolkit.configure.checking import check

    document, faults = check(content, _shown(file))
    if document is None:
        errors = [fault for fault in faults if not fault.warning]
        more = f" (and {len(errors) - 1} more: `toolkit check` tells all)" if len(errors) > 1 else ""
        raise ConfigurationError(f"{errors[0].text}{more}", hint=errors[0].remedy or None)
    return document


def _shown(file: str) -> str:
    """A path as short as it can be said from here."""
    try:
        relative = os.path.relpath(file)
    except OSError:  # the folder we are in was removed
        return file
    return file if relative.startswith("..") else relative


# ---------------------------------------------------------------- from the normal form to values


def _project(directory: str, file: str | None, document: Mapping[str, Any]) -> Project:
    pipeline = {"name": os.path.basename(directory) or "build", **document.get("pipeline", {})}
    rest = document.get("rest", {})
    states = sorted(map(_state, document.get("states", ())), key=lambda state: state.code)
    top = {key: document[key] for key in ("phase", "share") if key in document}
    return Project(
        directory=directory,
        file=file,
        **top,
        overrides=_phases(document.get("phases", {})),
        rest_phase=rest.get("phase", "track-only"),
        rest_overrides=_phases(rest.get("phases", {})),
        pipeline=_value(PipelineConfig, pipeline),
        states=tuple(states),
        policy=_policy(document),
        rules=tuple(_value(FailureRule, each) for each in document.get("rules", ())),
        notify=_value(Notify, document.get("notify", {})),
        publish=_value(Publish, document.get("publish", {})),
        redact=_value(Redact, document.get("redact", {})),
        prices=_value(Prices, document.get("prices", {})),
    )


def _policy(document: Mapping[str, Any]) -> Policy:
    own = {
        name: BUILT_IN[name].but(**_fields(each)) if name in BUILT_IN else _value(Strategy, {"name": name, **each})
        for name, each in document.get("strategies", {}).items()
    }
    return Policy(
        rules=tuple(_value(RetryRule, each) for each in document.get("policy", ())),
        strategies={**BUILT_IN, **own} if own else BUILT_IN,
        budget=_value(Budget, document.get("budget", {})),
    )


def _state(written: Mapping[str, Any]) -> StateConfig:
    codes = parse_codes(written["code"])
    low, high = codes.spans[0]
    several = low != high or len(codes.spans) > 1
    return _value(StateConfig, {**written, "code": low, **({"codes": codes} if several else {})})


def _phases(written: Mapping[str, PhaseName]) -> Mapping[CodeRange, PhaseName]:
    return {parse_codes(codes): phase for codes, phase in written.items()}


def _value(kind: type[AnyValue], written: Mapping[str, Any]) -> AnyValue:
    return kind(**_fields(written))


def _fields(written: Mapping[str, Any]) -> dict[str, Any]:
    """What JSON writes as lists and texts, as the fields of a value. A key that is null was not given."""
    return {
        key: tuple(value) if isinstance(value, list) else parse_codes(value) if key == "states" else value
        for key, value in written.items()
        if value is not None
    }
