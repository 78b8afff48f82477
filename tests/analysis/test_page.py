"""The page in a real browser: every chart is drawn, filters work, nothing leaves it, nothing in a log commands it."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from analysis.findings import find
from analysis.history import History
from analysis.report import html
from analysis.study import MOST_BUILDS, study
from analysis.waits import Prices
from tests.analysis.lives import Recorded
from tests.analysis.taught import taught
from tests.analysis.test_report import HOSTILE, NOW, builds
from tests.browser import IN_A_BROWSER, axe, launched
from tests.invented import invent
from toolkit.core.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from analysis.findings_model import Findings

pytestmark = IN_A_BROWSER


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as running:
        yield running


@cache
def findings(message: str) -> Findings:
    """Sum up six builds, of which one failed with this message, and add everything that findings can hold."""
    with TemporaryDirectory() as folder, History.open(Recorded(builds(message)), Path(folder)) as history:
        return taught(find(history, now=NOW))


@contextmanager
def opened(browser: Any, tmp_path: Path, message: str = "Network timeout", **more: Any) -> Iterator[Any]:
    """Open the page of those builds."""
    with shown(browser, tmp_path, findings(message), **more) as page:
        yield page


@contextmanager
def shown(browser: Any, tmp_path: Path, found: Findings, **more: Any) -> Iterator[Any]:
    """Open the page of findings; afterwards nothing may have gone wrong in it, and nothing been asked of a network."""
    (tmp_path / "page.html").write_text(html.render(found))
    context = browser.new_context(**{"viewport": {"width": 1200, "height": 900}, **more})
    context.set_default_timeout(120_000)
    page = context.new_page()
    troubles: list[str] = []
    page.on("console", lambda told: troubles.append(told.text) if told.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda asked: troubles.append(asked.url) if asked.url.startswith("http") else None)
    page.on("dialog", lambda dialog: troubles.append(dialog.message))
    page.goto((tmp_path / "page.html").as_uri())
    page.wait_for_selector("html[data-ready=true]", state="attached")
    for chart in page.locator(".chart").all():
        chart.locator("svg, p.quiet").first.wait_for(state="attached")
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
    with opened(browser, tmp_path, **look) as page:
        assert page.locator("figure").count() == page.locator("figure svg").count() > 12
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        assert page.evaluate("document.documentElement.dataset.theme") == (
            "dark" if look.get("color_scheme") else "light"
        )
        assert page.locator(".figure.cost .value").inner_text() == "3h"


def test_a_filter_changes_what_is_counted(browser: Any, tmp_path: Path) -> None:
    """Choosing a host or a class recounts figures, states and builds; clearing gives the whole back."""
    with opened(browser, tmp_path) as page:
        page.select_option("select[name=host]", "builder2")
        assert "1 of 5 attempts failed" in page.locator(".figure.cost .more").inner_text()
        page.select_option("select[name=class]", "resource")
        page.select_option("select[name=host]", "")
        assert page.locator("#builds tbody tr").count() == 1
        assert page.locator("#builds tbody tr").inner_text().startswith("b-5")
        page.click("#filters button[type=reset]")
        page.locator("#builds tbody tr").nth(5).wait_for()
        assert page.locator(".figure.cost .value").inner_text() == "3h"


def test_a_number_leads_to_the_builds_behind_it(browser: Any, tmp_path: Path) -> None:
    """From a failure's count one comes to the builds that failed so, by keyboard as well."""
    with opened(browser, tmp_path) as page:
        page.locator("#failures tbody tr", has_text="net.timeout").locator("a.link").last.focus()
        page.keyboard.press("Enter")
        assert page.locator("#builds tbody tr").count() == 1
        assert page.locator("#builds tbody tr").inner_text().startswith("b-4")
        assert page.evaluate("document.activeElement.textContent") == "Builds"


def test_a_page_can_be_walked_by_keyboard(browser: Any, tmp_path: Path) -> None:
    """The first stop skips to the report, and every stop after it is visible and has a name."""
    with opened(browser, tmp_path) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the report"
        for _ in range(25):
            page.keyboard.press("Tab")
            named = "(e => (e.innerText || e.getAttribute('aria-label') || e.closest('label')?.innerText || '').trim())"
            assert page.evaluate(f"{named}(document.activeElement)")
            assert page.evaluate("document.activeElement.getClientRects().length") > 0


def test_the_tables_say_what_the_charts_show(browser: Any, tmp_path: Path) -> None:
    """Behind each chart there is a table, with headings that name its columns."""
    with opened(browser, tmp_path) as page:
        page.locator("#states summary").last.click()
        rows = page.locator("#states tbody tr")
        assert [row.split("\t")[0] for row in rows.all_inner_texts()] == ["5 kickstart", "10 base", "100 image"]
        assert page.locator("table caption").count() == page.locator("table").count()
        assert page.locator("th:not([scope])").count() == 0


