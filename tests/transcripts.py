"""The product as its users meet it: a command line, what it prints, how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


class Shell:
    """A folder in which commands are typed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "NO_COLOR": "1",
            "COLUMNS": "120",
        }

    def run(self, *arguments: str, stdin: str | None = None, **environment: str) -> tuple[int, str, str]:
        """Type `toolkit …`; gives exit code (negative for a signal), stdout and stderr."""
        ended = subprocess.run(
            [sys.executable, "-m", "toolkit", *arguments], cwd=self.folder, env={**self.environment, **environment},
            input=stdin, capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip
        return ended.returncode, ended.stdout, ended.stderr

    def json(self, *arguments: str) -> Any:
        """Type a command with `--json`, which must succeed; gives the document."""
        code, out, error = self.run(*arguments, "--json")
        assert code == 0, error
        return json.loads(out)

    def script(self, name: str, text: str) -> str:
        """Write a shell script; gives how it is called."""
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o755)
        return f"./{name}"

    def statuses(self, build: str) -> list[tuple[int, str, int | None]]:
        """Give a build's history as (state, status, attempt)."""
        history = self.json("status", build)["stateHistory"]
        return [(each["state"], each["status"], each.get("attempt")) for each in history]
