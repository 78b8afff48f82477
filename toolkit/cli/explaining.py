"""What `toolkit phase explain` tells: each phase's answer to a failure, and what every rule has to say about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit.cli.opening import print_table

if TYPE_CHECKING:
    from toolkit.core.action import Action
    from toolkit.core.pipeline import StateConfig
    from toolkit.core.policy import Policy
    from toolkit.core.situation import Diagnosis
    from toolkit.project import Project


def explained(project: Project, state: StateConfig, failure: str) -> dict[str, Any]:
    """Give the answers to a state's first failure of some class or signature, as a JSON document."""
    from phases import PHASES
    from phases import phase as phase_named
    from phases.explain import explain
    from toolkit.core.situation import Situation

    diagnosis = _diagnosis(project, failure)
    situation = Situation(state=state, failure=diagnosis, build_failures=1)
    answers = []
    for name in PHASES:
        action = phase_named(name)(situation, project.policy)
        policy = project.policy.but(every_state=name == "full-resume")
        answers.append({
            "phase": name, "in_force": name == project.phase_at(state.code), "action": action.name,
            "reason": action.reason, "rule": action.rule, **_pacing(action, policy, state, diagnosis),
        })  # fmt: skip
    everywhere = project.phase_at(state.code) == "full-resume"
    considered = explain(project.policy.but(every_state=everywhere), state, diagnosis)
    return {
        "state": state.code, "name": state.name, "signature": diagnosis.signature, "class": diagnosis.failure_class,
        "group": diagnosis.group, "phases": answers,
        "rules": [{"id": each.id, "speaks": each.speaks, "why": each.why} for each in considered],
    }  # fmt: skip


def print_explained(shape: dict[str, Any]) -> None:
    """Print it for people."""
    label = f"{shape['state']} {shape['name']}" if shape["name"] else str(shape["state"])
    print(f"state {label}: {shape['signature']} is {shape['class']} ({shape['group']})\n")
    for each in shape["phases"]:
        print(f"{'*' if each['in_force'] else ' '} {each['phase']:<16} {each['action']:<11} {each['reason']}")
        if each.get("max_attempts"):
            print(f"{'':31}{_words(each)}")
    decided = False
    rows = []
    for each in shape["rules"]:
        mark = "decides" if each["speaks"] and not decided else "would, too" if each["speaks"] else ""
        decided = decided or each["speaks"]
        rows.append([each["id"], mark, each["why"]])
    if rows:
        print()
        print_table(["rule", "", "what it says"], rows)
    else:
        print("\nin the present phase no rule and no strategy speaks for this state")


def _diagnosis(project: Project, text: str) -> Diagnosis:
    """Read a class, or a signature: the id of a rule of the project's own or of a built-in one, else one not known."""
    from toolkit.core.classes import GROUP_OF
    from toolkit.core.rules import BUILT_IN
    from toolkit.core.situation import Diagnosis

    if text in GROUP_OF:
        return Diagnosis(failure_class=text, signature=text)
    rules = (*(rule.rule() for rule in project.rules), *BUILT_IN)
    known = next((rule.failure_class for rule in rules if rule.id == text), "unknown")
    return Diagnosis(failure_class=known, signature=text)


def _pacing(action: Action, policy: Policy, state: StateConfig, failure: Diagnosis) -> dict[str, Any]:
    rule = policy.rule_for(state, failure)
    if action.name != "retry" or rule is None:
        return {}
    return {
        "max_attempts": rule.max_attempts, "wait": rule.wait, "factor": rule.factor, "max_wait": rule.max_wait,
        "max_elapsed": rule.max_elapsed, "then": rule.then, "command": rule.command or None,
    }  # fmt: skip


def _words(pacing: dict[str, Any]) -> str:
    from toolkit.core.moments import duration_text

    told = [f"at most {pacing['max_attempts']} attempts", f"the first wait is up to {duration_text(pacing['wait'])}"]
    if pacing["max_elapsed"] is not None:
        told.append(f"for no longer than {duration_text(pacing['max_elapsed'])}")
    if pacing["command"]:
        told.append(f"by `{pacing['command']}`")
    return f"{', '.join(told)}; then {pacing['then']}"
