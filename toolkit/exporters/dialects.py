"""How each CI system wants to be told things in its log: annotations, and lines that can be folded away.

What builds printed must never become a command. Every system takes commands from the beginning of a line or from a
marker anywhere in it, so what is quoted is set in behind a bar, its markers are broken, and what stands inside a
command is escaped as the system says.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final, Literal

from toolkit.core.visible import safe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Level = Literal["error", "warning"]
LONGEST: Final = 1000
MARKERS: Final = re.compile(r"##(?=\[|vso|teamcity)", re.IGNORECASE)


def quoted(line: str) -> str:
    """Give a line of a build's output as one that no system takes for a command."""
    return f"| {MARKERS.sub('# #', safe(line))}"


class Dialect(ABC):
    """One system's way."""

    name = ""
    label = ""

    @abstractmethod
    def annotation(self, level: Level, title: str, text: str) -> str:
        """Give the line that shows a sentence where the system shows what matters."""

    def fold(self, key: str, title: str, lines: Sequence[str], ts: int) -> list[str]:
        """Give lines under a title, folded where the system can; `ts` are seconds since 1970."""
        del key, ts
        return [_plain(title), *map(quoted, lines)]


class Plain(Dialect):
    """No system that we know: words for a reader. Jenkins takes no commands from a log either."""

    name, label = "plain", "no CI system"

    def annotation(self, level: Level, title: str, text: str) -> str:
        return f"[{level.upper()}] {_plain(title)}: {_plain(text)}"


class Jenkins(Plain):
    """Reads results from files, such as JUnit's."""

    name, label = "jenkins", "Jenkins"


class GitHub(Dialect):
    """GitHub Actions, and those that imitate it."""

    name, label = "github", "GitHub Actions"

    def annotation(self, level: Level, title: str, text: str) -> str:
        return f"::{level} title={_percent(_plain(title), '%:,')}::{_percent(_plain(text), '%')}"

    def fold(self, key: str, title: str, lines: Sequence[str], ts: int) -> list[str]:
        del key, ts
        return [f"::group::{_percent(_plain(title), '%')}", *map(quoted, lines), "::endgroup::"]


class GitLab(Dialect):
    """GitLab CI."""

    name, label = "gitlab", "GitLab CI"

    def annotation(self, level: Level, title: str, text: str) -> str:
        colour = "31" if level == "error" else "33"
        return f"\x1b[{colour};1m{level.upper()}\x1b[0m {_plain(title)}: {_plain(text)}"

    def fold(self, key: str, title: str, lines: Sequence[str], ts: int) -> list[str]:
        mark = re.sub(r"[^a-z0-9_.-]", "_", key.lower())
        return [
            f"\x1b[0Ksection_start:{ts}:{mark}[collapsed=true]\r\x1b[0K{_plain(title)}",
            *map(quoted, lines),
            f"\x1b[0Ksection_end:{ts}:{mark}\r\x1b[0K",
        ]


class Azure(Dialect):
    """Azure Pipelines."""

    name, label = "azure", "Azure Pipelines"

    def annotation(self, level: Level, title: str, text: str) -> str:
        said = _plain(f"{title}: {text}").replace("%", "%AZP25")
        return f"##vso[task.logissue type={level};]{said}"

    def fold(self, key: str, title: str, lines: Sequence[str], ts: int) -> list[str]:
        del key, ts
        return [f"##[group]{_plain(title)}", *map(quoted, lines), "##[endgroup]"]


class Buildkite(Dialect):
    """Buildkite; what matters is shown by its agent, from the summary."""

    name, label = "buildkite", "Buildkite"

    def annotation(self, level: Level, title: str, text: str) -> str:
        return f"{'+++' if level == 'error' else '---'} {_plain(title)}: {_plain(text)}"

    def fold(self, key: str, title: str, lines: Sequence[str], ts: int) -> list[str]:
        del key, ts
        return [f"--- {_plain(title)}", *map(quoted, lines)]


class TeamCity(Dialect):
    """TeamCity."""

    name, label = "teamcity", "TeamCity"

    def annotation(self, level: Level, title: str, text: str) -> str:
        said = _bars(f"{title}: {text}"[:LONGEST])
        if level == "error":
            return f"##teamcity[buildProblem description='{said}']"
        return f"##teamcity[message text='{said}' status='WARNING']"

    def fold(self, key: str, title: str, lines: Sequence[str], ts: int) -> list[str]:
        del key, ts
        name = _bars(title)
        return [f"##teamcity[blockOpened name='{name}']", *map(quoted, lines), f"##teamcity[blockClosed name='{name}']"]


SYSTEMS: Final[dict[str, Dialect]] = {
    each.name: each for each in (GitHub(), GitLab(), Azure(), Buildkite(), TeamCity(), Jenkins(), Plain())
}


def detected(environ: Mapping[str, str]) -> Dialect:
    """Give the dialect of the system whose job this is; plain words where it is none that we know."""
    signs = {
        "github": environ.get("GITHUB_ACTIONS") == "true",
        "gitlab": environ.get("GITLAB_CI") == "true",
        "azure": environ.get("TF_BUILD", "").lower() == "true",
        "buildkite": environ.get("BUILDKITE") == "true",
        "teamcity": bool(environ.get("TEAMCITY_VERSION")),
        "jenkins": bool(environ.get("JENKINS_URL")),
    }
    return SYSTEMS[next((name for name, there in signs.items() if there), "plain")]


def _plain(text: str) -> str:
    """One line of words that hold no marker."""
    return MARKERS.sub("# #", safe(text))[:LONGEST]


def _percent(text: str, signs: str) -> str:
    for sign in signs:
        text = text.replace(sign, f"%{ord(sign):02X}")
    return text


def _bars(text: str) -> str:
    escaped = "".join(f"|{sign}" if sign in "|'[]" else sign for sign in safe(text))
    return "".join(sign if sign.isascii() else f"|0x{ord(sign):04X}" for sign in escaped if ord(sign) <= 0xFFFF)  # noqa: PLR2004 - what its notation can say
