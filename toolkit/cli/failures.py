"""`toolkit classify`: the kind of failure that an output shows, the history judged again, and rules of one's own."""

from __future__ import annotations

import json
import os
import sys
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolkit.cli import completing
from toolkit.cli.data import tables_of
from toolkit.cli.opening import (
    JsonOption,
    ProjectOption,
    StoreOption,
    open_project,
    print_json,
    print_long_json,
    print_table,
)
from toolkit.core.words import how_many
from toolkit.errors import ConfigurationError, NotFound, NothingRecorded, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from analysis.reclassify import Again
    from analysis.unmatched import Unmatched
    from toolkit.core.failure import Failure
    from toolkit.project import Project

_MOST_SHOWN = 20
_SHOWN = 5
"""So many lines prove a class to a reader; the weightiest come first."""


def register(cli: typer.Typer) -> None:
    """Add the command to the command line."""
    cli.command()(classify)


def classify(
    file: Annotated[str, typer.Argument(metavar="[FILE|-]", help="The output of a failed attempt; - is stdin.")] = "-",
    exit_code: Annotated[
        int | None, typer.Option(metavar="N", help="How the command ended; of a rule, what it asks for.")
    ] = None,
    signal: Annotated[int | None, typer.Option(metavar="N", help="The signal that ended it.")] = None,
    state: Annotated[
        int | None, typer.Option(metavar="CODE", help="The state that failed.", autocompletion=completing.states)
    ] = None,
    lines: Annotated[
        bool, typer.Option("--lines", help="Classify each line on its own; a JSON object a line.")
    ] = False,
    against_history: Annotated[
        bool, typer.Option("--against-history", help="Which recorded failures would the present rules change?")
    ] = False,
    unmatched: Annotated[
        bool, typer.Option("--unmatched", help="The recorded failures that no rule knows, alike ones together.")
    ] = False,
    add_rule: Annotated[str | None, typer.Option(metavar="ID", help="Write a rule into toolkit.toml.")] = None,
    failure_class: Annotated[str | None, typer.Option("--class", metavar="CLASS", help="What the rule means.")] = None,
    match: Annotated[
        str | None, typer.Option(metavar="REGEX", help="What the rule looks for; else it is made from --from.")
    ] = None,
    like: Annotated[
        str | None, typer.Option("--from", metavar="SIGNATURE", help="The failures of --unmatched it is about.")
    ] = None,
    states: Annotated[str | None, typer.Option(metavar="CODES", help="The rule is for these states only.")] = None,
    as_json: JsonOption = False,
    project: ProjectOption = None,
    store: StoreOption = None,
) -> None:
    """Say what kind of failure an output shows: class, signature, and the lines that prove it.

    Examples:

      toolkit classify build.log --exit-code 100

      dmesg | toolkit classify --lines

      toolkit classify --unmatched

      toolkit classify --add-rule broker.lost --class network --from tmpl.0a1b2c3d4e

      toolkit classify --against-history
    """
    here = open_project(project)
    if add_rule is not None:
        _add_rule(here, store, _asked(add_rule, failure_class, states, exit_code), match, like, as_json=as_json)
    elif failure_class is not None or match is not None or like is not None or states is not None:
        raise UsageError("--class, --match, --from and --states describe a rule", hint="Name it with --add-rule ID.")
    elif against_history:
        _tell_changes(_judged_again(here, store), as_json=as_json)
    elif unmatched:
        _tell_unmatched(_queue(here, store), as_json=as_json)
    else:
        _classify(here, file, exit_code, signal, state, lines=lines, as_json=as_json)


