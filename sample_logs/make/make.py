"""Makes the sample logs: `prepare` fetches what the builds need, `run` builds for real and keeps the logs.

    python3 make.py prepare            # once, with a way out to package mirrors
    python3 make.py run [SCENARIO…]    # in a sandbox without one; all scenarios when none is named

Root is needed (mounts, chroot, namespaces). What must be installed: see README.md beside this file.
"""

from __future__ import annotations

import json
import os
import sys
import tomllib
from contextlib import ExitStack
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent)]

import caches  # noqa: E402 - found by the path above
import sandbox  # noqa: E402
from mirror import cached  # noqa: E402
from recorder import Build  # noqa: E402
from scenarios import SCENARIOS, Pass, Scenario, Truth  # noqa: E402
from scrub import scrub  # noqa: E402

from toolkit.core.classes import GROUP_OF  # noqa: E402
from toolkit.demo.server import FaultyServer, Source, folder  # noqa: E402

CACHE = Path(os.environ.get("SAMPLES_CACHE", "/var/cache/sample-logs"))
OUT = HERE.parent
RETRIES = {"expensive": 3, "quick": 2}
"""How many attempts the built-in strategies allow; `manual` and `none` allow no second one."""


def sources() -> dict[str, Source]:
    """Give what each host of the sandbox serves."""
    return {
        "mirror.example": cached(CACHE / "mirror", None),
        "slow.example": folder(CACHE / "slow"),
        "git.example": folder(CACHE / "git"),
        "index.example": folder(CACHE / "index"),
        "registry.example": folder(CACHE / "registry"),
    }


def one_pass(build: Build, scenario: Scenario, each: Pass) -> None:
    """Run the pipeline once, in the weather that the scenario asks for."""
    with ExitStack() as open_servers:
        for name, source in sources().items():
            if name in each.down:
                continue
            server = FaultyServer(source, each.faults.get(name, ()), host=sandbox.address(name), port=80)
            open_servers.enter_context(server)
        if each.disk is not None or not build.runs:
            sandbox.fresh_disk(each.disk or "3g")
        if each.before is not None:
            open_servers.callback(each.before())
        script = f"{sandbox.PIPELINES}/{scenario.pipeline}/build.sh"
        environment = sandbox.ENVIRONMENT | {"WORK": sandbox.WORK} | caches.PLACES[scenario.pipeline] | each.environment
        run = build.run(["bash", script], environment, each.watch)
    end = f"exit {run.exit_code}" if run.signal is None else f"signal {run.signal}"
    sys.stdout.write(f"  run {run.number}: {end}, {len(run.lines)} lines\n")


def make(scenario: Scenario) -> None:
    """Make one scenario's folder anew."""
    sys.stdout.write(f"{scenario.name}\n")
    out = OUT / scenario.name
    out.mkdir(exist_ok=True)
    (out / "build.log").unlink(missing_ok=True)
    build = Build(out, f"{scenario.name}-1", scenario.pipeline, scenario.target)
    for each in scenario.passes:
        one_pass(build, scenario, each)
    log = out / "build.log"
    log.write_bytes(scrub(log.read_bytes().decode(errors="surrogateescape")).encode(errors="surrogateescape"))
    for event in build.events:
        if "error" in event:
            event["error"] = scrub(event["error"])
    build.write_events()
    expected = facts(build, scenario)
    (out / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
    outcomes = [run["outcome"] for run in expected["runs"]]
    if outcomes != list(scenario.outcomes) or len(expected["failures"]) != len(scenario.truths):
        sys.exit(f"{scenario.name}: came out as {outcomes} with {len(expected['failures'])} failures: look into it")


def facts(build: Build, scenario: Scenario) -> dict[str, Any]:
    """Put together what was observed and what we know, because we provoked it."""
    last = build.events[-1]
    runs = [
        {
            "run": run.number,
            "outcome": "interrupted" if run.cancelled else "completed" if run.exit_code == 0 else "failed",
            "exit_code": run.exit_code,
            "signal": run.signal,
            "lines": [run.first_line, run.first_line + len(run.lines) - 1],
        }
        for run in build.runs
    ]
    lines = (build.folder / "build.log").read_bytes().decode(errors="replace").split("\n")
    failures = [
        failure(scenario, seen, truth, lines) for seen, truth in zip(build.failures, scenario.truths, strict=False)
    ]
    failures += [{**seen, "class": "?"} for seen in build.failures[len(scenario.truths) :]]
    return {
        "scenario": scenario.name,
        "what": scenario.story,
        "pipeline": scenario.pipeline,
        "build": build.build,
        "status": runs[-1]["outcome"],
        "currentState": last["state"],
        "runs": runs,
        "failures": failures,
    }


def failure(scenario: Scenario, seen: dict[str, Any], truth: Truth, lines: list[str]) -> dict[str, Any]:
    """Say what one failure was, where the log shows it, and what each phase should make of it."""
    first, last = seen["lines"]
    evidence = [number for number in range(first, last + 1) if truth.evidence and truth.evidence in lines[number - 1]]
    if truth.evidence and not evidence:
        sys.exit(f"{scenario.name}: nothing says {truth.evidence!r} in lines {first}-{last}")
    strategy = strategies(scenario.pipeline).get(seen["state"], "none")
    return {
        **seen,
        "cause": truth.cause,
        "class": truth.failure_class,
        "group": GROUP_OF[truth.failure_class],
        "acceptable": {"classes": [truth.failure_class, *truth.also], "signatures": list(truth.signatures)},
        "evidence": {"text": truth.evidence, "lines": evidence[:20]} if truth.evidence else None,
        "strategy": strategy,
        "decisions": decisions(strategy, GROUP_OF[truth.failure_class], seen["attempt"]),
    }


def decisions(strategy: str, group: str, attempt: int) -> dict[str, str]:
    """Tell what each phase decides under the built-in strategies; `stop`: the failure passes through."""
    if strategy == "manual" or group == "persistent":
        return {"track-only": "stop", "selective-retry": "hold", "full-resume": "hold"}
    if group == "transient" and attempt < RETRIES.get(strategy, 1):
        return {"track-only": "stop", "selective-retry": "retry", "full-resume": "retry"}
    return {"track-only": "stop", "selective-retry": "start-over", "full-resume": "stop"}


def strategies(pipeline: str) -> dict[int, str]:
    """Give each state's strategy, as the pipeline's own toolkit.toml names it."""
    settings = tomllib.loads((HERE / pipeline / "toolkit.toml").read_text())
    return {each["code"]: each.get("strategy", "none") for each in settings["states"]}


def main(arguments: list[str]) -> int:
    """Do what the command line asks for."""
    if os.geteuid() != 0 or arguments[:1] not in (["prepare"], ["run"]):
        sys.stderr.write(f"{__doc__}\n")
        return 2
    sandbox.enter(network=arguments[0] == "prepare")
    sandbox.furnish(HERE)
    if arguments[0] == "prepare":
        caches.prepare(CACHE, HERE)
        return 0
    unknown = [name for name in arguments[1:] if name not in {each.name for each in SCENARIOS}]
    if unknown:
        sys.stderr.write(f"no such scenario: {', '.join(unknown)}\n")
        return 2
    for scenario in SCENARIOS:
        if not arguments[1:] or scenario.name in arguments[1:]:
            make(scenario)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
