"""The served pages in a real browser: they follow what happens, and leave nothing to a mouse or to the network."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser import IN_A_BROWSER, axe, launched
from tests.live.servers import TOKEN, Served, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = IN_A_BROWSER
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"
LOOKS: list[Any] = [{}, {"color_scheme": "dark"}, {"viewport": {"width": 390, "height": 844}}]
BUILD = """#!/bin/bash
. "$TOOLKIT_SHELL"
step() { printf '%s\\n' "$1"; until [ -e go ]; do sleep 0.05; done; }
state 5 "$1" -- step "$1"
state 20 base -- echo configuring
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as running:
        yield running


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Give a server on a project with a running build that prints markup, a held one and one that is done."""
    with serving(tmp_path_factory.mktemp("project")) as server:
        server.shell.run("run", "--", "true")
        server.hold("b-held", HOSTILE)
        script = server.shell.script("build.sh", BUILD)
        running = subprocess.Popen(
            [sys.executable, "-m", "toolkit", "run", "--build", "b-run", "--target", "green", "--", script, HOSTILE],
            cwd=server.shell.folder, env=server.shell.environment, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert running.stdout is not None
        assert running.stdout.readline()
        yield server
        (server.shell.folder / "go").touch()
        running.communicate(timeout=60)


@contextmanager
def opened(browser: Any, served: Served, path: str, **look: Any) -> Iterator[Any]:
    """Open a page; afterwards nothing may have gone wrong in it, and nothing been asked of anybody else."""
    context = browser.new_context(**{"viewport": {"width": 1100, "height": 900}, **look})
    page = context.new_page()
    troubles: list[str] = []
    page.on("console", lambda told: troubles.append(told.text) if told.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on(
        "request", lambda asked: None if asked.url.startswith((served.url, "data:")) else troubles.append(asked.url)
    )
    page.on("dialog", lambda dialog: troubles.append(dialog.message))
    page.goto(served.url + path)
    page.wait_for_selector("html[data-seen]", state="attached")
    yield page
    assert troubles == []
    context.close()


def faults(page: Any) -> list[Any]:
    """Give what axe finds wrong: the rule, and where."""
    found = axe.Axe().run(page).response["violations"]
    return [(each["id"], [node["target"] for node in each["nodes"]]) for each in found]


@pytest.mark.parametrize("look", LOOKS, ids=["light", "dark", "phone"])
def test_the_page_in_every_look(browser: Any, served: Served, look: dict[str, Any]) -> None:
    """In light, dark and on a phone all builds stand in their sections, axe finds no fault, and nothing sticks out."""
    with opened(browser, served, "/", **look) as page:
        assert page.locator("section:has(h2:text('Running')) .card.running").count() == 1
        assert page.locator("section:has(h2:text('Waiting for a person')) .card.held").count() == 1
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        assert faults(page) == []
    with opened(browser, served, "/build?id=b-held", **look) as page:
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        assert faults(page) == []


def test_hostile_output_is_text(browser: Any, served: Served) -> None:
    """What a build prints is read on the page, in the first picture and in those that follow, and never run."""
    with opened(browser, served, "/") as page:
        page.wait_for_selector("html[data-seen='3']", state="attached")
        assert page.locator("main img, main script").count() == 0
        assert HOSTILE in page.locator(".card.running .said").inner_text()
        assert HOSTILE in page.locator(".card.held").inner_text()


def test_keyboard_walk(browser: Any, served: Served) -> None:
    """The first stop skips to the builds, each stop is visible and named, and focus survives a new picture."""
    with opened(browser, served, "/") as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the builds"
        stops = []
        for _ in range(6):
            page.keyboard.press("Tab")
            assert page.evaluate("document.activeElement.getClientRects().length") > 0
            stops.append(page.evaluate("document.activeElement.textContent"))
        assert stops[:4] == ["Now", "Report", "b-run", "b-held"]
        page.locator("#a-b-run").focus()
        seen = int(page.evaluate("document.documentElement.dataset.seen"))
        page.wait_for_selector(f"html[data-seen='{seen + 2}']", state="attached")
        assert page.evaluate("document.activeElement.id") == "a-b-run"


def test_without_scripts_the_page_shows_the_present(browser: Any, served: Served) -> None:
    """The first picture needs no script."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(served.url)
    assert page.locator(".card.running h3").inner_text() == "b-run"
    context.close()


def test_a_person_releases_a_build(browser: Any, served: Served) -> None:
    """With name, reason and token a held build is let go on, by keyboard; with a wrong token it is not."""
    served.hold("b-mine")
    with opened(browser, served, "/build?id=b-mine") as page:
        page.get_by_label("Your name").fill("ann")
        page.get_by_label("Why").fill("mirror is back")
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Release: try again").focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("form", state="detached")
        assert page.locator(".card .doing").inner_text().startswith("failed after")
    assert not served.progress("b-mine").held


def test_what_happens_appears(browser: Any, served: Served) -> None:
    """While the page is open a build that ends moves to those that ended, and is announced to those who listen."""
    with opened(browser, served, "/") as page:
        page.wait_for_selector(".card.running")
        (served.shell.folder / "go").touch()
        page.locator(".card.completed", has_text="b-run").wait_for()
        assert page.locator("#said").inner_text().startswith("b-run completed; state 20 base, attempt 1 completed")


@pytest.mark.timeout(300)
def test_the_report_is_served(browser: Any, served: Served) -> None:
    """The report page works as it does from a file: its scripts run under the headers of the server."""
    with opened(browser, served, "/") as page:
        page.goto(f"{served.url}/report", timeout=200_000)
        page.wait_for_selector("html[data-ready=true]", state="attached", timeout=60_000)
        assert page.locator("figure svg").count() > 0