def test_a_hostile_log_line_stays_text(browser: Any, tmp_path: Path) -> None:
    """Tags, scripts and escape sequences of a message are read, not run: in tables, in tooltips, anywhere."""
    with opened(browser, tmp_path, HOSTILE) as page:
        assert page.locator("img").count() == 0
        assert page.locator("#failures", has_text="<img src=x onerror=alert(1)>").count() == 1
        page.locator("#worst svg").first.locator(".mark-rect path").nth(1).hover()
        page.wait_for_selector("#vg-tooltip-element.visible")
        assert "onerror" in page.locator("#vg-tooltip-element").inner_text()
        assert page.locator("img").count() == 0


def test_the_intervals_of_a_filter_are_those_of_the_report(browser: Any, tmp_path: Path) -> None:
    """What the page computes for a filter that chooses everything is what the findings hold for no filter."""
    with opened(browser, tmp_path) as page:
        page.locator("#states summary").last.click()
        cells = "[...document.querySelectorAll('#states tbody tr')].map(row => row.innerText.split('\\t'))"
        whole = {row[0]: row[4] for row in page.evaluate(cells)}
        page.select_option("select[name=from]", index=1)
        page.locator("#states summary").last.click()
        assert {row[0]: row[3] for row in page.evaluate(cells)} == whole


@pytest.mark.timeout(900)  # a hundred thousand builds take half a minute of processor time, wherever it comes from
@pytest.mark.parametrize("number", [1, 50, 100_000])
def test_a_history_of_any_length_makes_a_page(browser: Any, tmp_path: Path, number: int) -> None:
    """One build, fifty, or a hundred thousand: the page is below 3 MB, each chart is drawn, and filters count anew."""
    events = tmp_path / "events"
    events.mkdir()
    invent(events / "events.parquet", number, days=40 if number < 1000 else 420, codes=(5, 40, 100))
    with History.open(events, tmp_path / "cache") as history:
        recent = history.recent(MOST_BUILDS)
        learnt = study(recent, Policy(), {}, pipeline=None, prices=Prices()) if number < 1000 else {}
        found = find(history, now=NOW, **learnt)
    assert found.outcomes.builds == number

    with shown(browser, tmp_path, found) as page:
        assert (tmp_path / "page.html").stat().st_size < 3_000_000
        assert page.locator("figure svg").count() >= (5 if found.totals.failures else 4)
        page.select_option("select[name=state]", label="40 packages")
        assert f"of {sum(_attempts_at(found, 40)):,} attempts" in page.locator(".figure.cost .more").inner_text()
        assert f"{found.scope.pipelines[0]}" in page.locator(".scope").inner_text()


def _attempts_at(found: Findings, code: int) -> list[int]:
    return [state.attempts for state in found.states if state.code == code]


@pytest.mark.parametrize(
    "look", [{}, {"color_scheme": "dark"}, {"viewport": {"width": 390, "height": 844}}], ids=["light", "dark", "phone"]
)
def test_axe_has_nothing_to_say(browser: Any, tmp_path: Path, look: dict[str, Any]) -> None:
    """Landmarks, names, contrast, headings, tables: no rule of axe is broken, also with everything unfolded."""
    with opened(browser, tmp_path, HOSTILE, **look) as page:
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        told = axe.Axe().run(page)
        assert told.violations_count == 0, told.generate_report()


def test_a_printed_page_holds_the_tables(browser: Any, tmp_path: Path) -> None:
    """On paper there are the charts and the tables behind them, but no buttons, no filters, no navigation."""
    with opened(browser, tmp_path) as page:
        page.emulate_media(media="print")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert [page.locator(one).is_visible() for one in (".contents", ".tools", "#filters")] == [False] * 3
        assert page.locator("#states table").is_visible()
        assert page.locator("#states svg").first.is_visible()
        assert len(page.pdf(format="A4")) > 20_000


def test_a_build_is_drawn_as_it_was_and_as_it_would_have_been(browser: Any, tmp_path: Path) -> None:
    """The costliest build has its waits on the clock, and beside it the way that goes on at the failed state."""
    with opened(browser, tmp_path) as page:
        drawn = page.locator("#worst figure").last
        assert "7h as it was, 6h going on at the failed state" in drawn.locator("figcaption").inner_text()
        labels = drawn.locator("svg").text_content()
        assert [
            word for word in ("waited", "repeated", "reused", "old way, run 2", "new way, run 2") if word not in labels
        ] == []


def test_builds_can_be_found_by_outcome_week_and_host(browser: Any, tmp_path: Path) -> None:
    """Each of these numbers leads to the builds that it counts."""
    with opened(browser, tmp_path) as page:
        page.locator("#outcomes summary").click()
        page.locator("#outcomes tbody tr", has_text="failed").locator("a").click()
        assert page.locator("#builds tbody tr").all_inner_texts()[0].startswith("b-5")
        page.locator("#hosts summary").first.click()
        page.locator("#hosts tbody a", has_text="builder2").first.click()
        assert [row[:3] for row in page.locator("#builds tbody tr").all_inner_texts()] == ["b-4"]
        page.locator("#trend summary").first.click()
        page.locator("#trend tbody a").first.click()
        assert [row[:3] for row in page.locator("#builds tbody tr").all_inner_texts()] == ["b-0"]
