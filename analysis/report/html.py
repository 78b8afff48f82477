"""Findings as one page of HTML that needs nothing but itself: no network, no markup out of a log.

The charts' library lies in the page as text and runs once the first screen is there to read.
What outsiders wrote reaches the page as JSON in which `<`, `>` and `&` are escaped, and becomes visible as text nodes
only. The page may run the scripts whose hashes it names, and may load nothing.
"""

from __future__ import annotations

import base64
import hashlib
import html
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from analysis.report.wording import builds, readable, scope
from toolkit.errors import UsageError

if TYPE_CHECKING:
    from analysis.findings_model import Findings

_PAGE: Final = Path(__file__).parent / "page"
_OWN: Final = ("basics.js", "charts.js", "parts.js", "page.js")
MOST_BYTES: Final = 2_900_000
_FEWEST_BUILDS: Final = 50


def render(findings: Findings, cache: Path | None = None) -> str:
    """Give the page; the least costly builds are left out until it is below 3 MB.

    `cache` is a folder for the charts' library, which takes longer to be put together than all the rest. UsageError
    when it is not installed (the extra `html`).
    """
    findings = readable(findings)
    page = _page(findings, cache)
    while len(page.encode()) > MOST_BYTES and len(findings.builds) > _FEWEST_BUILDS:
        kept = findings.builds[: len(findings.builds) // 2]
        left = findings.builds_left_out + len(findings.builds) - len(kept)
        findings = findings.model_copy(update={"builds": kept, "builds_left_out": left})
        page = _page(findings, cache)
    return page


def _page(findings: Findings, kept_in: Path | None) -> str:
    own = "\n".join((_PAGE / name).read_text().removeprefix('"use strict";') for name in _OWN)
    program = f'(() => {{\n"use strict";\n{own}\n}})();'
    parts = {
        "title": html.escape(f"Failure report: {scope(findings.scope)}"),
        "scope": html.escape(f"{scope(findings.scope)} · {builds(findings.outcomes.builds)}"),
        "sentences": "".join(f"<p>{html.escape(sentence)}</p>" for sentence in findings.headline),
        "sure": html.escape(" ".join(findings.quality.notes)),
        "footer": html.escape(
            f"Made {findings.scope.generated[:16].replace('T', ' ')} UTC by the build-state-toolkit."
        ),
        "style": (_PAGE / "page.css").read_text(),
        "script_hashes": f"{_hash(library(kept_in))} {_hash(program)}",
        "data": _as_data(findings.model_dump_json(by_alias=True)),
        "library": library(kept_in),
        "program": program,
    }
    page = (_PAGE / "page.html").read_text()
    pieces = []
    while "{" in page:
        before, _, rest = page.partition("{")
        name, _, page = rest.partition("}")
        pieces += [before, parts[name]]
    return "".join([*pieces, page])


@cache
def library(kept_in: Path | None = None) -> str:
    """Give Vega-Lite and what it needs as one script, from the folder where an earlier page left it."""
    try:
        import vl_convert
    except ImportError:
        hint = "Install the extra: pip install 'build-state-toolkit[html]'."
        raise UsageError("the page's charts need vl-convert-python, which is not installed", hint=hint) from None
    kept = None if kept_in is None else kept_in / f"charts-{version('vl-convert-python')}.js"
    with suppress(OSError):
        if kept is not None:
            return kept.read_text(encoding="utf-8")
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    if "</script" in bundle.lower() or "<!--" in bundle:
        raise UsageError(
            "the charts' library cannot be put into a page", hint="Use another version of vl-convert-python."
        )
    script = f"(() => {{{bundle}\n}})();"
    if kept is not None:
        with suppress(OSError):
            kept.parent.mkdir(parents=True, exist_ok=True)
            part = kept.with_suffix(".part")
            part.write_text(script, encoding="utf-8")
            part.replace(kept)
    return script


def _as_data(text: str) -> str:
    for sign, escaped in (
        ("&", "\\u0026"),
        ("<", "\\u003c"),
        (">", "\\u003e"),
        ("\u2028", "\\u2028"),
        ("\u2029", "\\u2029"),
    ):
        text = text.replace(sign, escaped)
    return text


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
