"""A real server on a real project, asked over HTTP, for tests."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.histories import MINUTE, ends, fails, history
from tests.transcripts import Shell
from toolkit.store import open_store
from toolkit.supervise import wishes
from toolkit.supervise.ledger import now_ms

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from toolkit.core.events import Event
    from toolkit.core.progress import Progress

TOKEN = "correct-horse"  # noqa: S105 - of a test
CONFIGURATION = 'phase = "track-only"\n\n[pipeline]\nname = "golden-image"\n'


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Show the redirection instead of following it."""


class Served:
    """A running `toolkit serve`."""

    def __init__(self, shell: Shell, process: subprocess.Popen[str], url: str) -> None:
        self.shell = shell
        self.process = process
        self.url = url
        self._opener = urllib.request.build_opener(_Stay, urllib.request.ProxyHandler({}))

    def hold(self, build: str, reason: str = "looking at the VM") -> str:
        """Record a build that failed and waits for a person."""
        facts = history(fails(0), ends("failed", 1), build=build, start_ms=now_ms() - MINUTE, holder="elsewhere/1/1/1")
        with closing(open_store(self.store_url)) as store:
            store.begin(lambda _: facts, build=build)
            wishes.say(store, build, wishes.hold("ann", reason))
        return build

    def events(self, build: str) -> list[Event]:
        """Give what is recorded of a build."""
        with closing(open_store(self.store_url)) as store:
            return store.events(build)

    def progress(self, build: str) -> Progress:
        """Give how a build stands."""
        with closing(open_store(self.store_url)) as store:
            return store.progress(build)

    @property
    def store_url(self) -> str:
        return f"sqlite:///{self.shell.folder}/.toolkit/history.db"

    def get(self, path: str, **headers: str) -> Answer:
        """Ask for a page; `Content_Type` writes a header's name."""
        return self._ask(urllib.request.Request(self.url + path, headers=_names(headers)))  # noqa: S310 - our own

    def post(self, path: str, form: Mapping[str, str], **headers: str) -> Answer:
        """Send a form."""
        body = urllib.parse.urlencode(form).encode()
        return self._ask(urllib.request.Request(self.url + path, data=body, headers=_names(headers)))  # noqa: S310 - our own

    def stream(self, path: str) -> Any:
        """Ask for something that does not end by itself."""
        return urllib.request.urlopen(self.url + path, timeout=60)  # noqa: S310 - our own

    def _ask(self, request: urllib.request.Request) -> Answer:
        try:
            with self._opener.open(request, timeout=60) as answer:
                told = {name.lower(): value for name, value in answer.headers.items()}
                return Answer(answer.status, told, answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                told = {name.lower(): value for name, value in error.headers.items()}
                return Answer(error.code, told, error.read().decode())


def _names(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@contextmanager
def serving(folder: Path, *arguments: str, token: str | None = TOKEN) -> Iterator[Served]:
    """Serve the project in a folder at a free port until the end of the block; it must then end by itself, in order."""
    shell = Shell(folder)
    if not (folder / "toolkit.toml").exists():
        (folder / "toolkit.toml").write_text(CONFIGURATION)
    environment = {**shell.environment, **({} if token is None else {"TOOLKIT_SERVE_TOKEN": token})}
    process = subprocess.Popen(
        [sys.executable, "-m", "toolkit", "serve", "--port", "0", *arguments], cwd=folder, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    told = process.stdout.readline()
    assert told.startswith("serving http://"), told + process.communicate(timeout=60)[1]
    try:
        yield Served(shell, process, told.split()[1].rstrip("/"))
    finally:
        if process.poll() is None:
            process.send_signal(2)
        process.communicate(timeout=60)
