"""The page in a real browser: every chart is drawn, filters work, nothing leaves it, nothing in a log commands it."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from analysis.findings import find
from analysis.history import History
from analysis.report import html
from tests.analysis.lives import Recorded
from tests.analysis.test_report import HOSTILE, NOW, builds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from toolkit.core import events as ev

sync_api: Any = pytest.importorskip("playwright.sync_api", reason="Playwright drives the browser")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [pytest.mark.long, pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")]
FLAGS = [
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as driver:
        flags = [*FLAGS, "--no-sandbox"] if os.geteuid() == 0 else FLAGS
        running = driver.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield running
        running.close()


@contextmanager
def opened(browser: Any, tmp_path: Path, facts: list[ev.Event], **more: Any) -> Iterator[Any]:
    """Open the page of a history; afterwards nothing may have gone wrong in it, and nothing been asked of a network."""
    with History.open(Recorded(facts), tmp_path / "cache") as history:
        (tmp_path / "page.html").write_text(html.render(find(history, now=NOW)))
    context = browser.new_context(**{"viewport": {"width": 1200, "height": 900}, **more})
    page = context.new_page()
    troubles: list[str] = []
    page.on("console", lambda told: troubles.append(told.text) if told.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda asked: troubles.append(asked.url) if asked.url.startswith("http") else None)
    page.on("dialog", lambda dialog: troubles.append(dialog.message))
    page.goto((tmp_path / "page.html").as_uri())
    page.wait_for_selector("html[data-ready=true]", state="attached")
    for chart in page.locator(".chart").all():
        chart.locator("svg").wait_for()
    yield page
    assert troubles == []
    context.close()


@pytest.mark.parametrize(
    "look",
    [{}, {"color_scheme": "dark"}, {"viewport": {"width": 390, "height": 844}}],
    ids=["light", "dark", "phone"],
)
def test_every_chart_is_drawn_in_every_look(browser: Any, tmp_path: Path, look: dict[str, Any]) -> None:
    """Light, dark and on a phone each figure holds its chart, and the page is no wider than its screen."""
    with opened(browser, tmp_path, builds(), **look) as page:
        assert page.locator("figure").count() == page.locator("figure svg").count() > 5
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        assert page.evaluate("document.documentElement.dataset.theme") == (
            "dark" if look.get("color_scheme") else "light"
        )
        assert page.locator(".figure.cost .value").inner_text() == "3h"


def test_a_filter_changes_what_is_counted(browser: Any, tmp_path: Path) -> None:
    """Choosing a host or a class recounts figures, states and builds; clearing gives the whole back."""
    with opened(browser, tmp_path, builds()) as page:
        page.select_option("select[name=host]", "builder2")
        assert "failures: 1 of 5 attempts" in page.locator(".figure.cost .more").inner_text()
        page.select_option("select[name=class]", "resource")
        page.select_option("select[name=host]", "")
        assert page.locator("#builds tbody tr").count() == 1
        assert page.locator("#builds tbody tr").inner_text().startswith("b-5")
        page.click("#filters button[type=reset]")
        page.locator("#builds tbody tr").nth(5).wait_for()
        assert page.locator(".figure.cost .value").inner_text() == "3h"


def test_a_number_leads_to_the_builds_behind_it(browser: Any, tmp_path: Path) -> None:
    """From a failure's count one comes to the builds that failed so, by keyboard as well."""
    with opened(browser, tmp_path, builds()) as page:
        page.locator("#failures tbody tr", has_text="net.timeout").locator("button.link").last.focus()
        page.keyboard.press("Enter")
        assert page.locator("#builds tbody tr").count() == 1
        assert page.locator("#builds tbody tr").inner_text().startswith("b-4")
        assert page.evaluate("document.activeElement.textContent") == "Builds"


def test_a_page_can_be_walked_by_keyboard(browser: Any, tmp_path: Path) -> None:
    """The first stop skips to the report, and every stop after it is visible and has a name."""
    with opened(browser, tmp_path, builds()) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the report"
        for _ in range(25):
            page.keyboard.press("Tab")
            named = "(e => (e.innerText || e.getAttribute('aria-label') || e.closest('label')?.innerText || '').trim())"
            assert page.evaluate(f"{named}(document.activeElement)")
            assert page.evaluate("document.activeElement.getClientRects().length") > 0


def test_the_tables_say_what_the_charts_show(browser: Any, tmp_path: Path) -> None:
    """Behind each chart there is a table, with headings that name its columns."""
    with opened(browser, tmp_path, builds()) as page:
        page.locator("#states summary").last.click()
        rows = page.locator("#states tbody tr")
        assert [row.split("\t")[0] for row in rows.all_inner_texts()] == ["5 kickstart", "10 base", "100 image"]
        assert page.locator("table caption").count() == page.locator("table").count()
        assert page.locator("th:not([scope])").count() == 0


def test_a_hostile_log_line_stays_text(browser: Any, tmp_path: Path) -> None:
    """Tags, scripts and escape sequences of a message are read, not run: in tables, in tooltips, anywhere."""
    with opened(browser, tmp_path, builds(HOSTILE)) as page:
        assert page.locator("img").count() == 0
        assert page.locator("#failures", has_text="<img src=x onerror=alert(1)>").count() == 1
        page.locator("#worst svg path[aria-label*='run 1']").last.hover()
        page.wait_for_selector("#vg-tooltip-element.visible")
        assert "onerror" in page.locator("#vg-tooltip-element").inner_text()
        assert page.locator("img").count() == 0


def test_the_intervals_of_a_filter_are_those_of_the_report(browser: Any, tmp_path: Path) -> None:
    """What the page computes for a filter that chooses everything is what the findings hold for no filter."""
    with opened(browser, tmp_path, builds()) as page:
        page.locator("#states summary").last.click()
        cells = "[...document.querySelectorAll('#states tbody tr')].map(row => row.innerText.split('\\t'))"
        whole = {row[0]: row[4] for row in page.evaluate(cells)}
        page.select_option("select[name=from]", index=1)
        page.locator("#states summary").last.click()
        assert {row[0]: row[3] for row in page.evaluate(cells)} == whole
