"""A build as a JUnit report, which nearly every CI system shows: a test case for each state."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from toolkit.core.moments import rfc3339
from toolkit.core.visible import safe
from toolkit.core.words import HOLES

if TYPE_CHECKING:
    from toolkit.core.progress import Attempt, Progress


def junit(progress: Progress) -> str:
    """Give the report: how each state ended last; attempts before that stand in its output."""
    by_state: dict[int, list[Attempt]] = {}
    for each in progress.attempts:
        by_state.setdefault(each.state, []).append(each)
    name = f"{progress.pipeline or 'build'} {progress.build}"
    root = ET.Element("testsuites")
    suite = ET.SubElement(root, "testsuite", name=safe(name))
    if progress.started_ms is not None:
        suite.set("timestamp", rfc3339(progress.started_ms))
    counts = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for state in sorted(by_state.keys() | progress.states.keys()):
        counts["tests"] += 1
        kind = _case(suite, progress, state, by_state.get(state, []))
        if kind:
            counts[kind] += 1
    if progress.degraded:
        ET.SubElement(suite, "system-err").text = HOLES
    for what, number in counts.items():
        suite.set(what, str(number))
    suite.set("time", f"{sum(each.duration or 0.0 for each in progress.attempts):.3f}")
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(suite: ET.Element, progress: Progress, state: int, attempts: list[Attempt]) -> str:
    name = next((each.name for each in reversed(attempts) if each.name), None) or progress.names.get(state) or ""
    time = sum(each.duration or 0.0 for each in attempts)
    case = ET.SubElement(
        suite, "testcase", classname=safe(progress.pipeline or "build"), name=safe(f"{state} {name}".strip()),
        time=f"{time:.3f}",
    )  # fmt: skip
    last = attempts[-1] if attempts else None
    kind = ""
    if last is None or (progress.states.get(state) == "completed" and last.run != progress.run):
        ET.SubElement(case, "skipped", message="reused, or done by hand")
        kind = "skipped"
    elif last.status == "failed" and progress.states.get(state) != "completed":
        failure = ET.SubElement(case, "failure", message=safe(last.error or "it failed"), type=last.failure_class or "")
        failure.text = "\n".join(f"{line}: {safe(said)}" for line, said in last.evidence)
        kind = "failures"
    elif last.status == "interrupted":
        ET.SubElement(case, "error", message="interrupted", type="interrupted")
        kind = "errors"
    told = [f"run {each.run}, attempt {each.attempt} {each.status}: {safe(each.error or '')}".rstrip(": ")
            for each in attempts]  # fmt: skip
    if len(told) > 1:
        ET.SubElement(case, "system-out").text = "\n".join(told)
    return kind
