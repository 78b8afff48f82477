"""The full command line: every command in one place, and the only place where errors become words."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer
from typer.exceptions import TyperException

from toolkit.cli import (
    builds,
    data,
    demo,
    doctor,
    failures,
    inside,
    learning,
    people,
    phases,
    projects,
    resuming,
    watching,
)
from toolkit.cli.light import told
from toolkit.cli.summaries import Summaries
from toolkit.errors import ToolkitError

HELP = """Run image builds as numbered states: record them, retry what is worth it, resume at the failed state.

Begin with `toolkit init` in your project and `toolkit run -- ./build.sh`; look at what happened with `toolkit status`
and `toolkit report`. `toolkit demo` shows all of it on a small real build."""

cli = typer.Typer(
    cls=Summaries,
    name="toolkit", help=HELP, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)  # fmt: skip
for group in (projects, phases, inside, resuming, builds, watching, people, learning, failures, data, doctor, demo):
    group.register(cli)


def app() -> NoReturn:
    """Run the command line and end the process with its exit code."""
    command = typer.main.get_command(cli)
    try:
        code = command.main(prog_name="toolkit", standalone_mode=False)
    except ToolkitError as error:
        code = told(error)
    except TyperException as error:
        code = _usage(error)
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    except BrokenPipeError:
        sys.stderr.close()
        code = 141
    sys.exit(code if isinstance(code, int) else 0)


def _usage(error: TyperException) -> int:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "toolkit"
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    print(f"error: {message.rstrip('.')}\nhint: see `{path} --help`", file=sys.stderr)
    return int(getattr(error, "exit_code", 2))
