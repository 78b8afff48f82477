"""Takes out of a log what belongs to the machine that made it: its mirrors' names, its paths.

Most samples need none of it, because the builds run in a sandbox with names and paths of their own; this is the net
below. It changes nothing else, and keeps the number of lines. The names are asked of the machine, never written here.

    python3 scrub.py FILE…
"""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
ASKED = {
    "index.example": (
        "python3",
        "-c",
        "from pip._internal.models.index import PyPI as p; print(p.url, p.file_storage_domain)",
    ),
    "registry.example": ("npm", "config", "get", "registry"),
    "mirror.example": ("sh", "-c", "cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null"),
}
"""What to ask for the names of registries and mirrors, and the neutral name that takes their place."""


@cache
def rules() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Give what is rewritten on this machine: hosts first, then folders, the longer ones first."""
    found = [
        (re.compile(rf"(?<![\w.-]){re.escape(host)}\b"), neutral)
        for neutral, ask in ASKED.items()
        for host in hosts(ask)
    ]
    folders = {
        str(HERE): "/srv/pipelines",
        str(HERE.parent.parent): "/srv",
        sys.base_prefix: "/usr",
        str(Path.home()): "/home/builder",
    }
    for folder in sorted(folders, key=len, reverse=True):
        if folder not in {"/", "/usr"}:
            found.append((re.compile(rf"(?<![\w./-]){re.escape(folder)}(?=/)"), folders[folder]))
    return tuple(found)


def hosts(ask: tuple[str, ...]) -> set[str]:
    """Find the host names in a command's answer; none when there is no such command."""
    try:
        answer = subprocess.run(ask, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return set()
    named = {
        urlsplit(word).hostname or word
        for word in answer.split()
        if "://" in word or re.fullmatch(r"[\w-]+(\.[\w-]+)+", word)
    }
    return {host for host in named if "." in host and "/" not in host}


def scrub(text: str) -> str:
    """Rewrite one text; the same input always gives the same output."""
    for pattern, neutral in rules():
        text = pattern.sub(neutral, text)
    return text


def main(paths: list[str]) -> int:
    """Rewrite files in place and say which ones changed."""
    for path in map(Path, paths):
        before = path.read_bytes().decode(errors="surrogateescape")
        after = scrub(before)
        if after != before:
            path.write_bytes(after.encode(errors="surrogateescape"))
            sys.stdout.write(f"{path}: rewritten\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
