"""Sends traces to a collector, over HTTP as OpenTelemetry's protocol says."""

from __future__ import annotations

import logging
from itertools import islice
from threading import Timer
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit, urlunsplit

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from toolkit.core.words import how_many
from toolkit.errors import NotDelivered, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from toolkit.exporters.traces import Span

FROM_ENVIRONMENT: Final = "env"
AT_ONCE: Final = 500
TIMEOUT_SECONDS: Final = 10.0
NANOSECONDS: Final = 1_000_000
RESOURCE: Final = Resource({"service.name": "build-state-toolkit"})
SCOPE: Final = InstrumentationScope("build-state-toolkit")


def send(told: Iterable[Span], endpoint: str, *, trying_seconds: float = TIMEOUT_SECONDS) -> int:
    """Send spans to a collector; gives how many there were. NotDelivered when it does not take them.

    `endpoint` is its address, to which `/v1/traces` is added where it names no path; `env` leaves that to the
    variables of OpenTelemetry. A collector that refuses is tried again for `trying_seconds`.
    """
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # we say ourselves what went wrong
    address, waiting, sent = _address(endpoint), iter(told), 0
    while batch := [_span(each) for each in islice(waiting, AT_ONCE)]:
        if not _is_taken(batch, address, trying_seconds):
            where = "the collector" if endpoint == FROM_ENVIRONMENT else endpoint
            raise NotDelivered(f"{where} did not take the traces; {how_many(sent, 'span')} had been taken before")
        sent += len(batch)
    return sent


def _is_taken(batch: Sequence[ReadableSpan], address: str | None, trying_seconds: float) -> bool:
    """Send spans; tells whether they were taken. Shutting the exporter down ends its waits, not a request under way."""
    exporter = OTLPSpanExporter(endpoint=address, timeout=TIMEOUT_SECONDS)
    enough = Timer(trying_seconds, exporter.shutdown)
    enough.daemon = True
    enough.start()
    try:
        return exporter.export(batch) is SpanExportResult.SUCCESS
    finally:
        enough.cancel()
        exporter.shutdown()  # type: ignore[no-untyped-call]  # theirs


def _address(endpoint: str) -> str | None:
    if endpoint == FROM_ENVIRONMENT:
        return None
    parts = urlsplit(endpoint)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise UsageError(f"'{endpoint}' is no collector's address", hint="Write http://HOST:4318, or env.")
    return urlunsplit(parts) if parts.path.strip("/") else urlunsplit(parts._replace(path="/v1/traces"))


def _span(each: Span) -> ReadableSpan:
    def context(span_id: int) -> SpanContext:
        return SpanContext(each.trace_id, span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))

    return ReadableSpan(
        name=each.name,
        context=context(each.span_id),
        parent=None if each.parent_id is None else context(each.parent_id),
        resource=RESOURCE,
        instrumentation_scope=SCOPE,
        kind=SpanKind.SERVER if each.is_run else SpanKind.INTERNAL,
        attributes=dict(each.attributes),
        events=[Event(name, {"text": text}, ts_ms * NANOSECONDS) for ts_ms, name, text in each.notes],
        status=Status(StatusCode.UNSET) if each.failed is None else Status(StatusCode.ERROR, each.failed),
        start_time=each.begin_ms * NANOSECONDS,
        end_time=each.end_ms * NANOSECONDS,
    )