def _classify(
    project: Project, file: str, exit_code: int | None, signal: int | None, state: int | None,
    *, lines: bool, as_json: bool,
) -> None:  # fmt: skip
    from toolkit.core.failure import Classifier

    classifier = Classifier([each.rule() for each in project.rules])
    if file != "-" and not os.path.isfile(file):
        raise NotFound(f"there is no file {file}", hint="Name a file that exists, or - for stdin.")
    if file == "-" and sys.stdin.isatty():
        print("reading what is typed here, until Ctrl-D; or name a file", file=sys.stderr)
    with sys.stdin.buffer if file == "-" else open(file, "rb") as source:
        if lines:
            for found in classifier.classify_lines(source, state=state):
                print(json.dumps(_shape(found), ensure_ascii=False))
            return
        pieces = iter(lambda: source.read(1 << 20), b"")
        found = classifier.classify(pieces, exit_code=exit_code, signal=signal, state=state)
    if as_json:
        print_json(_shape(found))
        return
    print(f"{found.failure_class} ({found.group}), signature {found.signature}, confidence {found.confidence:.2f}")
    for each in found.evidence[:_SHOWN]:
        print(f"  line {each.line:<7}{each.text}")
    if len(found.evidence) > _SHOWN:
        print(f"  and {how_many(len(found.evidence) - _SHOWN, 'line')} around them, which --json shows")


def _shape(found: Failure) -> dict[str, Any]:
    return {
        "class": found.failure_class, "group": found.group, "signature": found.signature, "rule": found.rule,
        "confidence": round(found.confidence, 3), "template": found.template,
        "evidence": [{"line": each.line, "text": each.text} for each in found.evidence],
    }  # fmt: skip


# ---------------------------------------------------------------- the recorded failures


def changes_by_new_rules(project: Project, store: str | None) -> tuple[dict[str, int], int]:
    """Say how many recorded failures each rule would change that none of them knows yet, and of how many failures.

    Quickly: by the words that were kept of them, without their logs.
    """
    from analysis.reclassify import NoLogs, changed_by, ended, reclassify

    with tables_of(project, store) as tables:
        again = reclassify(ended(tables.duckdb()), [each.rule() for each in project.rules], NoLogs())
        return changed_by(again, [each.id for each in project.rules])


def _judged_again(project: Project, store: str | None) -> Iterator[Again]:
    from analysis.reclassify import ended, reclassify
    from toolkit.supervise.captured import Captured

    rules = [each.rule() for each in project.rules]
    with tables_of(project, store) as tables:
        yield from reclassify(ended(tables.duckdb()), rules, Captured(project.directory))


class _Changes:
    """The failures that are called something else, as they come by; each is looked at once and none is kept."""

    def __init__(self, again: Iterable[Again], rule: str | None = None) -> None:
        """Only those that `rule` changes, where it is named."""
        self.failures = 0
        """Of all, so far."""
        self._again = again
        self._rule = rule

    def __iter__(self) -> Iterator[Again]:
        for each in self._again:
            self.failures += 1
            if each.changed and self._rule in {None, each.present.rule}:
                yield each

    def shapes(self) -> Iterator[dict[str, Any]]:
        return (each.shape() for each in self)

    def counted(self) -> dict[str, int]:
        """Say how many there were, once all have come by."""
        return {"failures": self.failures}


class _Kind:
    """Failures that change alike."""

    def __init__(self) -> None:
        self.failures = 0
        self.states: set[int] = set()
        self.latest: Again | None = None

    def add(self, each: Again) -> None:
        self.failures += 1
        self.states.add(each.state)
        self.latest = each

    def row(self) -> list[Any]:
        if self.latest is None:
            return []
        states = ", ".join(map(str, sorted(self.states)))
        return [self.failures, states, self.latest.build, self.latest.evidence[1][:80]]


def _queue(project: Project, store: str | None) -> list[Unmatched]:
    from analysis.unmatched import queue

    return queue(_judged_again(project, store))


def _tell_changes(again: Iterable[Again], *, as_json: bool) -> None:
    changed = _Changes(again)
    if as_json:
        print_long_json(changed.counted, "changed", changed.shapes())
        return
    kinds: defaultdict[tuple[str, str], _Kind] = defaultdict(_Kind)
    for each in changed:
        kinds[_called(each.recorded), _called(each.present)].add(each)
    of_all = f"{sum(kind.failures for kind in kinds.values())} of {how_many(changed.failures, 'recorded failure')}"
    print(f"{of_all} would be called something else by the present rules")
    if not kinds:
        return
    print()
    print_table(
        ["recorded as", "now", "failures", "states", "latest build", "evidence"],
        [[*called, *kind.row()] for called, kind in sorted(kinds.items(), key=lambda item: -item[1].failures)],
        right=frozenset({2}),
    )


