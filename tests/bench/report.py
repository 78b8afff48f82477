"""Measures the report over a long history: `./dev bench report`, `TOOLKIT_BENCH_BUILDS=1e6` for as many builds.

Told are, for the command as a person types it: the time to mirror the history once, then the report in each form, the
size of the page; and, where there is a Chromium, when its first screen is painted.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

sys.path[:] = [place for place in sys.path if Path(place or ".").resolve() != Path(__file__).resolve().parent]

from analysis.findings import find  # noqa: E402
from analysis.history import History  # noqa: E402
from analysis.report import html, markdown, terminal  # noqa: E402
from analysis.study import MOST_BUILDS, study  # noqa: E402
from analysis.waits import Prices  # noqa: E402
from analysis.watch import watch  # noqa: E402
from tests.invented import invent  # noqa: E402
from toolkit.core.policy import Policy  # noqa: E402
from toolkit.supervise.captured import Captured  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

BUILDS: Final = int(float(os.environ.get("TOOLKIT_BENCH_BUILDS", "1e5")))
PAINT: Final = """
import sys
from playwright.sync_api import sync_playwright
with sync_playwright() as driver:
    browser = driver.chromium.launch(executable_path=sys.argv[1], args=["--no-sandbox", "--disable-gpu"])
    page = browser.new_page()
    page.goto(f"file://{sys.argv[2]}")
    page.wait_for_selector("html[data-ready=true]", state="attached")
    page.wait_for_function("performance.getEntriesByType('paint').length > 0")
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    print(f"{paint / 1000:10.2f} s                    first paint of the page")
    browser.close()
"""


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        events = folder / "events"
        events.mkdir()
        timed(f"{BUILDS:,} builds made", lambda: invent(events / "events.parquet", BUILDS))
        timed("the mirror made, once", lambda: History.open(events, folder / "cache").close())
        with History.open(events, folder / "cache") as history:
            learnt: dict[str, object] = {}
            policy, prices = Policy(), Prices()
            for what in ("what it teaches", "the same again"):
                timed(what, lambda: learnt.update(study(
                    history.recent(MOST_BUILDS), policy, {}, pipeline=None, prices=prices, cache=folder / "learnt"
                )))  # fmt: skip
            timed("what it watches", lambda: watch(
                history.recent(MOST_BUILDS), (), Captured(str(folder)), folder / "watched"
            ))  # fmt: skip
            found = []
            timed("what it says", lambda: found.append(find(history, now=datetime.now(UTC), **learnt)))  # type: ignore[arg-type]
        page = folder / "page.html"
        timed("the charts' library put together, once", lambda: html.library(folder))
        timed("as a page", lambda: page.write_text(html.render(found[0], folder)))
        timed("on a terminal", lambda: terminal.render(found[0], 120))
        timed("as Markdown", lambda: markdown.render(found[0]))
        timed("as JSON", found[0].model_dump_json)
        print(f"{page.stat().st_size / 1e6:10.2f} MB                   the page")
        painted(page)
        print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:10.0f} MB                   peak memory")


def painted(page: Path) -> None:
    """Tell when the page's first screen is painted."""
    from shutil import which

    chromium = which("chromium") or which("chromium-browser")
    if chromium is None:
        print("no chromium here: the first paint is not measured")
        return
    subprocess.run([sys.executable, "-c", PAINT, chromium, str(page)], check=True)


def timed(what: str, work: Callable[[], object]) -> None:
    """Run something and tell how long it took, in wall-clock and processor seconds."""
    before, began = time.process_time(), time.perf_counter()
    work()
    spent = time.process_time() - before
    print(f"{time.perf_counter() - began:10.2f} s   {spent:8.2f} cpu s   {what}", flush=True)


if __name__ == "__main__":
    main()
