"""`toolkit doctor`: whether store, configuration and failure rules are sound, and which retries nest."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import typer

from toolkit.cli.data import tables_of, watch_over
from toolkit.cli.opening import JsonOption, ProjectOption, StoreOption, history_of, print_json
from toolkit.cli.taints import taints_of
from toolkit.cli.taints import told as tainted
from toolkit.core.words import how_many
from toolkit.errors import ConfigurationError, NotFound, StoreDamaged

if TYPE_CHECKING:
    from analysis.watch import Watched
    from toolkit.configure.faults import Fault
    from toolkit.configure.nested import Nested, Nesting
    from toolkit.project import Project


def register(cli: typer.Typer) -> None:
    """Add the command to the command line."""
    cli.command()(doctor)


def doctor(as_json: JsonOption = False, project: ProjectOption = None, store: StoreOption = None) -> int:
    """Check store, configuration and failure rules; exit code 5 when the store is not sound, 3 for the configuration.

    Told of the rules: which of them match successful attempts too, failures of one host, and recent outages. Told of
    retries: those inside the wrapped commands and in the CI around us, and how often a command is tried at the worst,
    as nested retries multiply.

    Example:

      toolkit doctor
    """
    from toolkit.project import find_project

    where = project or find_project(os.getcwd()) or os.getcwd()
    faults, here = _configuration(where)
    errors = [fault for fault in faults if not fault.warning]
    try:
        with history_of(here, store) as kept:
            found = kept.check()
    except StoreDamaged as error:
        found = [f"{error}; it was left untouched, and `toolkit export` still gets out what is readable"]
    except NotFound:
        found = []
    code = 5 if found else 3 if errors else 0
    watched = None if code else _watched(here, store)
    retries, nesting = _nested(here)
    taints = {} if code else taints_of(here, store)
    if as_json:
        told = None if watched is None else watched.model_dump(mode="json")
        wrong = [fault.text for fault in faults]
        nested = _shape(retries, nesting)
        print_json({
            "ok": not code, "store": found, "configuration": wrong, "watched": told, "retries": nested,
            "tainted": sorted(taints),
        })  # fmt: skip
        return code
    worth = [] if watched is None else [f"look at: {line}" for line in watched.lines]
    worth += [f"look at: rule {tainted(rule, taint)}" for rule, taint in taints.items()]
    for line in [*found, *(fault.text for fault in faults), *worth, *_lines(retries, nesting)] or ["all is well"]:
        print(line)
    return code


def _configuration(where: str) -> tuple[list[Fault], Project]:
    """Give what is wrong with, or doubtful about, a folder's toolkit.toml, and the project as far as it can be had."""
    from toolkit.core.pipeline import PipelineConfig
    from toolkit.project import FILE, Project, check_project, load_project

    if not os.path.lexists(os.path.join(where, FILE)):
        return [], load_project(where)
    faults = check_project(where)
    try:
        return faults, load_project(where)
    except ConfigurationError:
        directory = os.path.abspath(where)
        return faults, Project(directory=directory, pipeline=PipelineConfig(name=os.path.basename(directory)))


def _watched(project: Project, store: str | None) -> Watched | None:
    from analysis.study import MOST_BUILDS

    try:
        with tables_of(project, store) as tables:
            return watch_over(tables.recent(MOST_BUILDS), project)
    except NotFound:
        return None


def _nested(project: Project) -> tuple[list[Nested], Nesting]:
    from toolkit.configure.nested import nested_retries, nesting

    commands = (
        (f"{hook} of state {state.code}", command)
        for state in project.states
        for hook, command in (("run", state.run), ("verify", state.verify), ("reset", state.reset))
        if command
    )
    found = nested_retries(project.directory, commands)
    return found, nesting(found, ours=_ours(project))


def _ours(project: Project) -> int:
    """Say how often we try a state at the most, over all the runs that we begin by ourselves."""
    most = 1
    if project.acts():
        policy = project.policy
        strategies = (policy.strategy_of(state) for state in project.states)
        rules = (rule.max_attempts for rule in policy.rules if rule.action == "retry")
        most = max((most, *rules, *(each.max_attempts for each in strategies if each is not None)))
    return most * (1 + project.pipeline.restarts)


def _lines(retries: list[Nested], nesting: Nesting) -> list[str]:
    if not retries:
        return []
    tries = [
        f"retries: {each.file}:{each.line}: {each.what}"
        + (", without an end of its own" if each.attempts is None else f", {how_many(each.attempts, 'attempt')}")
        for each in retries
    ]
    return [*tries, f"retries: {nesting.text}"]


def _shape(retries: list[Nested], nesting: Nesting) -> dict[str, Any]:
    return {
        "found": [dict(each.__dict__) for each in retries],
        **nesting.__dict__,
        "product": nesting.product,
    }
