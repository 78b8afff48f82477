"""Regular expressions that may stand in a rule: linear-time, one line at a time, read alike by every engine."""

from __future__ import annotations

import re
from typing import Final

_LARGEST_REPEAT: Final = 1000
_ASCII_END: Final = 127

_REFUSED: Final = (
    (r"\(\?<?[=!]", "look-around is not linear-time"),
    (r"\(\?P=", "a back-reference is not linear-time"),
    (r"\(\?\(", "a conditional group is not linear-time"),
    (r"\(\?>", "an atomic group is not supported by every engine"),
    (r"[*+?}]\+", "a possessive repeat is not supported by every engine"),
    (r"\(\?#", "a comment inside the expression is not supported"),
    (r"\(\?[a-zA-Z]*[smxauL]", "only the flag (?i) is supported: a rule sees one line at a time"),
)
_BAD_ESCAPE: Final = {
    **dict.fromkeys("123456789", "a back-reference is not linear-time"),
    **dict.fromkeys("AZzG", "use ^ and $ for the ends of the line"),
    **dict.fromkeys("nr", "a rule sees one line at a time, so it can hold no line end"),
    **dict.fromkeys("KCRXpPNuUkgQE", "this escape is not supported by every engine"),
}

_SET_OPERATORS: Final = frozenset("-&|~")


def _skeleton(regex: str) -> tuple[str, str | None]:
    """Return `regex` without escapes and without the content of classes, and the first fault among either."""
    out: list[str] = []
    at, in_class = 0, False
    while at < len(regex):
        char, following = regex[at], regex[at + 1 : at + 2]
        fault = _fault_at(char, following, in_class=in_class)
        if fault is not None:
            return "", fault
        if char == "\\" and following:
            out.append("" if in_class else "e")
            at += 2
            continue
        if in_class:
            in_class = char != "]"
        elif char == "[":
            in_class = True
            out.append("c")
            at += regex.startswith("^", at + 1)
            at += regex.startswith("]", at + 1)
        else:
            out.append(char)
        at += 1
    return "".join(out), None


def _fault_at(char: str, following: str, *, in_class: bool) -> str | None:
    """Say what is wrong with a character and the one behind it; None where nothing is."""
    if char == "\\" and following:
        if ord(following) > _ASCII_END:
            return "a backslash before a character beyond ASCII means nothing: leave it out"
        return _BAD_ESCAPE.get(following)
    if in_class and ord(char) > _ASCII_END:
        return "a character beyond ASCII inside [...]: write it as an alternation, (?:a|b)"
    if in_class and char in _SET_OPERATORS and following == char:
        return f"{char}{char} inside [...] is an operator to some engines: write it once, or escape it"
    return None


def linear(regex: str) -> str | None:
    """Return why `regex` cannot stand in a rule (not linear-time, not portable, invalid), or None when it can."""
    skeleton, fault = _skeleton(regex)
    if fault is not None:
        return fault
    body = skeleton.removeprefix("(?i)")
    if "(?i)" in body:
        return "the flag (?i) belongs at the very beginning"
    for pattern, reason in _REFUSED:
        if re.search(pattern, body):
            return reason
    if any(int(number) > _LARGEST_REPEAT for number in re.findall(r"\{(?:\d*,)?(\d+)", body)):
        return f"a repeat of more than {_LARGEST_REPEAT} is too large"
    try:
        compiled = re.compile(line_safe(regex), re.MULTILINE)
    except (re.error, RecursionError, OverflowError) as error:
        return f"invalid: {error}"
    if compiled.search(b"") is not None:
        return "it matches an empty line, so it would match everything"
    return _refused_by_re2(regex)


def _refused_by_re2(regex: str) -> str | None:
    try:
        import re2
    except ImportError:
        return None
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.log_errors = False
    try:
        re2.compile(line_safe(regex), options)
    except re2.error as error:
        return f"not accepted by a linear-time engine: {error}"
    return None


_INSIDE: Final = {"s": r" \t\x0b\x0c", "D": r"\x00-\x09\x0b-/:-\xff", "W": r"\x00-\x09\x0b-/:-@\[-^`{-\xff"}
_OUTSIDE: Final = {"s": r"[ \t\x0b\x0c]", "W": r"[^\w\n]", "D": r"[^\d\n]", "S": r"[^\s]"}


def line_safe(regex: str, end: str = "$") -> bytes:
    r"""Rewrite `regex` so that no match crosses a line end and every engine reads it alike.

    Groups become non-capturing, `\s` and negated classes lose the line feed, characters beyond ASCII become UTF-8 bytes.
    `end` is what `$` becomes.
    """
    out: list[str] = []
    at, in_class = 0, False
    while at < len(regex):
        piece, at, in_class = _rewritten_class(regex, at) if in_class else _rewritten(regex, at)
        out.append(end if piece == "$" and not in_class else piece)
    return "".join(out).encode("ascii")


def ends_last(regex: str) -> bool:
    """Tell whether every `$` stands last in its expression: a line end may be taken for it then, as nothing follows."""
    plain = _skeleton(regex)[0]
    holds: list[bool] = [False]
    for at, char in enumerate(plain):
        if char == "(":
            holds.append(False)
            continue
        here = char == "$" or (char == ")" and len(holds) > 1 and holds.pop())
        holds[-1] |= here
        if here and plain[at + 1 : at + 2] not in {"", "|", ")"}:
            return False
    return True


