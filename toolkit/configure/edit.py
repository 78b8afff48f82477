"""Changes toolkit.toml the way a careful person would: comments and all else stay, and the file is replaced whole."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Comment

from toolkit.configure.checking import check
from toolkit.configure.positions import line_of, positions
from toolkit.core.codes import CodeRange, parse_codes
from toolkit.core.policy import MOST_ATTEMPTS
from toolkit.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tomlkit import TOMLDocument
    from tomlkit.items import Item, Table

LEARNED: Final = "learned."
"""Ids of rules that a recommendation wrote begin so; the next one replaces them and leaves all others alone."""

_SPACED: Final = re.compile(r'\n{3,}(?=\[\[policy\]\]\n(?:#.*\n)?id = "learned\.)')
"""One empty line before a rule of ours, however the writer of TOML counts them."""

_EXPRESSIONS: Final = frozenset({"match", "unless"})
_PACED: Final = ("max_attempts", "wait", "factor", "max_wait", "jitter", "max_elapsed", "then")
_WAITS: Final = frozenset({"wait", "max_wait", "max_elapsed"})


def set_phase(file: str, phase: str, states: CodeRange | None = None, share: float | None = None) -> None:
    """Write a phase for the project, or for some of its states; with a share from 0 to 1, for so many of the builds.

    Without `states` the phase is everybody's, so that states no longer have another one. With a share, the builds
    outside it keep what was before. ConfigurationError when the file is not valid or cannot be written.
    """
    document = _read(file)
    before = document.get("rest") or _as_before(document)
    document.pop("rest", None)
    if states is None:
        document["phase"] = phase
        document.pop("phases", None)
    else:
        document.setdefault("phase", "track-only")
        _override(document, phase, states)
    if share is not None and share < 1:
        if "share" in document:
            document["share"] = share
        else:
            document.add("share", tomlkit.item(share).comment("of the builds; the others follow [rest]"))
        document["rest"] = before
    else:
        document.pop("share", None)
    _write(file, document)


def end_trial(file: str) -> None:
    """Give all builds what `[rest]` says: the phase that was tried on a share of them is over.

    ConfigurationError when the file is not valid or cannot be written.
    """
    document = _read(file)
    rest = document.pop("rest", {})
    document["phase"] = rest.get("phase", "track-only")
    document.pop("share", None)
    document.pop("phases", None)
    if "phases" in rest:
        document["phases"] = rest["phases"]
    _write(file, document)


def apply_rules(file: str, recommendation: Mapping[str, Any]) -> list[str]:
    """Write the rules of a recommendation, in the shape of `toolkit recommend --json`, in place of the last one's.

    Gives the ids of the rules written. They stand behind the rules that a person wrote, which therefore win.
    """
    document = _read(file)
    written = list(_rules(recommendation))
    rules = _array(document, "policy")
    below = _cut_below(rules[-1]) if rules else []
    for place in reversed(range(len(rules))):
        if str(rules[place].get("id", "")).startswith(LEARNED):
            del rules[place]
    if rules:
        below = [*(each for each in _cut_below(rules[-1]) if isinstance(each[1], Comment)), *below]
    for rule in written:
        if rules:
            rules[-1].add(tomlkit.nl())
        rules.append(rule)
    if rules:
        document["policy"] = rules
        rules[-1].value.body.extend(below)
    else:
        document.pop("policy", None)
    _write(file, document)
    return [str(rule["id"]) for rule in written]


def add_rule(file: str, rule: Mapping[str, Any]) -> None:
    """Write a failure rule, in the shape of one of `[[rules]]`, behind those that are there.

    ConfigurationError, with the file untouched, when the id is taken or anything about the rule is wrong.
    """
    document = _read(file)
    rules = _array(document, "rules")
    taken = next((place for place, each in enumerate(rules) if each.get("id") == rule["id"]), None)
    if taken is not None:
        path = Path(file)
        line = line_of(positions(path.read_text(encoding="utf-8").replace("\r\n", "\n")), ("rules", taken, "id"))
        raise ConfigurationError(
            f"{path.name}:{line}: rules.id: '{rule['id']}' is there already", hint="Give each rule an id of its own."
        )
    table = tomlkit.table()
    for key, value in rule.items():
        table[key] = _plain(value) if key in _EXPRESSIONS else value
    below = _cut_below(rules[-1]) if rules else []
    if rules:
        rules[-1].add(tomlkit.nl())
    rules.append(table)
    document["rules"] = rules
    rules[-1].value.body.extend(below)
    _write(file, document)


def _plain(expression: str) -> Item:
    """Write an expression the way one reads it, without doubled backslashes, where TOML can."""
    return tomlkit.string(expression, literal="'" not in expression and expression.isprintable())


def _cut_below(table: Table) -> list[tuple[None, Item]]:
    """Take off what stands below a table's last key: it belongs to whatever comes next in the file."""
    body = table.value.body
    last = max((place for place, (key, _) in enumerate(body) if key is not None), default=-1)
    below = [(None, item) for _, item in body[last + 1 :]]
    del body[last + 1 :]
    return below


def _array(document: TOMLDocument, key: str) -> AoT:
    """Give an array of tables, also where it was written as one list."""
    rules = document.get(key)
    if isinstance(rules, AoT):
        return rules
    document.pop(key, None)
    array = tomlkit.aot()
    for rule in rules or ():
        table = tomlkit.table()
        table.update(rule)
        array.append(table)
    return array


