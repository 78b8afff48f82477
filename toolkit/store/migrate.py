"""Numbered schema files: which there are for a database, and which one that is at some version still lacks."""

from __future__ import annotations

import os

from toolkit.core.values import Value

SCHEMAS = os.path.join(os.path.dirname(__file__), "schema")


class Migration(Value):
    """One step of a schema: its number, from 1 without gaps, its name, and the file with its SQL."""

    number: int
    name: str
    path: str

    @property
    def sql(self) -> str:
        """Read the statements of this step."""
        with open(self.path, encoding="utf-8") as file:
            return file.read()


def migrations(database: str) -> list[Migration]:
    """List the steps for `sqlite` or `postgres`, in order."""
    folder = os.path.join(SCHEMAS, database)
    found = [
        Migration(number=int(name[:4]), name=name[5:-4], path=os.path.join(folder, name))
        for name in sorted(os.listdir(folder))
        if name.endswith(".sql")
    ]
    if [each.number for each in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"the steps in {folder} are not numbered 1, 2, 3 …")
    return found
