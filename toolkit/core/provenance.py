"""How a build came to be, state by state, as an in-toto statement with SLSA's provenance as its predicate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from toolkit.core.fingerprints import MISSING, fingerprint_from, id_of
from toolkit.core.moments import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from toolkit.core.codes import StateCode
    from toolkit.core.fingerprints import Fingerprint
    from toolkit.core.progress import Attempt, Progress

STATEMENT: Final = "https://in-toto.io/Statement/v1"
PREDICATE: Final = "https://slsa.dev/provenance/v1"
OURS: Final = "urn:build-state-toolkit"


def provenance(progress: Progress, command: tuple[str, ...] = (), directory: str | None = None) -> dict[str, Any]:
    """Give the statement about a build as it stands; its subjects are the files that its states declare as outputs."""
    states = [_state(progress, code) for code in sorted({*progress.completions, *progress.skips, *progress.states})]
    metadata = {
        "invocationId": f"{progress.build}/{progress.run}",
        "startedOn": _moment(progress.started_ms),
        "finishedOn": _moment(progress.updated_ms) if progress.status == "completed" else None,
        "toolkit_status": status_text(progress),
        "toolkit_runs": progress.run,
        "toolkit_degraded": progress.degraded,
    }
    parameters = {
        "pipeline": progress.pipeline, "target": progress.target, "labels": dict(progress.labels),
        "command": list(command) or None, "directory": directory,
    }  # fmt: skip
    return {
        "_type": STATEMENT,
        "subject": list(_files(progress, "outputs")),
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": f"{OURS}:build:v1",
                "externalParameters": _known(parameters),
                "internalParameters": _known({"phase": progress.phase}),
                "resolvedDependencies": list(_files(progress, "inputs")),
            },
            "runDetails": {
                "builder": {"id": f"{OURS}:host:{_host(progress)}"},
                "metadata": _known(metadata),
                "toolkit_states": states,
            },
        },
    }


def status_text(progress: Progress) -> str:
    """Give a build's status; what only came through by being tried again is never told as plain success."""
    return "completed after retry" if after_retry(progress) else progress.status


def after_retry(progress: Progress) -> bool:
    """Tell whether a build completed though something in it had failed."""
    return progress.status == "completed" and any(each.status == "failed" for each in progress.attempts)


def _state(progress: Progress, code: StateCode) -> dict[str, Any]:
    """What became of one state: `run`, `retried`, `reused`, `skipped`, or its status if it never completed."""
    done, skip = progress.completions.get(code), progress.skips.get(code)
    earlier = [each for each in progress.attempts_at(code) if done is None or each.attempt < done.attempt]
    failures = [each for each in earlier if each.status == "failed"]
    told: dict[str, Any] = {"code": code, "name": progress.names.get(code)}
    if skip is not None:
        return _known({
            **told, "outcome": "skipped", "by": skip.by, "why": skip.reason, "failures": len(failures),
            "finishedOn": _moment(skip.ts_ms),
        })  # fmt: skip
    if done is None:
        return _known({**told, "outcome": progress.states.get(code, "pending"), "failures": len(failures)})
    reused = done.run != progress.run
    outcome = "reused" if reused else "retried" if failures else "run"
    return _known({
        **told, "outcome": outcome, "run": done.run, "attempt": done.attempt, "failures": len(failures),
        "failed": [_failed(each) for each in failures] or None,
        "host": done.host, "startedOn": _moment(done.started_ms), "finishedOn": _moment(done.ended_ms),
        "inputs": id_of(done.inputs), "outputs": id_of(done.outputs),
        "why": _reuse(progress, code) if reused else done.why,
    })  # fmt: skip


def _failed(attempt: Attempt) -> dict[str, Any]:
    decided = attempt.decision
    return _known({
        "attempt": attempt.attempt, "run": attempt.run, "error": attempt.error, "class": attempt.failure_class,
        "signature": attempt.signature, "decision": decided and decided.action, "rule": decided and decided.rule,
    })  # fmt: skip


def _reuse(progress: Progress, code: StateCode) -> str | None:
    """Give the reason for which a state was last reused."""
    for entry in reversed(progress.history):
        if entry["state"] == code and entry["status"] == "reused":
            return str(entry["error"]) if "error" in entry else None
    return None


def _files(progress: Progress, side: str) -> Iterator[dict[str, Any]]:
    """Give the declared files of all states with their digests; of one that several declare, what the last one left."""
    found: dict[str, dict[str, Any]] = {}
    for done in sorted(progress.completions.values(), key=lambda each: (each.run, each.state)):
        taken = fingerprint_from(getattr(done, side) or "")
        if taken is not None:
            found |= dict(_digests(taken, done))
    yield from (found[name] for name in sorted(found))


def _digests(taken: Fingerprint, done: Attempt) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, digest in taken.parts.items():
        if name.startswith("env:") or digest == MISSING or not _hexadecimal(digest):
            continue
        several = name in taken.files or bool(set(name) & set("*?["))
        kind = "toolkit_tree_v1" if several else "sha256"
        yield name, {"name": name, "digest": {kind: digest}, "annotations": {"toolkit_state": done.state}}


def _hexadecimal(text: str) -> bool:
    return bool(text) and not set(text) - set("0123456789abcdef")


def _host(progress: Progress) -> str:
    """Where the last state ran."""
    hosts = [each.host for each in progress.attempts if each.host]
    return hosts[-1] if hosts else "unknown"


def _moment(ts_ms: int | None) -> str | None:
    return None if ts_ms is None else rfc3339(ts_ms)


def _known(told: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in told.items() if value is not None}


def run_actions(progress: Progress) -> list[dict[str, Any]]:
    """Say of each state what the last run did with it, and why: `reuse`, `run` or `skip`."""
    told: dict[StateCode, dict[str, Any]] = {}
    since = progress.run_started_ms or 0
    for entry in progress.history:
        if entry["status"] in {"reused", "skipped"} and entry["ts_ms"] >= since:
            action = "reuse" if entry["status"] == "reused" else "skip"
            told[entry["state"]] = {"action": action, "why": entry.get("error")}
    for each in progress.attempts:
        if each.run == progress.run and told.get(each.state, {}).get("action") != "run":
            told[each.state] = {"action": "run", "why": each.why or _why_run(progress, each)}
    return [
        {"code": code, "name": progress.names.get(code), **told[code]} for code in sorted(told)
    ]  # fmt: skip


def _why_run(progress: Progress, attempt: Attempt) -> str:
    """Say why a state ran of which the phase that reuses states had nothing to say."""
    before = [each for each in progress.attempts if each.state == attempt.state and each.run < attempt.run]
    if not before:
        return "the first time"
    if not any(each.status == "completed" for each in before):
        return "it had not completed"
    return f"{attempt.phase} reuses nothing" if attempt.phase in {"track-only", "selective-retry"} else "it ran again"