def _rewritten(regex: str, at: int) -> tuple[str, int, bool]:
    """Rewrite what stands at a place outside of classes; return it, where it ends, and whether a class has begun."""
    char = regex[at]
    if char == "\\":
        return _OUTSIDE.get(regex[at + 1 : at + 2], regex[at : at + 2]), at + 2, False
    if char == "[":
        opened = "[^\\n" if regex.startswith("^", at + 1) else "["
        at += 2 if regex.startswith("^", at + 1) else 1
        literal = regex.startswith("]", at)
        return opened + ("\\]" if literal else ""), at + literal, True
    if regex.startswith("(?P<", at):
        return "(?:", regex.find(">", at) + 1, False
    if char == "(" and not regex.startswith("?", at + 1):
        return "(?:", at + 1, False
    if ord(char) > _ASCII_END:
        return "(?-i:" + "".join(f"\\x{byte:02x}" for byte in char.encode()) + ")", at + 1, False
    return char, at + 1, False


def _rewritten_class(regex: str, at: int) -> tuple[str, int, bool]:
    """Rewrite what stands at a place inside a class; return it, where it ends, and whether the class goes on."""
    char = regex[at]
    if char == "\\":
        return _INSIDE.get(regex[at + 1 : at + 2], regex[at : at + 2]), at + 2, True
    return ("\\[" if char == "[" else char), at + 1, char != "]"


def required(regex: str) -> tuple[bytes, ...]:
    """Return lower-case literals of which every match of `regex` holds at least one; empty when none are worth looking for.

    This is what makes many rules cheap: a line without any of a rule's literals need not be looked at.
    """
    found, at = _alternatives(regex.removeprefix("(?i)"), 0)
    return found if at >= 0 else ()


_SHORTEST: Final = 3
_MOST: Final = 100


def _better(one: tuple[bytes, ...], other: tuple[bytes, ...]) -> tuple[bytes, ...]:
    def worth(literals: tuple[bytes, ...]) -> float:
        return min(map(len, literals)) - len(literals) / 16 if literals else float("-inf")

    return one if worth(one) >= worth(other) else other


def _alternatives(regex: str, at: int) -> tuple[tuple[bytes, ...], int]:
    """Read alternatives up to the closing parenthesis or the end; return their literals and where they end."""
    branches: list[tuple[bytes, ...]] = []
    while True:
        literals, at = _sequence(regex, at)
        branches.append(literals)
        if at >= len(regex) or regex[at] == ")":
            break
        at += 1
    if not all(branches):
        return (), at
    merged = tuple(dict.fromkeys(literal for branch in branches for literal in branch))
    return (merged if len(merged) <= _MOST else ()), at


def _sequence(regex: str, at: int) -> tuple[tuple[bytes, ...], int]:
    """Read one alternative; return the most telling literals in it and where it ends."""
    best: tuple[bytes, ...] = ()
    run = bytearray()

    def close() -> None:
        nonlocal best
        if len(run) >= _SHORTEST:
            best = _better(best, (bytes(run),))
        run.clear()

    while at < len(regex) and regex[at] not in "|)":
        literal, group, at = _atom(regex, at)
        optional, repeated, at = _quantifier(regex, at)
        if literal and not optional:
            run += literal
            if repeated:
                close()
                run += b""
        else:
            close()
            if group and not optional:
                best = _better(best, group)
    close()
    return best, at


def _atom(regex: str, at: int) -> tuple[bytes, tuple[bytes, ...], int]:
    """Read one atom: its literal byte(s) if it is plain, the literals of a group, and where it ends."""
    char = regex[at]
    if char == "(":
        start = at + 1
        if regex.startswith("?P<", start):
            start = regex.index(">", start) + 1
        elif regex.startswith("?", start):
            start = regex.index(":", start) + 1
        group, end = _alternatives(regex, start)
        return b"", group, end + 1
    if char == "[":
        end = at + 1
        end += regex[end : end + 1] == "^"
        end += regex[end : end + 1] == "]"
        while end < len(regex) and regex[end] != "]":
            end += 2 if regex[end] == "\\" else 1
        return b"", (), end + 1
    if char == "\\":
        escaped = regex[at + 1 : at + 2]
        return (b"" if escaped.isalnum() else escaped.encode()), (), at + 2
    if char in ".^$" or ord(char) > _ASCII_END:
        return b"", (), at + 1
    return char.lower().encode(), (), at + 1


def _quantifier(regex: str, at: int) -> tuple[bool, bool, int]:
    """Read a quantifier, if there is one: whether it allows nothing, whether more than one, and where it ends."""
    optional = repeated = False
    while at < len(regex):
        bounds = re.compile(r"\{(\d*)(,?)(\d*)\}").match(regex, at)
        if regex[at] in "*?":
            optional = True
            at += 1
        elif regex[at] == "+":
            repeated = True
            at += 1
        elif bounds is not None and bounds[0] != "{}" and bounds[0] != "{,}":
            optional = optional or bounds[1] in ("", "0") or int(bounds[1]) == 0
            repeated = True
            at = bounds.end()
        else:
            break
    return optional, repeated, at
