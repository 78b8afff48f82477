"""`toolkit serve` over HTTP: it shows to whoever asks by its own name, and acts only for who has the token."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.live.servers import TOKEN, Served, serving
from toolkit.live.guard import Guard, own_names
from toolkit.store import open_store
from toolkit.supervise import wishes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOSTILE = "<img src=x onerror=alert(1)>\"'&\x1b[2J"
PLEASE = {"token": TOKEN, "who": "ann", "note": "mirror is back"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Give a server with a token on a project with builds of all kinds, some of them hostile."""
    with serving(tmp_path_factory.mktemp("project")) as server:
        run = server.shell.run
        run("run", "--", "true")
        script = server.shell.script("hostile.sh", "#!/bin/sh\nprintf '%s\\n' \"$1\"\nexit 3\n")
        run("run", "--build", "b-bad", "--target", HOSTILE, "--", script, f"::state 5 failed {HOSTILE} - {HOSTILE}::")
        with closing(open_store(server.store_url)) as store:
            wishes.say(store, "b-bad", wishes.hold("ann", HOSTILE))
        yield server


def test_the_pages_show(served: Served) -> None:
    """The overview, a build, the document for scripts: all there, all with headers that keep them to themselves."""
    served.hold("b-show")
    for path in ("/", "/build?id=b-show", "/live.json", "/live.css", "/live.js"):
        answer = served.get(path)
        assert answer.status == 200, path
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
    assert "looking at the VM" in served.get("/").text
    shown = next(each for each in served.get("/live.json").json["builds"] if each["build"] == "b-show")
    told = next(each for each in served.shell.json("watch", "--once")["builds"] if each["build"] == "b-show")
    assert shown == told


def test_what_is_not_there(served: Served) -> None:
    """An unknown build and an unknown page are 404, in words that say what to do."""
    answer = served.get("/build?id=b-none")
    assert answer.status == 404
    assert "there is no build b-none" in answer.text
    assert served.get("/live.json?build=b-none", Accept="application/json").json == {
        "error": "there is no build b-none", "hint": "List what there is with `toolkit builds`.",
    }  # fmt: skip
    assert served.get("/nothing").status == 404
    assert served.get("/release").status == 405


def test_hostile_names_stay_text(served: Served) -> None:
    """Markup out of targets, names, reasons and errors reaches no page as markup."""
    for path in ("/", "/build?id=b-bad", f"/build?id={quote(HOSTILE)}"):
        text = served.get(path).text
        assert "<img" not in text
        assert "\x1b" not in text
        assert "&lt;img src=x onerror=alert(1)&gt;" in text


def test_changes_are_sent_as_they_happen(served: Served) -> None:
    """Whoever listens hears of the present at once and of a change within moments, with the words to read out."""
    build = served.hold("b-news")
    with served.stream(f"/events?build={build}") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert "held" in next_view(stream)["html"]
        served.post("/release", {**PLEASE, "build": build})
        said = ""
        end = time.monotonic() + 60
        while not said and time.monotonic() < end:
            said = next_view(stream)["said"]
    assert said == f"{build} failed; state 0, attempt 1 failed; run 1"


def next_view(stream: Any) -> dict[str, str]:
    for line in stream:
        if line.startswith(b"data: "):
            return dict(json.loads(line[6:]))
    raise AssertionError("the stream ended")


@pytest.mark.parametrize(
    ("word", "kind", "note"),
    [
        ("release", "build_released", "mirror is back"),
        ("abandon", "build_abandoned", "superseded"),
        ("skip", "state_skipped", "by hand"),
    ],
)
def test_a_held_build_is_decided_about(served: Served, word: str, kind: str, note: str) -> None:
    """With the token a held build is released, skipped or abandoned; the history says by whom, from where and why."""
    build = served.hold(f"b-{word}")
    answer = served.post(f"/{word}", {**PLEASE, "build": build, "note": note})

    assert (answer.status, answer.headers["location"]) == (303, f"build?id={build}")
    told: Any = next(each for each in reversed(served.events(build)) if each.kind == kind)
    assert told.by == "ann (from 127.0.0.1, by the web page)"
    assert note in {getattr(told, "note", None), getattr(told, "reason", None)}


def test_scripts_may_send_the_token_in_a_header(served: Served) -> None:
    """`Authorization: Bearer` does as well as the form's field, and the answer is then the build's record."""
    build = served.hold("b-script")
    answer = served.post("/release", {"build": build, "who": "cron"}, Authorization=f"Bearer {TOKEN}")
    assert answer.status == 200
    assert (answer.json["build"], answer.json["held"]) == (build, False)
    again = served.post("/release", {"build": build}, Authorization=f"Bearer {TOKEN}")
    assert (again.status, again.json["error"]) == (409, f"build {build} is not held")


@pytest.mark.parametrize(
    ("form", "headers"),
    [
        ({**PLEASE, "token": "wrong-horse"}, {}),
        ({**PLEASE, "token": ""}, {}),
        ({"who": "ann"}, {}),
        ({"who": "ann"}, {"Authorization": "Bearer wrong-horse"}),
        ({"who": "ann"}, {"Authorization": f"Basic {TOKEN}"}),
        (PLEASE, {"Origin": "http://evil.example"}),
        (PLEASE, {"Origin": "null"}),
        (PLEASE, {"Sec_Fetch_Site": "cross-site"}),
        (PLEASE, {"Sec_Fetch_Site": "same-site"}),
    ],
)
def test_nobody_else_changes_anything(served: Served, form: dict[str, str], headers: dict[str, str]) -> None:
    """No token, a wrong one, or a request that another site's page sent: refused, and nothing is recorded."""
    if not served.events("b-safe"):
        served.hold("b-safe")
    before = served.events("b-safe")
    assert served.post("/abandon", {**form, "build": "b-safe"}, **headers).status == 403
    assert served.events("b-safe") == before


