"""The live view and the report as a small web application: it shows to whoever asks, and acts for who has the token."""

from __future__ import annotations

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, quote

from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from toolkit.core.interchange import build_record
from toolkit.core.visible import safe
from toolkit.errors import NotFound, Refused, StoreUnavailable, ToolkitError, UsageError
from toolkit.live import pages, words
from toolkit.live.eyes import Eyes
from toolkit.live.guard import HEADERS, PAGE_POLICY, REPORT_POLICY, Forbidden, Guard
from toolkit.live.view import View, shape
from toolkit.supervise import wishes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from toolkit.core.progress import Progress

PAGE: Final = Path(__file__).parent / "page"
RECENT: Final = 10
BODY_BYTES: Final = 16_384
MOST_STREAMS: Final = 64
SILENCE_SECONDS: Final = 15.0
"""After so long without news a stream says that it is still there."""
WRONG_TOKEN_SECONDS: Final = 0.5
REPORT_SECONDS: Final = 60.0
"""A report is shown again for so long before another is made."""
LONGEST_NAME: Final = 80
LONGEST_NOTE: Final = 500
STATUS_OF: Final = ((Forbidden, 403), (NotFound, 404), (Refused, 409), (UsageError, 400), (StoreUnavailable, 503))
WISHES: Final = ("release", "skip", "abandon")


class Serving:
    """One server's state: eyes on the history, on a thread of their own, and the last report."""

    def __init__(  # noqa: PLR0913 - what a server is told
        self,
        url: str,
        directory: str,
        guard: Guard,
        *,
        name: str,
        report: Callable[[], str],
        log: Callable[[str], None],
        interval: float = 1.0,
    ) -> None:
        """Serve the history at `url` under the rules of `guard`; `report` makes a page, `log` is told of actions."""
        self.guard = guard
        self.name = name
        self.interval = interval
        self.stopping = False
        self._directory = directory
        self._eyes = Eyes(url, directory)
        self._report = report
        self._log = log
        self._history = ThreadPoolExecutor(1, thread_name_prefix="history")
        self._view: tuple[float, View] | None = None
        self._looking = asyncio.Lock()
        self._page: tuple[float, str] | None = None
        self._making = asyncio.Lock()
        self._streams = 0

    def application(self) -> ASGIApp:
        """Give the application."""
        return _Guarded(
            Starlette(
                routes=[
                    Route("/", self.overview),
                    Route("/build", self.build),
                    Route("/report", self.report),
                    Route("/events", self.events),
                    Route("/live.json", self.document),
                    Route("/live.css", lambda _: _file("live.css", "text/css")),
                    Route("/live.js", lambda _: _file("live.js", "text/javascript")),
                    *(Route(f"/{word}", self.act, methods=["POST"]) for word in WISHES),
                ],
                exception_handlers={ToolkitError: self._told},  # type: ignore[dict-item]  # of any error
            ),
            self.guard,
        )

    async def overview(self, _: Request) -> Response:
        """Show all builds."""
        return HTMLResponse(pages.overview(self.name, await self._now()))

    async def build(self, request: Request) -> Response:
        """Show one build."""
        build = request.query_params.get("id", "")
        view, progress = await self._ask(lambda: (self._eyes.look(build), self._progress(build)))
        page = pages.build_page(self.name, view, progress, may_act=self.guard.token is not None)
        return HTMLResponse(page)

    async def document(self, request: Request) -> Response:
        """Give what `toolkit watch --once --json` prints."""
        build = request.query_params.get("build")
        return JSONResponse(shape(await self._ask(lambda: self._eyes.look(build))))

    async def report(self, _: Request) -> Response:
        """Show the report, made anew when the last one is old."""
        async with self._making:
            if self._page is None or time.monotonic() - self._page[0] > REPORT_SECONDS:
                page = await asyncio.get_running_loop().run_in_executor(None, self._report)
                self._page = (time.monotonic(), page)
        return HTMLResponse(self._page[1], headers={"content-security-policy": REPORT_POLICY})

    async def events(self, request: Request) -> Response:
        """Send the view whenever it changes, as long as somebody listens."""
        if self._streams >= MOST_STREAMS:
            return Response("too many listeners\n", 503, {"retry-after": "10"})
        build = request.query_params.get("build")
        if build is not None:
            await self._ask(lambda: self._eyes.look(build))
        return StreamingResponse(self._stream(build), media_type="text/event-stream")

    async def act(self, request: Request) -> Response:
        """Do what a person asks: release, skip or abandon a held build."""
        form = await _form(request)
        try:
            self.guard.admit(request.headers, form)
        except Forbidden:
            await asyncio.sleep(WRONG_TOKEN_SECONDS)
            raise
        word, build = request.url.path.strip("/"), form.get("build", "")
        client = "" if request.client is None else request.client.host
        who = safe(form.get("who", "").strip()[:LONGEST_NAME]) or "somebody"
        by = f"{who} (from {client}, by the web page)"
        note = safe(form.get("note", "").strip()[:LONGEST_NOTE]) or None
        progress = await self._ask(lambda: self._say(build, self._wish(word, by, note)))
        self._view = None
        self._log(f"{word} {safe(build)}: {by}{f': {note}' if note else ''}")
        if _wants_json(request):
            return JSONResponse(build_record(progress))
        return RedirectResponse(f"build?id={quote(build, safe='')}", status_code=303)

    def close(self) -> None:
        """Let go of the history."""
        self.stopping = True
        self._history.submit(self._eyes.close)
        self._history.shutdown()

    async def _stream(self, build: str | None) -> AsyncIterator[str]:
        self._streams += 1
        try:
            sent, told, heard = "", dict[str, str](), time.monotonic()
            while not self.stopping:
                view = await self._now() if build is None else await self._ask(lambda: self._eyes.try_look(build))
                html = pages.fragment(view) if build is None else pages.single(view)
                if html != sent:
                    lines = {each.build: words.change(each) for each in view.builds}
                    news = [line for name, line in lines.items() if told and told.get(name) != line]
                    sent, told, heard = html, lines, time.monotonic()
                    yield f"event: view\ndata: {json.dumps({'html': html, 'said': '. '.join(news)})}\n\n"
                elif time.monotonic() - heard > SILENCE_SECONDS:
                    heard = time.monotonic()
                    yield ": still here\n\n"
                await asyncio.sleep(self.interval)
        finally:
            self._streams -= 1

    async def _now(self) -> View:
        """Give the present view; all who listen share one look."""
        async with self._looking:
            if self._view is None or time.monotonic() - self._view[0] >= self.interval / 2:
                self._view = (time.monotonic(), await self._ask(lambda: self._eyes.try_look(recent=RECENT)))
            return self._view[1]

    async def _ask(self, question: Callable[[], Any]) -> Any:  # noqa: ANN401 - what the question gives
        return await asyncio.get_running_loop().run_in_executor(self._history, question)

    def _progress(self, build: str) -> Progress:
        store = self._eyes.store()
        if store is None:
            raise NotFound(f"there is no build {build}")
        return store.progress(build)

    def _wish(self, word: str, by: str, note: str | None) -> wishes.Wish:
        if word == "skip":
            from toolkit.project import load_project

            return wishes.skip(by, note, None, load_project(self._directory))
        return wishes.release(by, note) if word == "release" else wishes.abandon(by, note)

    def _say(self, build: str, wish: wishes.Wish) -> Progress:
        store = self._eyes.store()
        if store is None or store.row(build) is None:
            raise NotFound(f"there is no build {build}")
        if not store.progress(build).held:
            raise Refused(f"build {build} is not held", hint="From here only held builds are decided about.")
        return wishes.say(store, build, wish)

    async def _told(self, request: Request, error: ToolkitError) -> Response:
        status = next((code for kind, code in STATUS_OF if isinstance(error, kind)), 500)
        if _wants_json(request):
            return JSONResponse({"error": str(error), "hint": error.hint or None}, status)
        return HTMLResponse(pages.message(self.name, "That did not work", str(error), error.hint), status)


