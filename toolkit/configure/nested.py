"""Finds retries inside wrapped commands and in the CI files around them: nested, they multiply with ours."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from toolkit.core.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Where = Literal["around", "inside"]

_LARGEST: Final = 1 << 20
_LONGEST_LINE: Final = 2000
_MOST_FILES: Final = 5000
_SKIPPED: Final = frozenset({"venv", "node_modules", "__pycache__", "dist", "target", "vendor"})
_CI_FOLDERS: Final = frozenset({".github", ".gitlab", ".buildkite", ".circleci"})
_HINT: Final = re.compile(r"retr|tries|wget|\bfor\s|until\s|while\s+!|^\s*(?:max|limit)", re.IGNORECASE)
"""A line without any of these is not looked at twice."""

_CI_FILES: Final = re.compile(
    r"/(?:\.github/workflows/[^/]+\.ya?ml|\.gitlab-ci\.ya?ml|\.gitlab/.+\.ya?ml|Jenkinsfile[^/]*"
    r"|\.buildkite/.+\.ya?ml|azure-pipelines[^/]*\.ya?ml|\.circleci/config\.ya?ml|\.drone\.ya?ml"
    r"|\.woodpecker[^/]*\.ya?ml|bitbucket-pipelines\.ya?ml)$"
)
_BUILD_FILES: Final = re.compile(
    r"\.(?:sh|bash|zsh|mk|ya?ml|cfg|conf|ini|hcl|tf|ks|py|groovy)$"
    r"|/(?:Makefile|makefile|justfile|Dockerfile[^/]*|Containerfile[^/]*|\.npmrc|\.curlrc|\.wgetrc|[^/.]+)$"
)


class _Way(NamedTuple):
    """A usual way to write that something is tried again."""

    what: str
    pattern: re.Pattern[str]
    beyond: int = 0
    """Attempts beyond the number that is written: 1 where it counts retries, 0 where it counts attempts."""
    below: str = ""
    """A word that has to stand in the few lines above."""
    loop: bool = False


def _way(what: str, pattern: str, beyond: int = 0, *, below: str = "", loop: bool = False) -> _Way:
    return _Way(what, re.compile(pattern), beyond, below, loop)


_AROUND: Final = (
    _way("a CI job that is retried", r"^\s*-?\s*retry:\s*(\d+)\s*(?:#.*)?$", 1),
    _way("a CI job that is retried", r"^\s*(?:max|limit):\s*(\d+)\s*(?:#.*)?$", 1, below="retry:"),
    _way("a CI job that is retried", r"^\s*(?:max_auto_reruns|retryCountOnTaskFailure):\s*(\d+)", 1),
    _way("a CI step that is retried", r"^\s*max_attempts:\s*[\"']?(\d+)"),
    _way("a CI step that is retried", r"\bretry\s*\(\s*(\d+)\s*\)"),
)
_INSIDE: Final = (
    _way("curl --retry", r"\bcurl\b.*?\s--retry[ =](\d+)", 1),
    _way("retry of curl", r"^\s*-{0,2}retry\s*=\s*(\d+)", 1),
    _way("wget --tries", r"\bwget\b.*?\s(?:--tries[ =]|-t ?)(\d+)"),
    _way("Acquire::Retries of apt", r"Acquire::(?:\w+::)?[Rr]etries[\s\"'=]+(\d+)", 1),
    _way("pip --retries", r"\bpip3?\b.*?\s--retries[ =](\d+)", 1),
    _way("fetch-retries of npm", r"\bfetch-retries[ =](\d+)", 1),
    _way("retries of an Ansible task", r"^\s*retries:\s*[\"']?(\d+)", 1),
    _way("retries of dnf", r"^\s*retries\s*=\s*(\d+)", 1),
    _way("max_retries of packer", r"\bmax_retries\s*=\s*(\d+)", 1),
    _way("a command run by retry", r"(?:^|[;&|]|\s)retry\s+(?:-\w+\s+|--\w+[ =])*(\d+)\b"),
    _way("a loop", r"\bfor\s+\w+\s+in\s+\$\(seq\s+(?:1\s+)?(\d+)\)", loop=True),
    _way("a loop", r"\bfor\s+\w+\s+in\s+\{1\.\.(\d+)\}", loop=True),
    _way("a loop", r"\bfor\s+\w+\s+in\s+1(?:\s\d+)*\s(\d+)\s*(?:;|$)", loop=True),
    _way("a loop without an end", r"^\s*(?:until\s+(?!\[)|while\s+!\s+(?!\[))\S", loop=True),
)
_LEAVES_LOOP: Final = re.compile(r"\bbreak\b|\breturn\b|\bexit 0\b")
_LINES_BELOW: Final = 12
_LINES_ABOVE: Final = 4


class Nested(Value):
    """A place that tries again by itself."""

    file: str
    line: int
    """From 1."""
    where: Where
    """`around`: it starts the whole build again. `inside`: it is part of what the build runs."""
    what: str
    attempts: int | None
    """How often it tries in all; None when nothing says."""


class Nesting(Value):
    """What all layers come to, at their worst."""

    around: int
    inside: int
    ours: int
    bounded: bool
    """No layer tries for ever."""

    @property
    def product(self) -> int:
        """How often one command may be tried, where the longest layers meet."""
        return self.around * self.inside * self.ours

    @property
    def text(self) -> str:
        told = (
            f"{self.around} around x {self.ours} of ours x {self.inside} inside = {self.product} attempts at the worst"
        )
        return told if self.bounded else f"{told}, and some loops have no end of their own"


def nested_retries(directory: str, commands: Iterable[tuple[str, str]] = ()) -> list[Nested]:
    """Find what tries again by itself in a project's files, and in `commands`, each with its place in toolkit.toml.

    Files are looked at line by line with expressions for the usual tools: it finds what is written the usual way.
    """
    found = [each for place, command in commands for each in _search(place, command, "inside")]
    for path in _files(Path(directory)):
        name = path.relative_to(directory).as_posix()
        where: Where | None = (
            "around" if _CI_FILES.search(f"/{name}") else "inside" if _BUILD_FILES.search(f"/{name}") else None
        )
        if where is None:
            continue
        try:
            content = path.read_bytes()[:_LARGEST]
        except OSError:
            continue
        if b"\0" not in content:
            found += _search(name, content.decode(errors="replace"), where)
    return found


def nesting(found: Iterable[Nested], ours: int) -> Nesting:
    """Multiply the layers: the longest around us, ours, and the longest inside."""
    listed = list(found)
    return Nesting(
        around=max((each.attempts or 1 for each in listed if each.where == "around"), default=1),
        inside=max((each.attempts or 1 for each in listed if each.where == "inside"), default=1),
        ours=ours,
        bounded=all(each.attempts is not None for each in listed),
    )


def _files(directory: Path) -> Iterator[Path]:
    seen = 0
    for folder, folders, names in os.walk(directory):
        ours = (name for name in folders if name not in _SKIPPED and (name[0] != "." or name in _CI_FOLDERS))
        folders[:] = sorted(ours)
        for name in sorted(names):
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                seen += 1
                yield path
            if seen >= _MOST_FILES:
                return


def _search(name: str, text: str, where: Where) -> Iterator[Nested]:
    ways = (*_AROUND, *_INSIDE) if where == "around" else _INSIDE
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        if len(line) > _LONGEST_LINE or not _HINT.search(line) or line.lstrip().startswith(("#", "//")):
            continue
        for way in ways:
            match = way.pattern.search(line)
            if match is None or not _meant(way, lines, number):
                continue
            attempts = int(match[1]) + way.beyond if match.lastindex else None
            if attempts is None or attempts > 1:
                layer: Where = "around" if way in _AROUND else "inside"
                yield Nested(file=name, line=number, where=layer, what=way.what, attempts=attempts)
                break


def _meant(way: _Way, lines: list[str], number: int) -> bool:
    """Tell whether what stands around a line makes it a retry: loops wait between turns, or end when it worked."""
    if way.below:
        return any(way.below in line for line in lines[max(0, number - _LINES_ABOVE) : number - 1])
    if not way.loop:
        return True
    body = "\n".join(lines[number - 1 : number + _LINES_BELOW]).partition("\ndone")[0]
    return "sleep" in body or (way.pattern.groups > 0 and bool(_LEAVES_LOOP.search(body)))
