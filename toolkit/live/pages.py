"""The live view as HTML: one fragment that is sent again whenever it changes, and the pages around it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from toolkit.core.moments import duration_text
from toolkit.core.notices import done_by_hand, next_steps
from toolkit.core.visible import safe
from toolkit.live import words

if TYPE_CHECKING:
    from toolkit.core.progress import Attempt, Progress
    from toolkit.live.view import LiveBuild, View

SECTIONS: Final = (
    ("Running", lambda each: each.doing not in {"held", "over"}, "Nothing runs."),
    ("Waiting for a person", lambda each: each.doing == "held", "Nobody is waited for."),
    ("Ended lately", lambda each: each.is_over, "Nothing has ended yet."),
)
MOST_EVIDENCE: Final = 5
NUMBERS: Final = frozenset({"State", "Run", "Attempt", "Took"})


def text(told: object) -> str:
    """Give what somebody else wrote so that it is text wherever it stands."""
    return escape(safe(str(told)))


def fragment(view: View) -> str:
    """Give all builds of a view, in sections."""
    parts = [_trouble(view)]
    for title, belongs, nothing in SECTIONS:
        builds = [each for each in view.builds if belongs(each)]
        if title == "Ended lately":
            builds.reverse()
        mark = f"s-{title.split()[0].lower()}"
        cards = "".join(card(each, view) for each in builds) or f"<p class=quiet>{nothing}</p>"
        count = f" <span class=count>{len(builds)}</span>" if builds else ""
        parts.append(f'<section aria-labelledby="{mark}"><h2 id="{mark}">{title}{count}</h2>{cards}</section>')
    return "".join(parts)


def single(view: View) -> str:
    """Give the only build of a view."""
    return _trouble(view) + "".join(card(each, view, heading="h2") for each in view.builds)


def card(each: LiveBuild, view: View, *, heading: str = "h3") -> str:
    """Give one build."""
    kind = ("abandoned" if each.abandoned else each.status) if each.is_over else each.doing
    link = escape(f"build?{urlencode({'id': each.build})}", quote=True)
    told = (*words.notes(each, view), *words.done(each, view.at_ms))
    lines = "".join(f"<li>{escape(sentence)}</li>" for sentence in told)
    listed = f"<ul>{lines}</ul>" if lines else ""
    said = f"<pre class=said>{text(each.said)}</pre>" if each.said and not each.is_over else ""
    return (
        f'<article class="card {escape(kind)}"><header><{heading}><a href="{link}" id="a-{text(each.build)}">'
        f"{text(each.build)}</a></{heading}><p class=title>{escape(words.title(each))}</p>"
        f"<p class=doing>{escape(words.doing(each, view.at_ms))}</p></header>"
        f"<p class=place>{escape(words.place(each, view.at_ms))}</p>{listed}{_bar(each, view)}{said}"
        "</article>"
    )


def _bar(each: LiveBuild, view: View) -> str:
    if each.done is None or each.done.median is None or each.started_ms is None:
        return ""
    over = max(0.0, (view.at_ms - each.started_ms) / 1000)
    share = round(100 * over / (over + each.done.median)) if over + each.done.median else 0
    label = f"about {share}% of the time is over"
    return f'<progress max=100 value={share} aria-label="{label}" title="{label}">{share}%</progress>'


def _trouble(view: View) -> str:
    return f"<p class=trouble>{text(view.trouble)}</p>" if view.trouble else ""


def overview(project: str, view: View) -> str:
    """Give the page of all builds."""
    return _page("What is going on", project, f'<div id=live data-events="events">{fragment(view)}</div>', now=True)


def build_page(project: str, view: View, progress: Progress, *, may_act: bool) -> str:
    """Give the page of one build, with what people may do about it."""
    events = escape(f"events?{urlencode({'build': progress.build})}", quote=True)
    body = (
        f'<div id=live data-events="{events}">{single(view)}</div>'
        f"{_actions(progress, may_act=may_act)}{_failures(progress)}{_attempts(progress)}"
    )
    return _page(progress.build, project, body)


def message(project: str, title: str, said: str, hint: str = "") -> str:
    """Give a page that says one thing."""
    more = f"<p>{text(hint)}</p>" if hint else ""
    return _page(title, project, f"<section><h2>{text(title)}</h2><p>{text(said)}</p>{more}</section>")


def _actions(progress: Progress, *, may_act: bool) -> str:
    if not progress.held:
        return ""
    build = text(progress.build)
    if not may_act:
        # What a step leads to stands below it: a page is narrower than a terminal.
        lines = "\n".join(text(line) for each in next_steps(progress) for line in _in_two(each))
        return (
            "<section aria-labelledby=act><h2 id=act>What you can do</h2><p>This page only shows. In a terminal:</p>"
            f"<pre>{lines}</pre></section>"
        )
    by_hand = "" if done_by_hand(progress) else "<button formaction=skip>Skip: the state was done by hand</button>"
    return (
        "<section aria-labelledby=act><h2 id=act>What you can do</h2><form method=post action=release class=act>"
        f'<input type=hidden name=build value="{build}">'
        "<label>Your name <input name=who required maxlength=80 autocomplete=username></label>"
        "<label>Why <input name=note maxlength=500></label>"
        "<label>Token <input name=token type=password required autocomplete=current-password></label>"
        "<p class=buttons><button>Release: try again</button>"
        f"{by_hand}"
        "<button formaction=abandon>Abandon: give the build up</button></p></form></section>"
    )


def _in_two(step: str) -> tuple[str, str]:
    todo, _, leads_to = step.partition(" " * 6)
    return todo, f"{' ' * 10}{leads_to}"


def _failures(progress: Progress) -> str:
    failed = [each for each in progress.attempts if each.status == "failed"][-3:]
    if not failed:
        return ""
    return (
        "<section aria-labelledby=why><h2 id=why>What failed</h2>"
        + "".join(_failure(each) for each in reversed(failed))
        + "</section>"
    )


def _failure(each: Attempt) -> str:
    where = f"State {each.state} {each.name or ''}, attempt {each.attempt}"
    what = f"<p>{text(each.error or 'failed')}</p>"
    if each.failure_class:
        what += f"<p class=quiet>{text(each.failure_class)}, {text(each.signature)}</p>"
    lines = "\n".join(f"{line:>7}  {text(said)}" for line, said in each.evidence[:MOST_EVIDENCE])
    if lines:
        what += f"<pre>{lines}</pre>"
    if each.decision is not None:
        what += f"<p>Decided: {text(each.decision.action)}, because {text(each.decision.reason)}</p>"
    return f"<h3>{text(where)}</h3>{what}"


def _attempts(progress: Progress) -> str:
    rows = "".join(
        f"<tr><th scope=row class=number>{each.state}</th><td>{text(each.name or '')}</td>"
        f"<td class=number>{each.run}</td><td class=number>{each.attempt}</td><td>{text(each.status)}</td>"
        f"<td class=number>{'' if each.duration is None else duration_text(each.duration)}</td>"
        f"<td>{text(each.error or '') if each.status == 'failed' else ''}</td></tr>"
        for each in progress.attempts
    )
    if not rows:
        return ""
    titles = "".join(
        f"<th scope=col{' class=number' if name in NUMBERS else ''}>{name}</th>"
        for name in ("State", "Name", "Run", "Attempt", "Status", "Took", "What")
    )
    return (
        "<section aria-labelledby=all><h2 id=all>Every attempt</h2><div class=scroll tabindex=0 role=region "
        f"aria-label='Table of attempts'><table><thead><tr>{titles}</tr></thead><tbody>{rows}</tbody></table></div>"
        "</section>"
    )


def _page(title: str, project: str, body: str, *, now: bool = False) -> str:
    here = " aria-current=page" if now else ""
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        '<meta name=color-scheme content="light dark">'
        f"<title>{text(title)} \N{MIDDLE DOT} {text(project)}</title><link rel=stylesheet href=live.css>"
        '<link rel=icon href="data:,"><script src=live.js defer></script></head><body>'
        '<a class=skip href="#main">Skip to the builds</a>'
        f"<header class=top><div class=wrap><h1>{text(title)}</h1><nav aria-label=Pages><a href=./{here}>Now</a>"
        "<a href=report>Report</a></nav></div></header>"
        f"<main id=main class=wrap tabindex=-1>{body}</main><p id=said class=sr role=status></p>"
        f"<footer class=wrap><p class=quiet>{text(project)}, by the build-state-toolkit. <span id=link></span></p>"
        "</footer></body></html>"
    )