class _Guarded:
    """Lets only those requests through that name this server, and puts the safe headers on every answer."""

    def __init__(self, inner: ASGIApp, guard: Guard) -> None:
        self._inner = inner
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]

        async def safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                safe = {**HEADERS, "content-security-policy": PAGE_POLICY}
                more = [(name.encode(), value.encode()) for name, value in safe.items() if name.encode() not in given]
                message["headers"] = [*message["headers"], *more]
            await send(message)

        if len(hosts) != 1 or not self._guard.knows_host(hosts[0]):
            refusal = Response("This server is not known under that name; see `toolkit serve --allow-host`.\n", 421)
            await refusal(scope, receive, safely)
            return
        await self._inner(scope, receive, safely)


def _file(name: str, media_type: str) -> Response:
    return Response((PAGE / name).read_text(encoding="utf-8"), media_type=media_type)


def _wants_json(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "") or "authorization" in request.headers


async def _form(request: Request) -> Mapping[str, str]:
    """Read a form's fields; UsageError for one that is too long or is none."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in {"", "application/x-www-form-urlencoded"}:
        raise UsageError(f"a form was expected, not {escape(kind)}", hint="Send application/x-www-form-urlencoded.")
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_BYTES:
            raise UsageError("the form is too long", hint="Say it in fewer words.")
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=20)
    return {name: values[-1] for name, values in fields.items()}
