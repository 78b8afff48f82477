"""The installed command beside other people's packages."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

INSTALLED = "import sys; from build_state_toolkit import main; sys.argv[0] = 'toolkit'; main()"
"""What the script does that pip makes."""


def test_anothers_toolkit_on_the_path(tmp_path: Path) -> None:
    """A build's PYTHONPATH may hold a package called toolkit: the command is ours, and the build gets its own."""
    (tmp_path / "lib" / "toolkit").mkdir(parents=True)
    (tmp_path / "lib" / "toolkit" / "__init__.py").write_text("name = 'theirs'\n")
    build = f"{sys.executable} -c 'import toolkit; print(toolkit.name)'; exit 3"
    ended = subprocess.run(
        [sys.executable, "-c", INSTALLED, "run", "--", "sh", "-c", build],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path / "lib")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "theirs\n", "")
