"""A Parquet mirror of a history: written incrementally, swapped in whole, made anew when it does not fit.

A segment holds all facts of some builds and the tables made of them. What is new is staged, the builds that it touches
are taken whole out of older segments, and both are written as new segments; rows of a build in an older segment are
thereby superseded. The manifest names the segments that count and is replaced by rename, so a reader sees either the
history before or the history after.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from analysis.attempts import present_rules
from analysis.database import connect, quoted
from analysis.segments import number_of, take_in
from analysis.sources import DoesNotFitError, Progress, Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

VERSION: Final = 5
"""Of the layout and of the queries that make the tables; raise it when either changes."""


class Mirror:
    """The mirror of one source below a cache folder."""

    def __init__(self, source: Source, cache: Path) -> None:
        """Take the source; its mirror has a folder of its own, named after it."""
        self.source = source
        self.identity = source.identity
        self.folder = cache / hashlib.sha256(self.identity.encode()).hexdigest()[:16]
        self.folder.mkdir(parents=True, exist_ok=True)

    def refresh(self, reading: ExitStack, progress: Progress = lambda _: None) -> Manifest:
        """Take in what is new and give what now counts, which stays until `reading` is closed.

        One process at a time; others wait.
        """
        with locked(self.folder / "writer.lock", fcntl.LOCK_EX):
            manifest = Manifest.read(self.folder, self.identity)
            self._sweep(manifest)
            try:
                manifest = self._advance(manifest, progress)
            except DoesNotFitError:
                manifest = self._advance(Manifest(self.folder, self.identity), progress)
            reading.enter_context(locked(self.folder / "readers.lock", fcntl.LOCK_SH))
            return manifest

    def _advance(self, manifest: Manifest, progress: Progress) -> Manifest:
        with tempfile.TemporaryDirectory(prefix="staging-", dir=self.folder) as name:
            staging = Path(name)
            con = connect(spill=staging)
            try:
                cursor = self.source.stage(con, staging, manifest.cursor, progress)
                if cursor is None:
                    return manifest
                after = manifest.but(cursor=cursor)
                if any(staging.glob("facts-*.parquet")):
                    after = take_in(con, staging, after)
            finally:
                con.close()
            after.write()
        return after

    def _sweep(self, manifest: Manifest) -> None:
        """Remove what no longer counts, unless somebody may be reading it."""
        try:
            with locked(self.folder / "readers.lock", fcntl.LOCK_EX | fcntl.LOCK_NB):
                for path in self.folder.iterdir():
                    if path.name.startswith(("segment-", "staging-")) and path.name not in manifest.segments:
                        shutil.rmtree(path, ignore_errors=True)
                    elif path.name.startswith("superseded-") and path.name != manifest.superseded:
                        path.unlink(missing_ok=True)
        except BlockingIOError:
            return


class Manifest:
    """Which segments count, how far the source was read, and which builds moved to a later segment."""

    def __init__(self, folder: Path, identity: str, **told: Any) -> None:  # noqa: ANN401 - what JSON holds
        """Begin an empty one, or take what was written."""
        self.folder = folder
        self.identity = identity
        self.cursor: dict[str, Any] | None = told.get("cursor")
        self.segments: dict[str, dict[str, Any]] = told.get("segments", {})
        self.next: int = told.get("next") or 1 + max(map(number_of, folder.glob("segment-*")), default=0)
        self.superseded: str | None = told.get("superseded")
        self.rules: str | None = told.get("rules")
        """The rules by which messages were understood, if any had to be."""

    def but(self, **changes: Any) -> Manifest:  # noqa: ANN401 - the same
        told = {
            "cursor": self.cursor,
            "segments": dict(self.segments),
            "next": self.next,
            "superseded": self.superseded,
            "rules": self.rules,
        }
        return Manifest(self.folder, self.identity, **{**told, **changes})

    @classmethod
    def read(cls, folder: Path, identity: str) -> Manifest:
        """Read the manifest; an unreadable one, or one whose files are not as written, is as good as none."""
        try:
            told = json.loads((folder / "manifest.json").read_text())
            if told["version"] != VERSION or told["identity"] != identity:
                return cls(folder, identity)
            if told["what"]["rules"] is not None and told["what"]["rules"] != present_rules():
                return cls(folder, identity)
            sizes = {
                f"{name}/{file}": size
                for name, each in told["segments"].items()
                for file, size in each["files"].items()
            }
            if any((folder / file).stat().st_size != size for file, size in sizes.items()):
                return cls(folder, identity)
            return cls(folder, identity, **told["what"], segments=told["segments"])
        except (OSError, ValueError, KeyError, TypeError):
            return cls(folder, identity)

    def write(self) -> None:
        """Replace the manifest in one step."""
        told = {
            "version": VERSION, "identity": self.identity, "segments": self.segments,
            "what": {"cursor": self.cursor, "next": self.next, "superseded": self.superseded, "rules": self.rules},
        }  # fmt: skip
        fresh = self.folder / "manifest.json.new"
        with fresh.open("w") as out:
            json.dump(told, out)
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(self.folder / "manifest.json")

    def relation(self, part: str, names: Sequence[str] | None = None) -> str:
        """Give the SQL that reads the rows of a table that count, of all segments or of those named."""
        chosen = list(self.segments) if names is None else names
        files = ", ".join(f"'{quoted(self.folder / name / f'{part}.parquet')}'" for name in chosen)
        if self.superseded is None or not any(self.segments[name]["moved"] for name in chosen):
            return f"(select * from read_parquet([{files}]))"  # noqa: S608 - names of our own
        moved = quoted(self.folder / self.superseded)
        return (
            f"(select * from read_parquet([{files}]) m anti join "  # noqa: S608 - the same
            f"read_parquet('{moved}') s on m.segment = s.segment and m.build = s.build)"
        )


@contextmanager
def locked(path: Path, how: int) -> Iterator[None]:
    """Hold a lock on a file; BlockingIOError when `how` says not to wait and somebody has it."""
    with path.open("a") as handle:
        fcntl.flock(handle, how)
        yield
