"""`toolkit status --provenance`: how a build came to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.cli.opening import print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.core.events import Event
    from toolkit.core.progress import Progress


def tell_provenance(progress: Progress, events: Sequence[Event], *, as_json: bool) -> None:
    """Print the statement, or a table of its states."""
    from toolkit.core.provenance import provenance
    from toolkit.supervise.resuming import last_recorded

    recorded = last_recorded(events)
    statement = provenance(progress, recorded.command, recorded.directory)
    if as_json:
        print_json(statement)
        return
    details = statement["predicate"]["runDetails"]
    runs = "1 run" if progress.run == 1 else f"{progress.run} runs"
    print(f"{progress.build} {details['metadata']['toolkit_status']}, in {runs}\n")
    print_table(
        ["state", "name", "outcome", "run", "attempt", "failures", "host", "inputs", "outputs", "why"],
        [
            [each["code"], each.get("name"), each["outcome"], each.get("run"), each.get("attempt"), each["failures"],
             each.get("host"), _short(each.get("inputs")), _short(each.get("outputs")), each.get("why")]
            for each in details["toolkit_states"]
        ],
        right=frozenset({0, 3, 4, 5}),
    )  # fmt: skip
    for place, subject in enumerate(statement["subject"]):
        print("" if place else "\n", end="")
        print(f"{subject['name']}  {next(iter(subject['digest'].values()))}")


def _short(fingerprint: str | None) -> str:
    return (fingerprint or "")[:11]
