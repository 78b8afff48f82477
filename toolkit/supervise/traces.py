"""What a run leaves on its host beside the history, for whoever finds it when its supervisor died.

It lies in the folder of the wire, which a supervisor that ends in peace removes:

    owner               whose it is: build, run, holder and session, a line each
    sound               is there while nothing is missing from the record
    alone               is there when a script must stop, rather than go on, once its supervisor is gone
    spare               is there when the build will do so, and therefore need not be killed at once
    ended.STATE-ATTEMPT how a step ended, by the step's own shell
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from toolkit.core.values import Value
from toolkit.supervise.logs import state_directory

if TYPE_CHECKING:
    from toolkit.core.progress import Progress


class Trace(Value):
    """The folder of one run."""

    directory: str
    session: int
    """The session that the supervisor belonged to."""

    @property
    def is_sound(self) -> bool:
        """Tell whether the supervisor could record everything until it died."""
        return os.path.exists(f"{self.directory}/sound")

    def exit_code(self, state: int, attempt: int) -> int | None:
        """Give how a step ended; None when its shell left nothing, or not all of it."""
        told = _read(f"{self.directory}/ended.{state}-{attempt}")
        number = told.removesuffix("\n")
        return int(number) if told.endswith("\n") and number.isdigit() else None

    def remove(self) -> None:
        """Remove it, whoever else does the same."""
        remove(self.directory)


def places(project_directory: str) -> tuple[str, str]:
    """Give the folders below which traces lie: the project's, or where that cannot be written, this user's own."""
    return os.path.join(state_directory(project_directory), "run"), f"/tmp/toolkit-{os.getuid()}"  # noqa: S108


def sign(directory: str, build: str, run: int, holder: str) -> None:
    """Say whose a folder is, and that its record is sound; OSError."""
    with open(f"{directory}/sound", "x", encoding="ascii"):
        pass
    with open(f"{directory}/owner.new", "x", encoding="utf-8", errors="surrogateescape") as file:
        file.write(f"{build}\n{run}\n{holder}\n{os.getsid(0)}\n")
    os.rename(f"{directory}/owner.new", f"{directory}/owner")


def find(project_directory: str, progress: Progress) -> Trace | None:
    """Find what the present run of a build left on this host."""
    holder = progress.holder or ""
    pid = holder.rsplit("/", 2)[-2] if holder.count("/") >= 3 else ""  # noqa: PLR2004 - the four parts of a holder
    for place in places(project_directory):
        for name in _names(place):
            if name.partition("-")[0] != pid:
                continue
            told = _read(f"{place}/{name}/owner").split("\n")
            if told[:3] == [progress.build, str(progress.run), holder] and told[3].isdigit():
                return Trace(directory=f"{place}/{name}", session=int(told[3]))
    return None


def remove(directory: str) -> None:
    """Remove a folder of traces and all that is in it."""
    for name in _names(directory):
        try:
            os.unlink(f"{directory}/{name}")
        except OSError:
            continue
    try:
        os.rmdir(directory)
    except OSError:
        return


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""