def test_what_makes_no_sense_is_refused(served: Served) -> None:
    """A skip without a reason, a build that is not held or not there, a form that is none or too long."""
    build = served.hold("b-sense")
    assert served.post("/skip", {**PLEASE, "build": build, "note": " "}).status == 400
    assert served.post("/release", {**PLEASE, "build": "b-0001"}).status == 409
    assert served.post("/release", {**PLEASE, "build": "b-none"}).status == 404
    assert served.post("/release", {**PLEASE, "build": build, "note": "x" * 20_000}).status == 400
    assert served.post("/release", {**PLEASE, "build": build}, Content_Type="application/json").status == 400
    assert served.progress(build).held


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "", "[::1", "a:b"]
)
def test_a_name_that_points_here_by_a_trick_is_refused(served: Served, host: str) -> None:
    """A page whose own name was made to point to this machine cannot read anything from here."""
    answer = served.get("/live.json", Host=host)
    assert answer.status in {400, 421}
    assert "builds" not in answer.text
    assert served.post("/release", {**PLEASE, "build": "b-0001"}, Host=host).status in {400, 421}


@given(st.from_regex(r"\A[a-z0-9.-]{1,40}\Z"), st.integers(1, 65535))
def test_only_numbers_and_own_names_are_known(name: str, port: int) -> None:
    """A Host header is known when it is an address, localhost, or a name that was allowed; never by resemblance."""
    guard = Guard(hosts=own_names("127.0.0.1", ("Builds.Example.net.",)))
    number = re.fullmatch(r"\d+\.\d+\.\d+\.\d+", name.rstrip("."))
    if not number:
        assert guard.knows_host(f"{name}:{port}") == (name.rstrip(".") in {"localhost", "builds.example.net"})
    for known in ("127.0.0.1", "[::1]", "LOCALHOST", "builds.example.NET", "192.0.2.7"):
        assert guard.knows_host(f"{known}:{port}")
        assert guard.knows_host(known)


def test_without_a_token_nothing_can_be_done(tmp_path: Path) -> None:
    """A server that was given no token has no form, and refuses whatever is sent."""
    with serving(tmp_path, token=None) as server:
        server.hold("b-0001")
        page = server.get("/build?id=b-0001").text
        assert "<form" not in page
        assert "toolkit release b-0001" in page
        for form in ({"build": "b-0001"}, {"build": "b-0001", "token": ""}, {"build": "b-0001", "token": "None"}):
            answer = server.post("/release", form)
            assert (answer.status, "this server only shows" in answer.text) == (403, True)
        assert server.progress("b-0001").held


def test_serving_begins_before_there_is_a_history(tmp_path: Path) -> None:
    """An empty project is shown as such, and its first build appears without a restart."""
    with serving(tmp_path) as server:
        assert server.get("/live.json").json["builds"] == []
        assert "Nothing runs." in server.get("/").text
        server.shell.run("run", "--", "true")
        end = time.monotonic() + 60
        while "b-0001" not in server.get("/").text:
            assert time.monotonic() < end
            time.sleep(0.1)


def test_ctrl_c_ends_it_in_order(tmp_path: Path) -> None:
    """Also while somebody listens: the stream is closed, the exit code is 0, and nothing is said on stderr."""
    with serving(tmp_path) as server, server.stream("/events") as stream:
        assert next_view(stream)
        server.process.send_signal(2)
        assert [line for line in stream if line.startswith(b"data")] == []
        _, error = server.process.communicate(timeout=60)
        assert (server.process.returncode, error) == (0, "")


def test_what_cannot_be_served_is_said(tmp_path: Path) -> None:
    """A port that is taken, a short token: refused with what to do, before anything listens."""
    with serving(tmp_path) as server:
        port = server.url.rpartition(":")[2]
        code, _, error = server.shell.run("serve", "--port", port)
        assert (code, error.splitlines()[1]) == (6, "hint: Choose another with --port; 0 takes a free one.")
        assert error.startswith(f"error: cannot serve at 127.0.0.1 port {port}: Address already in use")
        code, _, error = server.shell.run("serve", "--port", "0", "--token", "short")
        assert (code, error.splitlines()[0]) == (2, "error: the token is shorter than 8 characters")


def test_a_missing_extra_is_said(tmp_path: Path) -> None:
    """Without the packages of the extra the command says which one to install."""
    hidden = (
        "import sys; sys.modules['uvicorn'] = None; sys.argv[1:] = ['serve']; from toolkit.cli.app import app; app()"
    )
    ended = subprocess.run([sys.executable, "-c", hidden], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.splitlines() == [
        "error: `toolkit serve` needs a package that is not installed: uvicorn",
        "hint: Install the toolkit with its extra: build-state-toolkit[serve].",
    ]


def test_an_open_address_is_warned_of(tmp_path: Path) -> None:
    """Listening beyond this machine is possible, and said to be what it is; the machine's own name is then known."""
    with serving(tmp_path, "--host", "0.0.0.0") as server:  # noqa: S104 - that is what is tested
        port = server.url.rpartition(":")[2]
        server.url = f"http://127.0.0.1:{port}"
        assert server.get("/", Host=socket.gethostname()).status == 200
        server.process.send_signal(2)
        assert "warning: everybody who reaches this address" in server.process.communicate(timeout=60)[1]
