"""The command `toolkit`: what runs inside builds starts light, everything else goes through Typer."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line of this process and end with its exit code."""
    _stand_apart()
    arguments = sys.argv[1:]
    if arguments and arguments[0] in {"run", "resume", "state", "shell"}:
        if arguments[0] in {"run", "resume"}:
            _die_of_interrupts()
        if arguments[0] == "run":
            from toolkit.supervise.footing import stand

            stand()
        from toolkit.cli.light import try_light

        try_light(arguments)
    from toolkit.cli.app import app

    app()


def _stand_apart() -> None:
    """Take the caller's folder and PYTHONPATH out of the search: a build's own `logging.py` is none of ours.

    Under `python -I` they are not in it. What we run still finds both as they were.
    """
    if sys.flags.isolated:
        return
    import os

    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    theirs = {os.path.abspath(each) for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each}
    theirs |= set() if sys.flags.safe_path else set(sys.path[:1])
    sys.path[:] = [each for each in sys.path if each == ours or each not in theirs]
    if sys.warnoptions:
        import warnings

        warnings.simplefilter("ignore")  # PYTHONWARNINGS=error is meant for the caller's programs


def _die_of_interrupts() -> None:
    """Until the build runs, end as it would: a Ctrl-C in that moment must not become an exit code."""
    from _signal import SIG_DFL, SIGINT, default_int_handler, getsignal, signal  # type: ignore[import-not-found]

    if getsignal(SIGINT) is default_int_handler:
        signal(SIGINT, SIG_DFL)


if __name__ == "__main__":
    main()
