"""A real browser for the tests of pages: these are long, and are skipped where there is none."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

axe: Any = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe judges accessibility")
sync_api: Any = pytest.importorskip("playwright.sync_api", reason="Playwright drives the browser")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
IN_A_BROWSER = [pytest.mark.long, pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")]
FLAGS = [
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@contextmanager
def launched() -> Iterator[Any]:
    """Start the browser, and end it."""
    with sync_api.sync_playwright() as driver:
        flags = [*FLAGS, "--no-sandbox"] if os.geteuid() == 0 else FLAGS
        running = driver.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield running
        running.close()
