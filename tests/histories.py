"""Invented histories: short words to write one down, and strategies that make many.

`history(fails(5, "net.timeout"), completes(5), completes(10))` is the list of facts of one build. Each word is a minute
long. A state that fails and is tried again is a retry in place; `restarts()` begins another run.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

from toolkit.core import events as ev

BUILD = "b-0001"
PIPELINE = "golden-image"
T0 = 1_772_359_200_000
"""2026-03-01T10:00:00.000Z."""
MINUTE = 60_000

Step = Callable[["Telling"], Iterator[ev.Event]]


class Telling:
    """What the words so far have come to: the clock, the run, and the attempts that are open."""

    def __init__(self, build: str, start_ms: int, pace_ms: int, host: str, phase: str) -> None:
        """Tell of `build` from `start_ms` on, each word taking `pace_ms`."""
        self.build, self.now, self.pace, self.host, self.phase = build, start_ms, pace_ms, host, phase
        self.run = 0
        self.run_started_ms = start_ms
        self.attempts: dict[int, int] = {}
        self.open: dict[int, int] = {}

    def event(self, cls: type[ev.Event], **fields: Any) -> ev.Event:
        return cls(build=self.build, ts_ms=self.now, **fields)

    def at(self, cls: type[ev.Event], code: int, **fields: Any) -> ev.Event:
        return self.event(cls, run=self.run, state=code, **fields)

    def opened(self, code: int, name: str | None) -> Iterator[ev.Event]:
        """Start an attempt, unless one is open."""
        if code not in self.open:
            self.attempts[code] = self.attempts.get(code, 0) + 1
            self.open[code] = self.now
            yield self.at(
                ev.AttemptStarted, code, attempt=self.attempts[code], name=name, host=self.host, phase=self.phase
            )

    def closed(self, cls: type[ev.Event], code: int, **fields: Any) -> ev.Event:
        self.now += self.pace
        seconds = (self.now - self.open.pop(code)) / 1000
        return self.at(cls, code, attempt=self.attempts[code], duration=seconds, **fields)


def history(
    *steps: Step,
    build: str = BUILD,
    pipeline: str | None = PIPELINE,
    target: str | None = None,
    start_ms: int = T0,
    pace_ms: int = MINUTE,
    host: str = "builder1",
    phase: str = "track-only",
    holder: str | None = None,
) -> list[ev.Event]:
    """Give the facts of a build that begins, starts its first run, and goes on as the words say."""
    telling = Telling(build, start_ms, pace_ms, host, phase)
    events = [telling.event(ev.BuildBegun, pipeline=pipeline, target=target)]
    for step in (_runs("first", holder), *steps):
        events += step(telling)
    return events


def _runs(reason: ev.RunReason, holder: str | None) -> Step:
    def step(telling: Telling) -> Iterator[ev.Event]:
        telling.run += 1
        telling.open.clear()
        telling.run_started_ms = telling.now
        yield telling.event(
            ev.RunStarted, run=telling.run, reason=reason, host=telling.host, phase=telling.phase, holder=holder
        )

    return step


def starts(code: int, name: str | None = None) -> Step:
    """An attempt begins and stays open."""
    return lambda telling: telling.opened(code, name)


def completes(code: int, name: str | None = None) -> Step:
    """An attempt comes through: the open one, or a new one."""

    def step(telling: Telling) -> Iterator[ev.Event]:
        yield from telling.opened(code, name)
        yield telling.closed(ev.AttemptCompleted, code, name=name)

    return step


def fails(  # noqa: PLR0917 - the facts of a failure
    code: int,
    signature: str | None = None,
    error: str | None = None,
    failure_class: str | None = None,
    exit_code: int | None = 1,
    name: str | None = None,
) -> Step:
    """An attempt fails: the open one, or a new one; with a signature, its class is `network` unless said otherwise."""

    def step(telling: Telling) -> Iterator[ev.Event]:
        yield from telling.opened(code, name)
        told = failure_class or ("network" if signature else None)
        yield telling.closed(
            ev.AttemptFailed, code, name=name, error=error or signature, exit_code=exit_code, failure_class=told,
            signature=signature, rule=signature,
        )  # fmt: skip

    return step


def interrupts(code: int, reason: str | None = None) -> Step:
    """An attempt is cut short from outside."""

    def step(telling: Telling) -> Iterator[ev.Event]:
        yield from telling.opened(code, None)
        yield telling.closed(ev.AttemptInterrupted, code, reason=reason)

    return step


def decides(code: int, action: str, wait: float | None = None, reason: str = "so it was decided") -> Step:
    """Somebody chose what to do after the last failure of a state."""
    return lambda telling: iter(
        [
            telling.at(
                ev.Decided, code, attempt=telling.attempts.get(code, 1), phase=telling.phase, action=action,
                reason=reason, wait=wait,
            )
        ]
    )  # fmt: skip


def waits(seconds: float) -> Step:
    """Time passes and nothing is recorded."""

    def step(telling: Telling) -> Iterator[ev.Event]:
        telling.now += int(seconds * 1000)
        return iter(())

    return step


def ends(outcome: ev.RunOutcome, exit_code: int | None = None) -> Step:
    """The run is over."""

    def step(telling: Telling) -> Iterator[ev.Event]:
        telling.open.clear()
        code = exit_code if exit_code is not None else {"completed": 0, "failed": 1}.get(outcome)
        seconds = (telling.now - telling.run_started_ms) / 1000
        yield telling.event(ev.RunEnded, run=telling.run, outcome=outcome, exit_code=code, duration=seconds)

    return step


def restarts(reason: ev.RunReason = "start-over", holder: str | None = None) -> Step:
    """Another run of the same build begins."""
    return _runs(reason, holder)


def reuses(code: int) -> Step:
    return lambda telling: iter([telling.at(ev.StateReused, code, reason="its inputs and outputs still hold")])


def skips(code: int, by: str = "ann") -> Step:
    return lambda telling: iter([telling.at(ev.StateSkipped, code, reason="done by hand", by=by)])


def resets(code: int, by: str = "ann") -> Step:
    return lambda telling: iter([telling.at(ev.StateReset, code, reason="its inputs changed", by=by)])


def gives(code: int, **values: str) -> Step:
    return lambda telling: iter([telling.at(ev.StateOutputs, code, values=values)])


def holds(code: int, by: str | None = None) -> Step:
    return lambda telling: iter([telling.event(ev.BuildHeld, state=code, reason="wants a person", by=by)])


def releases(by: str = "ann") -> Step:
    return lambda telling: iter([telling.event(ev.BuildReleased, by=by)])


def abandons(by: str = "ann") -> Step:
    return lambda telling: iter([telling.event(ev.BuildAbandoned, by=by)])


def degrades() -> Step:
    return lambda telling: iter([telling.event(ev.RecordDegraded, reason="the disk was full")])


# Strategies

CODES = (0, 5, 10, 20, 65, 70, 100)
SIGNATURES = ("net.timeout", "net.refused", "disk.full", "test.failed", "tmpl.4f1c")

codes = st.sampled_from(CODES)
step_lists = st.lists(
    st.one_of(
        codes.map(starts),
        codes.map(completes),
        codes.map(completes),
        st.builds(fails, codes, st.none() | st.sampled_from(SIGNATURES)),
        codes.map(interrupts),
        st.builds(decides, codes, st.sampled_from(["retry", "start-over", "hold", "stop"])),
        st.builds(restarts, st.sampled_from(["start-over", "resume"]), st.none() | st.just("builder1/boot/1/2")),
        st.builds(ends, st.sampled_from(["completed", "failed", "interrupted"])),
        codes.map(reuses),
        codes.map(skips),
        codes.map(resets),
        codes.map(holds),
        st.builds(releases),
        st.builds(abandons),
        st.builds(degrades),
        st.builds(gives, codes, IMAGE_ID=st.text(max_size=5)),
    ),
    max_size=25,
)


@st.composite
def histories(draw: st.DrawFn, build: str | None = None) -> list[ev.Event]:
    """Make the facts of one build, told in order and with growing times; the words need not make sense together."""
    holder = draw(st.none() | st.just("builder1/boot/1/2"))
    name = build if build is not None else draw(st.from_regex(r"b-[0-9]{4}|[a-z]{1,8}", fullmatch=True))
    pipeline = draw(st.sampled_from([PIPELINE, "kiosk", None]))
    target = draw(st.sampled_from([None, "x86_64", "arm"]))
    start = T0 + draw(st.integers(0, 10_000)) * MINUTE
    steps = draw(step_lists)
    return history(*steps, build=name, pipeline=pipeline, target=target, start_ms=start, holder=holder)


texts = st.text(max_size=20)  # lone surrogates too: build output is bytes, and not always UTF-8
numbers = st.integers(-(2**31), 2**31)
seconds = st.floats(0, 1e6, allow_nan=False)
_SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "str": texts,
    "int": numbers,
    "StateCode": codes,
    "float": seconds,
    "bool": st.booleans(),
    "RunReason": st.sampled_from(["first", "start-over", "resume"]),
    "RunOutcome": st.sampled_from(["completed", "failed", "interrupted"]),
    "tuple[str, ...]": st.lists(texts, max_size=3).map(tuple),
    "tuple[tuple[int, str], ...]": st.lists(st.tuples(numbers, texts), max_size=3).map(tuple),
    "Mapping[str, str]": st.dictionaries(texts, texts, max_size=3),
    "Mapping[str, Any]": st.dictionaries(texts, st.none() | texts | numbers | seconds | st.booleans(), max_size=3),
    "Mapping[str, Mapping[str, Any]]": st.dictionaries(
        texts, st.dictionaries(texts, st.none() | texts | numbers | seconds | st.booleans(), max_size=3), max_size=2
    ),
}


def _field(annotation: str) -> st.SearchStrategy[Any]:
    kind, _, optional = annotation.rpartition(" | ") if annotation.endswith(" | None") else (annotation, "", "")
    return st.none() | _SCALARS[kind] if optional else _SCALARS[kind]


def _annotations(cls: type) -> dict[str, str]:
    merged: dict[str, str] = {}
    for each in reversed(cls.__mro__):
        merged |= inspect.get_annotations(each)
    return merged


@st.composite
def facts(draw: st.DrawFn, build: str = BUILD) -> ev.Event:
    """Make one fact of any kind with any values: nothing promises that it makes sense."""
    cls = draw(st.sampled_from(sorted(ev.KINDS.values(), key=lambda each: each.kind)))
    fields = {
        name: draw(_field(kind))
        for name, kind in _annotations(cls).items()
        if name in cls.fields and name not in {"build", "ts_ms"}
    }
    if "attempt" in fields:
        fields["attempt"] = draw(st.integers(1, 3))  # few, so that they meet
    if "run" in fields:
        fields["run"] = draw(st.integers(1, 3))
    return cls(build=build, ts_ms=T0 + draw(st.integers(0, 10**6)), **fields)
