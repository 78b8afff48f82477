"""The full command line: every command in one place, and the only place where errors become words."""

from __future__ import annotations

import os
import sys
from typing import Annotated, NoReturn

import typer
from typer.exceptions import TyperException
from typer.models import CommandInfo

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
    why,
)
from toolkit.cli.light import told
from toolkit.cli.summaries import Summaries
from toolkit.errors import NotDelivered, ToolkitError

HELP = """Run image builds as numbered states: record them, retry what is worth it, resume at the failed state.

Begin with `toolkit init` in your project and `toolkit run -- ./build.sh`; look at what happened with `toolkit status`
and `toolkit report`. `toolkit demo` shows all of it on a small real build."""

cli = typer.Typer(
    cls=Summaries,
    name="toolkit", help=HELP, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)  # fmt: skip
for group in (
    projects, phases, inside, resuming, builds, why, watching, people, learning, failures, data, doctor, demo,
):  # fmt: skip
    group.register(cli)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"toolkit {version('build-state-toolkit')}")
        raise typer.Exit


@cli.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Take what belongs to no command."""
    del version  # its callback has answered


def app() -> NoReturn:
    """Run the command line and end the process with its exit code."""
    _leave_only(*sys.argv[1:2])
    command = typer.main.get_command(cli)
    if sys.stdout is None:  # closed by who started us: nothing is shown then, and no file of ours becomes our output
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - as long as we live
    try:
        code = command.main(prog_name="toolkit", standalone_mode=False)
        sys.stdout.flush()
    except ToolkitError as error:
        code = told(error)
    except TyperException as error:
        code = _usage(error)
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    except BrokenPipeError:
        sys.stderr.close()
        code = 141
    except Exception as error:  # noqa: BLE001 - the last place where what nobody foresaw gets its exit code
        code = (_unheard() if isinstance(error, OSError) else 0) or _bug(error)
    sys.exit(code if isinstance(code, int) else 0)


def _unheard() -> int:
    """Say that nobody takes our output, a full disk behind it perhaps; 0 when that is not what is wrong."""
    try:
        print(flush=True)  # what failed to be written may be forgotten already
    except OSError as error:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # what is still kept would be tried again at the end
        hint = "Make room, or send the output elsewhere."
        return told(NotDelivered(f"cannot write to stdout: {error.strerror}", hint=hint))
    return 0


def _leave_only(asked: str = "") -> None:
    """Leave the one command that is asked for, if it is one: to describe all to Typer takes as long as to answer."""
    commands = [each for each in cli.registered_commands if each.callback and asked == _name(each)]
    groups = [each for each in cli.registered_groups if asked == each.name]
    if commands or groups:
        cli.registered_commands, cli.registered_groups = commands, groups


def _name(command: CommandInfo) -> str:
    return command.name or typer.main.get_command_name(getattr(command.callback, "__name__", ""))


def _bug(error: Exception) -> int:
    import traceback

    traceback.print_exception(error)
    print(f"error: this is a bug of ours: {type(error).__name__}: {error}", file=sys.stderr)
    print(
        "hint: Tell us what you did, with the lines above; `toolkit doctor` says whether the store is sound.",
        file=sys.stderr,
    )
    return 70


def _usage(error: TyperException) -> int:
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error.format_message())  # who types a name alone asks what there is
        return 0
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "toolkit"
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    early = path == "toolkit" and message.startswith("No such option")
    hint = "options stand behind the command, as in `toolkit status --json`" if early else f"see `{path} --help`"
    print(f"error: {message.rstrip('.')}\nhint: {hint}", file=sys.stderr)
    return int(getattr(error, "exit_code", 2))
