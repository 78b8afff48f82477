"""Writes the tables of scenarios into `../README.md`, from what was really made."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

OUT = Path(__file__).resolve().parent.parent
README = OUT / "README.md"


def table(pipeline: str) -> str:
    """Give a row for each build of a pipeline."""
    rows = ["| folder | what happened | runs | failures (state: class) |", "| --- | --- | --- | --- |"]
    for path in sorted(OUT.glob(f"{pipeline}-*/expected.json")):
        facts = json.loads(path.read_text())
        failures = ", ".join(f"{each['state']}: {each['class']}" for each in facts["failures"]) or "-"
        runs = ", ".join(run["outcome"] for run in facts["runs"])
        rows.append(f"| `{facts['scenario']}` | {facts['what']} | {runs} | {failures} |")
    return "\n".join(rows)


def history() -> str:
    """Give the totals of the history."""
    facts = json.loads((OUT / "history" / "expected.json").read_text())
    classes = ", ".join(f"{name} {count}" for name, count in facts["by_class"].items())
    return (
        f"{facts['builds']} builds, {facts['runs']} runs, {facts['failed_attempts']} failed attempts ({classes}), "
        f"{facts['interrupted']} interrupted; {len(facts['abandoned'])} builds were given up."
    )


def main() -> int:
    """Replace what stands between the marks, or the marks themselves."""
    text = README.read_text()
    for pipeline in ("golden-image", "app-appliance", "vm-image"):
        text = put(text, pipeline, table(pipeline))
    README.write_text(put(text, "history", history()))
    return 0


def put(text: str, name: str, what: str) -> str:
    """Put a text between its two comments."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    return re.sub(f"{begin}.*?{end}", lambda _: f"{begin}\n{what}\n{end}", text, flags=re.DOTALL)


if __name__ == "__main__":
    sys.exit(main())
