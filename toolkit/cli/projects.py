"""`toolkit init` and `check`: a project's configuration, written and judged."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from toolkit.cli.opening import JsonOption, ProjectOption, StoreOption, print_json
from toolkit.core.words import how_many
from toolkit.errors import ConfigurationError, NotFound, Refused, ToolkitError


def register(cli: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (init, check):
        cli.command()(command)


def init(
    name: Annotated[str | None, typer.Option(help="The pipeline's name; else the folder's.")] = None,
    from_log: Annotated[
        str | None, typer.Option(metavar="FILE", help="Propose states and markers from a build's log.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a toolkit.toml that is there.")] = False,
    project: ProjectOption = None,
    store: StoreOption = None,
) -> None:
    """Write a commented toolkit.toml for this folder; its phase is track-only, which changes nothing.

    Examples:

      toolkit init

      toolkit init --from-log last-build.log
    """
    del store  # every command takes it, so that a wrapper may always give it; here there is nothing to look up yet
    from toolkit.configure.init import propose_from_log, template
    from toolkit.project import FILE

    directory = os.path.abspath(project or os.getcwd())
    file = os.path.join(directory, FILE)
    if os.path.exists(file) and not force:
        raise Refused(f"{file} is there already", hint="Edit it, or replace it with --force.")
    states = None
    if from_log is not None:
        if not os.path.isfile(from_log):
            raise NotFound(f"there is no file {from_log}", hint="Name the log of an earlier build.")
        with open(from_log, encoding="utf-8", errors="replace") as log:
            states = propose_from_log(log)
    text = template(name or os.path.basename(directory) or "build", states)
    try:
        os.makedirs(directory, exist_ok=True)
        with open(file, "w", encoding="utf-8") as out:
            out.write(text)
    except OSError as error:
        raise ConfigurationError(
            f"cannot write {file}: {error.strerror}", hint="Choose a folder that you may write to with --project."
        ) from None
    print(f"wrote {os.path.relpath(file)}")
    if states:
        print(f"{how_many(len(states), 'state')} proposed from {from_log}: look them through, then run `toolkit check`")
        print(f"`toolkit import {from_log} --exit-code N` takes the log into the history; N is how that build ended")
    elif states is not None:
        print(f"no line of {from_log} looks like the beginning of a state: write `marker` expressions of your own")
    else:
        print("next: `toolkit run -- ./build.sh`; `toolkit shell --help` shows how to give it states")


def check(as_json: JsonOption = False, project: ProjectOption = None, store: StoreOption = None) -> int:
    """Check toolkit.toml and say everything that is wrong with it, with file, line, key and remedy.

    Of failure rules that are new it says how many recorded failures they would change.

    Example:

      toolkit check
    """
    from toolkit.project import check_project, find_project

    directory = project or find_project(os.getcwd()) or os.getcwd()
    faults = check_project(directory)
    wrong = [each for each in faults if not each.warning]
    changes, failures = ({}, 0) if wrong else _changes(directory, store)
    if as_json:
        shapes = [
            {"file": each.file, "line": each.line, "key": each.key, "message": each.message, "remedy": each.remedy,
             "warning": each.warning}
            for each in faults
        ]  # fmt: skip
        rules = [{"id": rule, "changes": count, "failures": failures} for rule, count in changes.items()]
        print_json({"ok": not wrong, "faults": shapes, "new_rules": rules})
        return 3 if wrong else 0
    for each in faults:
        print(f"{'warning' if each.warning else 'error'}: {each.text}", file=sys.stderr)
        if each.remedy:
            print(f"hint: {each.remedy}", file=sys.stderr)
    if not wrong:
        print("toolkit.toml is in order")
    for rule, count in changes.items():
        print(f"rule {rule} is new: it would change {count} of {failures} recorded failures")
    if any(changes.values()):
        print("see which with `toolkit classify --against-history`")
    return 3 if wrong else 0


def _changes(directory: str, store: str | None) -> tuple[dict[str, int], int]:
    """Say what new rules would change; nothing where there is no history, or none that can be read."""
    from toolkit.project import load_project

    project = load_project(directory)
    if not project.rules:
        return {}, 0
    from toolkit.cli.failures import changes_by_new_rules

    try:
        return changes_by_new_rules(project, store)
    except ToolkitError:
        return {}, 0
