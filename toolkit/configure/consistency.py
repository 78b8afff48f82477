"""What the parts of a toolkit.toml must be to each other: states that grow, and that what they name exists."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, NamedTuple

from toolkit.configure.faults import nearest
from toolkit.core.codes import CodeRange, parse_codes
from toolkit.core.policy import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from toolkit.configure.positions import Path
    from toolkit.configure.schema import File


class Found(NamedTuple):
    """Something wrong, or with `warning` only doubtful, about the key at a path of the file."""

    path: Path
    message: str
    remedy: str
    warning: bool = False


def states_grow(file: File) -> Iterator[Found]:
    """Each state has a code of its own, and codes grow."""
    before: CodeRange | None = None
    for place, state in enumerate(file.states):
        path, codes = ("states", place, "code"), parse_codes(state.code)
        earlier = (each.code for each in file.states[:place])
        overlapped = next((each for each in earlier if codes.overlaps(parse_codes(each))), None)
        if overlapped is not None:
            yield Found(path, f"{state.code} overlaps {overlapped}", "Give it a code of its own.")
        elif before is not None and codes.spans[0][0] < before.spans[0][0]:
            remedy = "List the states in the order in which they run; codes grow."
            yield Found(path, f"{state.code} stands after {before}", remedy)
        before = codes


def markers_differ(file: File) -> Iterator[Found]:
    """A line starts one state."""
    seen: dict[str, str] = {}
    for place, state in enumerate(file.states):
        if state.marker and state.marker in seen:
            told = f"'{state.marker}' is also the marker of state {seen[state.marker]}"
            yield Found(("states", place, "marker"), told, "A line starts one state: tell them apart.")
        if state.marker:
            seen.setdefault(state.marker, state.code)


def ranges_share(file: File) -> Iterator[Found]:
    """States that are configured together have nothing that only one can have."""
    for place, state in enumerate(file.states):
        for key in ("marker", "run", "outputs", "checkpoint", "restore"):
            if not state.code.isdigit() and getattr(state, key):
                told = f"{state.code} is several states, which cannot share this"
                remedy = "Write a [[states]] entry for the state that it belongs to."
                yield Found(("states", place, key), told, remedy)


def pipelines_are_whole(file: File) -> Iterator[Found]:
    """A pipeline that runs itself runs every state, and what saves can restore."""
    single = [(place, state) for place, state in enumerate(file.states) if state.code.isdigit()]
    for place, state in single:
        if not state.run and any(each.run for _, each in single):
            told = f"state {state.code} has no `run`, though others do"
            yield Found(("states", place), told, "`toolkit run` without a command leaves it out.", warning=True)
        if bool(state.checkpoint) != bool(state.restore):
            has, lacks = ("checkpoint", "restore") if state.checkpoint else ("restore", "checkpoint")
            told = f"a {has} without a {lacks} is of no use"
            yield Found(("states", place, has), told, f"Add {lacks}, or drop it.", warning=True)
        if state.checkpoint and state.marker and not state.run:
            told = f"a script that only prints markers does not wait at state {state.code}: no checkpoint of it is kept"
            remedy = "Let the script say `state CODE -- COMMAND`, give the state a `run`, or drop checkpoint."
            yield Found(("states", place, "checkpoint"), told, remedy, warning=True)
    if file.pipeline.resume_command and "{state}" not in file.pipeline.resume_command:
        remedy = "Write {state} where the code of the failed state belongs."
        yield Found(("pipeline", "resume_command"), "does not say where to go on", remedy, warning=True)


def strategies_exist(file: File) -> Iterator[Found]:
    """A state names a strategy that there is."""
    known = (*BUILT_IN, *(name for name in file.strategies if name not in BUILT_IN))
    for place, state in enumerate(file.states):
        if state.strategy is not None and state.strategy not in known:
            remedy = nearest(state.strategy, known)
            yield Found(("states", place, "strategy"), f"there is no strategy '{state.strategy}'", remedy)


def fatal_rules_exist(file: File) -> Iterator[Found]:
    """A state names failure rules that there are."""
    wanted = [(place, name) for place, state in enumerate(file.states) for name in state.fatal]
    if not wanted:
        return
    from toolkit.core.rules import BUILT_IN as KNOWN

    known = sorted({*(rule.id for rule in KNOWN), *(rule.id for rule in file.rules)})
    for place, name in wanted:
        if name not in known:
            yield Found(("states", place, "fatal"), f"there is no failure rule '{name}'", _closest(name, known))


def _closest(name: str, known: Sequence[str]) -> str:
    advice = nearest(name, known)
    return advice if advice.startswith("Did") else "Name a built-in rule or one of [[rules]]."


def phases_differ(file: File) -> Iterator[Found]:
    """Every state follows one phase, and a share leaves some builds for the rest."""
    of_rest = file.rest.phases if file.rest is not None else {}
    tables: tuple[tuple[Path, dict[str, str]], ...] = ((("phases",), file.phases), (("rest", "phases"), of_rest))
    for path, phases in tables:
        ranges = [(text, parse_codes(text)) for text in phases]
        for place, (text, codes) in enumerate(ranges):
            other = next((each for each, earlier in ranges[:place] if codes.overlaps(earlier)), None)
            if other is not None:
                yield Found((*path, text), f"{text} overlaps {other}", "Give each state one phase.")
    if file.rest is not None and file.share >= 1:
        told = "nobody follows it: there is no share below 100%"
        yield Found(("rest",), told, "Set share, or drop [rest].", warning=True)


def notices_arrive(file: File) -> Iterator[Found]:
    """Who wants messages says where they go, and what sends them is there."""
    notify = file.notify
    if notify.model_fields_set and not {"command", "urls"} & notify.model_fields_set:
        told = "nobody is told: there is neither a command nor an address"
        yield Found(("notify",), told, "Set command, or urls.", warning=True)
    if "on" in notify.model_fields_set and not notify.on:
        yield Found(("notify", "on"), "nothing is told of", "Name hold, failure or breaker.", warning=True)
    plain = [(place, url) for place, url in enumerate(notify.urls) if not url.startswith("env:")]
    if notify.urls:
        try:
            import apprise
        except ImportError:
            told = "Apprise is not installed, so nothing is sent there"
            yield Found(("notify", "urls"), told, "Install the extra `notify`.", warning=True)
            return
        for place, url in plain:
            with warnings.catch_warnings(action="ignore"):  # its plugins load what Python deprecates
                known = apprise.Apprise.instantiate(url, suppress_exceptions=True)
            if not known:
                told = f"'{url.partition(':')[0]}:…' is no address that Apprise knows"
                yield Found(("notify", "urls", place), told, "See `apprise --details`.", warning=True)
