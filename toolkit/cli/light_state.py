"""`toolkit state start|complete|fail|output`: states from any language, inside `toolkit run`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from toolkit.errors import Refused, UsageError

USAGE = "toolkit state start|complete|fail CODE [--name NAME] [--error TEXT], or toolkit state output NAME=VALUE"
VERBS = {"start": "begin", "complete": "end", "fail": "fail", "output": "output"}


def state_light(options: Mapping[str, Any], rest: Sequence[str]) -> int:
    """Tell the supervisor of this build; nothing happens outside `toolkit run`.

    With `--json` the answer is printed: `{"action": "run" | "reuse" | "again" | "go-on" | "stop" | "untracked", …}`;
    where a state is reused, with the `outputs` that were remembered of it.
    Exit code 75 says that the state is to be tried again (its wait is over), 6 that the build must stop here.
    """
    from toolkit.core.codes import parse_code

    if len(rest) < 2 or rest[0] not in VERBS:  # noqa: PLR2004 - a word and a code
        raise UsageError(f"cannot understand `toolkit state {' '.join(rest)}`", hint=f"Write {USAGE}.")
    word, what = rest[0], rest[1]
    if word == "output":
        if "=" not in what:
            raise UsageError(f"'{what}' is not NAME=VALUE", hint=f"Write {USAGE}.")
        code, text = "", what
    else:
        try:
            code = str(parse_code(what))
        except ValueError as error:
            raise UsageError(str(error), hint=f"Write {USAGE}.") from None
        name = options.get("name") or " ".join(rest[2:])
        text = {"start": name, "complete": "0", "fail": str(options.get("error") or "")}[word]
    answer = _ask(VERBS[word], code, text)
    return _tell(answer, word, quiet=not options.get("json"))


def _ask(verb: str, code: str, text: str) -> str | None:
    address = os.environ.get("TOOLKIT_WIRE")
    if not address:
        return None
    from toolkit.supervise.asking import ask, left_alone

    try:
        reply = ask(address, verb, code, " ".join(text.split("\t")))
    except OSError:
        return None
    return f"stop {Refused.exit_code}" if reply is None and left_alone(address) else reply


def _tell(answer: str | None, word: str, *, quiet: bool) -> int:
    kind, _, rest = (answer or "").partition(" ")
    told: dict[str, Any] = {"action": {"": "untracked", "done": "go-on", "bad": "refused"}.get(kind, kind)}
    code = 0
    if kind in {"run", "again"}:
        told["attempt"] = int(rest.split(" ", 1)[0])
        code = 75 if kind == "again" else 0
    elif kind == "reuse":
        told["outputs"] = json.loads(rest or "{}")
    elif kind == "stop":
        code = Refused.exit_code
    elif kind == "bad":
        raise UsageError(rest)
    if not quiet:
        print(json.dumps(told))
    return code if word != "complete" or kind != "again" else 75