def _rules(recommendation: Mapping[str, Any]) -> Iterator[Table]:
    for state in recommendation["states"]:
        spoken = [rule for rule in state["rules"] if rule["on"] or rule["signatures"]]
        advised = [
            {**rule, "action": "start-over"} if rule["action"] == "collect" else rule
            for place, rule in enumerate(spoken)
            if rule["action"] != "collect" or _broader(rule, spoken[place + 1 :])
        ]
        for number, rule in enumerate(advised, 1):
            yield _rule(f"{LEARNED}{state['code']}.{number}", state, rule, _saved(rule, recommendation.get("builds")))


def _saved(rule: Mapping[str, Any], builds: int | None) -> float | None:
    """Give the seconds that a rule is expected to save for each failure that it answers."""
    hours = ((rule.get("saves") or {}).get("hours_per_100_builds") or {}).get("mean")
    failures = rule.get("failures")
    if hours is None or not builds or not failures:
        return None
    return float(round(hours * 36 * builds / failures, 1))


def _broader(rule: Mapping[str, Any], later: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether a later rule would take what one does not decide about yet: then it has to be kept from it."""
    return any(not each["signatures"] and set(rule["on"]) <= set(each["on"]) for each in later)


def _rule(name: str, state: Mapping[str, Any], advice: Mapping[str, Any], saved: float | None) -> Table:
    table = tomlkit.table()
    why = advice.get("why") or state.get("why")
    if why:
        table.add(tomlkit.comment(" ".join(str(why).split())))
    table["id"] = name
    table["states"] = str(state["code"])
    for key in ("on", "signatures"):
        if advice.get(key):
            table[key] = list(advice[key])
    table["action"] = advice["action"]
    if advice["action"] != "retry":
        return table
    limits = {**advice, "max_attempts": min(advice["max_attempts"], MOST_ATTEMPTS)}
    if "max_wait" in limits:
        limits["max_wait"] = max(limits["max_wait"], limits.get("wait", 0.0))
    for key in _PACED:
        if limits.get(key) is not None:
            table[key] = duration(limits[key]) if key in _WAITS else limits[key]
    if saved is not None:
        table["saves"] = saved
    return table


def duration(seconds: float) -> str:
    """Write seconds exactly, as a person would in the file: `30s`, `10m`, `1h30m`, `12.5s`."""
    if seconds != int(seconds):
        return f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"
    hours, rest = divmod(int(seconds), 3600)
    minutes, left = divmod(rest, 60)
    parts = ((hours, "h"), (minutes, "m"), (left, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


def _as_before(document: TOMLDocument) -> Table:
    rest = tomlkit.table()
    rest["phase"] = str(document.get("phase", "track-only"))
    if document.get("phases"):
        rest["phases"] = {str(codes): str(phase) for codes, phase in document["phases"].items()}
    return rest


def _override(document: TOMLDocument, phase: str, states: CodeRange) -> None:
    """Give some states a phase of their own, and take them out of the ranges that had another one."""
    before = {str(codes): str(other) for codes, other in document.get("phases", {}).items()}
    left: dict[str, str] = {}
    merged = list(states.spans)
    for text, other in before.items():
        spans = _without(parse_codes(text), states)
        if other == phase:
            merged += spans
        elif spans:
            left[str(CodeRange(spans=tuple(spans)))] = other
    if phase != str(document.get("phase", "track-only")):
        left[str(parse_codes(str(CodeRange(spans=tuple(merged)))))] = phase
    document.pop("phases", None)
    if left:
        table = tomlkit.table()
        for codes, other in sorted(left.items(), key=lambda each: parse_codes(each[0]).spans):
            table[codes] = other
        document["phases"] = table


def _without(codes: CodeRange, taken: CodeRange) -> list[tuple[int, int]]:
    spans = list(codes.spans)
    for low, high in taken.spans:
        spans = [
            (first, last)
            for a, b in spans
            for first, last in ((a, min(b, low - 1)), (max(a, high + 1), b))
            if first <= last
        ]
    return list(dict.fromkeys(spans))


def _read(file: str) -> TOMLDocument:
    """Give the file for editing, or an empty one; what is not valid is not edited."""
    path = Path(file)
    if not path.exists():
        return tomlkit.document()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}: {error.strerror}", hint="Make it readable.") from None
    document, faults = check(content, path.name)
    if document is None:
        first = next(fault for fault in faults if not fault.warning)
        raise ConfigurationError(first.text, hint=first.remedy or None)
    try:
        return tomlkit.parse(content.decode())
    except TOMLKitError as error:
        raise ConfigurationError(f"{path.name}: {error}") from None


def _write(file: str, document: TOMLDocument) -> None:
    """Replace the file at once, with the mode and owner it had; never by one that would be refused."""
    text = _SPACED.sub("\n\n", tomlkit.dumps(document).strip("\r\n") + "\n")
    if "\r\n" in text:
        text = text.replace("\r\n", "\n").replace("\n", "\r\n")
    content = text.encode()
    checked, faults = check(content, Path(file).name)
    if checked is None:
        first = next(fault for fault in faults if not fault.warning)
        raise ConfigurationError(f"the change would make the file invalid: {first.text}", hint=first.remedy or None)
    path = Path(file).resolve()
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        before = path.stat() if path.exists() else None
        with draft.open("xb") as written:
            written.write(content)
            written.flush()
            if before is not None:
                os.fchmod(written.fileno(), before.st_mode & 0o7777)
                if before.st_uid != os.geteuid():
                    os.fchown(written.fileno(), before.st_uid, before.st_gid)
            os.fsync(written.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        hint = "Make the file and its folder writable."
        raise ConfigurationError(f"cannot write {file}: {error.strerror}", hint=hint) from None
