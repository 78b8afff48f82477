"""`toolkit why`: what failed in a build, the proof, and what was decided, for people and for the CI around us."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolkit.cli.opening import (
    BuildArgument,
    JsonOption,
    ProjectOption,
    StoreOption,
    history_of,
    open_project,
    print_json,
    row_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolkit.core.events import CleanVerified
    from toolkit.core.progress import Attempt


def register(cli: typer.Typer) -> None:
    """Add the command to the command line."""
    cli.command()(why)


def why(
    build: BuildArgument = None,
    as_json: JsonOption = False,
    ci: Annotated[
        bool, typer.Option("--ci", help="Tell the CI system around us: annotations, folded output, job summary.")
    ] = False,
    system: Annotated[
        str | None, typer.Option(metavar="NAME", help="With --ci: github, gitlab, azure, buildkite, teamcity, jenkins.")
    ] = None,
    junit: Annotated[str | None, typer.Option(metavar="FILE", help="Write a JUnit report there; - is stdout.")] = None,
    project: ProjectOption = None,
    store: StoreOption = None,
) -> None:
    """Say why a build stands where it stands: what failed, the proof, the decision and what other phases would do.

    In a CI job, `toolkit why --ci` is a step behind the build, run whatever became of it: the build's own output stays
    as it is. The system is recognised by its environment. `[publish]` in toolkit.toml does the same after each run.

    Examples:

      toolkit why

      toolkit why b-0007 --json

      toolkit why --ci --junit states.xml
    """
    from toolkit.core.provenance import run_actions, status_text
    from toolkit.core.verifying import tainted

    here = open_project(project)
    with history_of(here, store) as kept:
        progress = kept.progress(row_of(kept, build).build)
        taints = tainted(kept.project_events())
    if junit is not None:
        from toolkit.cli.writing import write_whole
        from toolkit.exporters.junit import junit as report

        write_whole(junit, report(progress))
    if ci or system is not None:
        from toolkit.cli.ci import tell_ci

        tell_ci(progress, here.directory, system)
        return
    if junit is not None and not as_json:
        return
    failed = [each for each in progress.attempts if each.status == "failed"]
    if as_json:
        print_json({
            "build": progress.build, "status": progress.status, "run": progress.run,
            "states": run_actions(progress), "failures": [_why(each) for each in failed],
        })  # fmt: skip
        return
    print(f"{progress.build} is {status_text(progress)} at state {progress.current}")
    if progress.run > 1:
        print(f"\nwhat run {progress.run} did:")
        for told in run_actions(progress):
            print(f"  {told['action']:<6} {told['code']:>4} {told['name'] or '':<14} {told['why'] or ''}".rstrip())
    if not failed:
        print("nothing failed in it")
    for each in failed[-3:]:
        _print_why(each)
    _print_taints(failed, taints)


def _print_taints(failed: list[Attempt], taints: Mapping[str, CleanVerified]) -> None:
    from toolkit.cli.taints import told

    for rule in dict.fromkeys(each.decision.rule for each in failed if each.decision and each.decision.rule):
        if rule in taints:
            print(f"\n{told(rule, taints[rule])}")


def _why(attempt: Attempt) -> dict[str, Any]:
    from toolkit.core.classes import GROUP_OF
    from toolkit.core.interchange import decision_shape

    decision = {"decision": None, "shadow": None} if attempt.decision is None else decision_shape(attempt.decision)
    return {
        "state": attempt.state, "name": attempt.name, "run": attempt.run, "attempt": attempt.attempt,
        "error": attempt.error, "exit_code": attempt.exit_code, "signal": attempt.signal,
        "class": attempt.failure_class, "group": GROUP_OF.get(attempt.failure_class or ""),
        "signature": attempt.signature, "rule": attempt.rule, "confidence": attempt.confidence,
        "template": attempt.template,
        "evidence": [{"line": line, "text": text} for line, text in attempt.evidence], **decision,
    }  # fmt: skip


def _print_why(attempt: Attempt) -> None:
    told = _why(attempt)
    label = f"{attempt.state} {attempt.name}" if attempt.name else str(attempt.state)
    print(f"\nstate {label}, run {attempt.run}, attempt {attempt.attempt}: {attempt.error}")
    if attempt.failure_class:
        print(f"  class      {attempt.failure_class} ({told['group']}), signature {attempt.signature}")
    for line, text in attempt.evidence[:5]:
        print(f"  line {line:<6}{text}")
    if attempt.decision is not None:
        print(f"  decision   {attempt.decision.action}: {attempt.decision.reason}")
        for phase, what in attempt.decision.shadow.items():
            print(f"  {phase:<16} would {what['action']}: {what['reason']}")
