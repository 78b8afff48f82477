"""The command `toolkit`: what runs inside builds starts light, everything else goes through Typer."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line of this process and end with its exit code."""
    arguments = sys.argv[1:]
    if arguments and arguments[0] in {"run", "resume", "state", "shell"}:
        if arguments[0] == "run":
            from toolkit.supervise.footing import stand

            stand()
        from toolkit.cli.light import try_light

        try_light(arguments)
    from toolkit.cli.app import app

    app()


if __name__ == "__main__":
    main()
