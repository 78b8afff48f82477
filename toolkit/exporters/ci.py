"""A build, told where people look at CI: what failed and what was decided, beside the build's own output."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from toolkit.core.moments import duration_text
from toolkit.core.visible import safe
from toolkit.core.words import HOLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from toolkit.core.progress import Attempt, Progress
    from toolkit.exporters.dialects import Dialect

MOST: Final = 10
"""Annotations; systems show no more of a step."""
LINES: Final = 40
"""Of a failed attempt's output, the last ones."""
MOST_ROWS: Final = 200
SPECIAL: Final = re.compile(r"([\\`*_{}\[\]()#+!|<>~&$-])")


def told(progress: Progress, dialect: Dialect, excerpt: Callable[[Attempt], Sequence[str]]) -> Iterator[str]:
    """Give the lines to print in a step behind the build; `excerpt` gives the end of an attempt's output."""
    failed = [each for each in progress.attempts if each.status == "failed"][-MOST:]
    for each in failed:
        recovered = progress.status == "completed" or progress.states.get(each.state) == "completed"
        yield dialect.annotation("warning" if recovered else "error", title(progress, each), sentence(each))
    if progress.held and progress.hold is not None:
        waits = f"waits for a person: {progress.hold.reason} (`toolkit release {progress.build}`)"
        yield dialect.annotation("error", f"{_name(progress)} is held", waits)
    if progress.status == "interrupted":
        where = "" if progress.current is None else f" at state {progress.current}"
        yield dialect.annotation("error", f"{_name(progress)} was interrupted{where}", "its supervisor was ended")
    if progress.degraded:
        yield dialect.annotation("warning", f"the record of {_name(progress)} is not whole", HOLES)
    for each in failed:
        lines = list(excerpt(each))[-LINES:]
        if lines:
            key = f"toolkit_{progress.build}_{each.state}_{each.attempt}"
            yield from dialect.fold(key, f"output of {_which(each)}", lines, (each.ended_ms or 0) // 1000)


def title(progress: Progress, each: Attempt) -> str:
    """Name a failure in few words."""
    kind = f" ({each.failure_class})" if each.failure_class else ""
    return f"{_name(progress)}: {_which(each)} failed{kind}"


def sentence(each: Attempt) -> str:
    """Say what a failure was, with the line that proves it and what was decided."""
    parts = [each.error or "it failed"]
    proof = next((said for _, said in each.evidence), "")
    if proof and proof.strip() not in parts[0]:
        parts.append(proof.strip())
    if each.decision is not None:
        parts.append(f"{each.decision.action}: {each.decision.reason}")
    return "; ".join(parts)


def style(progress: Progress) -> str:
    """Give the tone of a summary: `success`, `warning` or `error`."""
    if progress.status != "completed":
        return "error"
    return "warning" if any(each.status == "failed" for each in progress.attempts) else "success"


def summary(progress: Progress) -> str:
    """Give the build as Markdown, for a job's summary or a pull request."""
    after = " after retry" if style(progress) == "warning" else ""
    lines = [
        f"### {markdown(_name(progress))}: {markdown(progress.status)}{after}",
        "",
        "| state | run | attempt | status | took | what |",
        "| --- | ---: | ---: | --- | ---: | --- |",
    ]
    for each in progress.attempts[-MOST_ROWS:]:
        took = "" if each.duration is None else duration_text(each.duration)
        what = f"{title(progress, each).rpartition(' failed')[2].strip(' ()')} {each.error or ''}".strip()
        lines.append(
            f"| {markdown(_state(each))} | {each.run} | {each.attempt} | {each.status} | {took} "
            f"| {markdown(what) if each.status == 'failed' else ''} |"
        )
    if progress.degraded:
        lines += ["", f"{HOLES.capitalize()}."]
    if progress.held and progress.hold is not None:
        lines += ["", f"Held: {markdown(progress.hold.reason)}. `toolkit release` lets it go on."]
    for each in [each for each in progress.attempts if each.status == "failed"][-3:]:
        if each.decision is not None:
            decided = f"**{markdown(each.decision.action)}**, {markdown(each.decision.reason)}"
            lines += ["", f"- {markdown(_which(each))}: {decided}"]
    return "\n".join(lines) + "\n"


def markdown(text: str) -> str:
    """Make text from outside plain words in Markdown: no markup, no link, nobody called by name."""
    return SPECIAL.sub(r"\\\1", safe(text)).replace("://", ":\u200b//").replace("@", "@\u200b")


def _name(progress: Progress) -> str:
    return f"{progress.pipeline or 'build'} {progress.build}"


def _state(each: Attempt) -> str:
    return f"{each.state} {each.name}" if each.name else str(each.state)


def _which(each: Attempt) -> str:
    return f"state {_state(each)}, attempt {each.attempt}"
