"""The way into a build without Typer: the plain forms of `run`, `state` and `shell`, parsed by a small table.

Whatever this table does not know (`--help`, a misspelt option, completion) is left to the full command line, which
knows the same commands and says what is wrong.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from toolkit.errors import ToolkitError

VALUES = {
    "run": {"--build", "--target", "--label", "--phase", "--project", "--store", "--from", "--through", "--only"},
    "resume": {"--from", "--through", "--only", "--project", "--store"},
    "state": {"--error", "--name", "--exit-code", "--build", "--project", "--store"},
    "shell": set[str](),
}
FLAGS = {
    "run": {"--limits", "--force", "--verify-clean"},
    "resume": {"--force"},
    "state": {"--json"},
    "shell": {"--path"},
}
REPEATED = {"--label"}
KNOWN_TO_BE_DEBUGGING = "TOOLKIT_TRACEBACK"


def try_light(arguments: Sequence[str]) -> None:
    """Run a command and end the process; return when the full command line has to take over."""
    parsed = parse(arguments[0], arguments[1:])
    if parsed is None:
        return
    options, rest = parsed
    call: Any
    if arguments[0] == "run":
        from toolkit.cli.light_run import run_light as call
    elif arguments[0] == "resume":
        from toolkit.cli.light_resume import resume_light as call
    elif arguments[0] == "state":
        from toolkit.cli.light_state import state_light as call
    else:
        from toolkit.cli.light_shell import shell_light as call
    guarded(call, options, rest)


def parse(command: str, arguments: Sequence[str]) -> tuple[dict[str, Any], list[str]] | None:
    """Split options from the rest; None when anything is not in the table."""
    options: dict[str, Any] = {}
    rest: list[str] = []
    waiting = list(arguments)
    while waiting:
        word = waiting.pop(0)
        if word == "--":
            rest.extend(waiting)
            break
        name, equals, value = word.partition("=")
        if name in VALUES[command]:
            if not equals:
                if not waiting:
                    return None
                value = waiting.pop(0)
            key = name[2:].replace("-", "_")
            options[key] = [*options.get(key, []), value] if name in REPEATED else value
        elif word in FLAGS[command]:
            options[word[2:].replace("-", "_")] = True
        elif word.startswith("-") and word != "-":
            return None
        elif command == "resume" and "build" not in options:
            options["build"] = word
        else:
            rest.append(word)
            if command in {"run", "resume"}:
                rest.extend(waiting)
                break
    return options, rest


def guarded(call: Any, *arguments: Any) -> NoReturn:  # noqa: ANN401 - any command
    """Call a command and end the process as it says; expected errors become words and an exit code."""
    try:
        code = call(*arguments)
    except ToolkitError as error:
        sys.exit(told(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(141)
    sys.exit(code or 0)


def told(error: ToolkitError) -> int:
    """Print an expected error as `error: …` and `hint: …` on stderr; gives its exit code."""
    hint = f"\nhint: {error.hint}" if error.hint else ""
    print(f"error: {error}{hint}", file=sys.stderr)
    return error.exit_code