def _tell_unmatched(waiting: Sequence[Unmatched], *, as_json: bool) -> None:
    if as_json:
        print_json({"unmatched": [each.shape() for each in waiting]})
        return
    if not waiting:
        print("every recorded failure is known to a rule")
        return
    failures = how_many(sum(each.failures for each in waiting), "recorded failure")
    print(f"{failures} of {how_many(len(waiting), 'kind')} that no rule knows\n")
    for each in waiting[:_MOST_SHOWN]:
        told = each.shape()
        where = f"state {', '.join(map(str, each.states))}" + (f" on {', '.join(each.hosts)}" if each.hosts else "")
        print(f"{each.signature}  {how_many(each.failures, 'time')}, {told['first']} to {told['last']}, {where}")
        print(f"  {each.template}")
        print(f"  {each.builds[0]}{'' if each.line is None else f' line {each.line}'}: {each.text[:160]}")
        print(f"  toolkit classify --add-rule ID --class CLASS {_how(each)}\n")
    if len(waiting) > _MOST_SHOWN:
        print(f"and {how_many(len(waiting) - _MOST_SHOWN, 'kind')} more: --json tells all")


def _how(each: Unmatched) -> str:
    known = each.match is not None or each.exit_code is not None
    return f"--from {each.signature}" if known else "--match REGEX"


def _called(named: Any) -> str:  # noqa: ANN401 - `analysis` is imported late
    return " ".join(filter(None, (named.failure_class, named.signature))) or "nothing"


# ---------------------------------------------------------------- a rule of one's own


def _asked(name: str, failure_class: str | None, states: str | None, exit_code: int | None) -> dict[str, Any]:
    from toolkit.core.classes import CLASSES

    if failure_class not in CLASSES:
        told = "no class is named" if failure_class is None else f"{failure_class!r} is no class"
        raise UsageError(f"{told} for the rule {name}", hint=f"Say --class with one of {', '.join(CLASSES)}.")
    ends = None if exit_code is None else [exit_code]
    rule = {"id": name, "class": failure_class, "states": states, "exit_codes": ends}
    return {key: value for key, value in rule.items() if value is not None}


def _add_rule(
    project: Project, store: str | None, rule: dict[str, Any], match: str | None, like: str | None, *, as_json: bool
) -> None:
    from toolkit.configure.edit import add_rule
    from toolkit.project import load_project

    if project.file is None:
        raise ConfigurationError("there is no toolkit.toml to write the rule to", hint="Write one with `toolkit init`.")
    if like is not None:
        entry = _entry(_queue(project, store), like)
        match = match or entry.match
        if match is not None:
            rule = {**rule, "match": match, "example": entry.text}
        elif entry.exit_code is not None:
            rule = {**rule, "exit_codes": [entry.exit_code]}
        else:
            raise UsageError(f"too little of {like} stays the same for a rule", hint="Say what to look for: --match.")
    elif match is not None:
        rule = {**rule, "match": match}
    elif "exit_codes" not in rule:
        hint = "Add --match, --from or --exit-code."
        raise UsageError(f"nothing is said of what the rule {rule['id']} looks for", hint=hint)
    add_rule(project.file, rule)
    changed = _Changes(_judged_if_any(load_project(project.directory), store), rule["id"])
    if as_json:
        print_long_json(lambda: {"rule": rule, **changed.counted()}, "changed", changed.shapes())
        return
    number = sum(1 for _ in changed)
    sought = f"where a line matches {match}" if match is not None else f"where the exit code is {rule['exit_codes'][0]}"
    print(f"{os.path.relpath(project.file)}: rule {rule['id']} means {rule['class']} {sought}")
    of_all = f"{number} of {how_many(changed.failures, 'recorded failure')}"
    print(f"{of_all} would be called so; what is recorded stays as it is")


def _judged_if_any(project: Project, store: str | None) -> Iterator[Again]:
    with suppress(NothingRecorded):
        yield from _judged_again(project, store)


def _entry(waiting: Sequence[Unmatched], name: str) -> Unmatched:
    for each in waiting:
        if name == each.signature or name in each.signatures:
            return each
    raise NotFound(f"no failure that lacks a rule has the signature {name}", hint="See `toolkit classify --unmatched`.")
