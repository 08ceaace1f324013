"""OpenTelemetry, where its packages and its own environment variables are there; else nothing.

Only this module knows it. What the standard variables mean is the SDK's business: the endpoint,
headers, sampler, limits and resource are read by it.
"""

import datetime as dt
import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from billing import tracing
from billing.tracing import Value

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span as OtelSpan
    from opentelemetry.trace import SpanContext

logger = logging.getLogger(__name__)

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
FLUSH_S = 2.0
"""How long the last spans may delay the end of a process: their server may be away."""


def is_wanted() -> bool:
    """Whether the environment names somebody who takes traces."""
    value = os.environ.get
    exporter = value("OTEL_TRACES_EXPORTER", "otlp").strip().lower()
    if value("OTEL_SDK_DISABLED", "").strip().lower() == "true" or exporter != "otlp":
        return False
    return any(value(name) for name in ENDPOINTS)


@contextmanager
def traced() -> Iterator[None]:
    """Trace this process while the block runs, if that is wanted."""
    provider = _provider() if is_wanted() else None
    if provider is None:
        yield
        return
    tracing.install(Tracer(provider))
    try:
        yield
    finally:
        tracing.install(None)
        _shut_down(provider)


def _provider() -> "TracerProvider | None":
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        logger.warning("OTEL_* asks for traces, but the extra `otel` is not installed: %s", error)
        return None
    own = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "kubat"}
    provider = TracerProvider(resource=Resource(own).merge(Resource.create(own)))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _shut_down(provider: "TracerProvider") -> None:
    thread = threading.Thread(target=provider.shutdown, daemon=True)
    thread.start()
    thread.join(FLUSH_S)
    if thread.is_alive():
        logger.warning("the last traces could not be handed over in time")


class Tracer:
    """Makes the spans of `billing.tracing` with OpenTelemetry."""

    def __init__(self, provider: "TracerProvider") -> None:
        self._tracer = provider.get_tracer("kubat")

    @contextmanager
    def span(
        self,
        name: str,
        *,
        parent: str,
        within: str,
        link: str,
        start: dt.datetime | None,
        end: dt.datetime | None,
        kind: str,
        attributes: Mapping[str, Value | None],
    ) -> Iterator[tracing.Span]:
        from opentelemetry import trace
        from opentelemetry.trace import Link, SpanKind, Status, StatusCode

        present = trace.get_current_span().get_span_context()
        above, others = _context_of(parent), []
        trunk = _context_of(within)
        if trunk is not None and _place_in(trunk).trace_id != present.trace_id:
            above = trunk
            others = [present] if present.is_valid else []
        if linked := _context_of(link):
            others.append(_place_in(linked))
        span = self._tracer.start_span(
            name,
            context=above,
            kind=SpanKind[kind.upper()],
            start_time=_ns(start),
            links=[Link(other) for other in others],
            attributes=_named(attributes),
        )
        try:
            with trace.use_span(span, record_exception=False, set_status_on_exception=False):
                yield _Step(span)
        except BaseException as error:
            # Its type only: what it says may be nobody's to read.
            span.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise
        finally:
            span.end(max(_ns(start) or 0, _ns(end) or time.time_ns()))

    def traceparent(self) -> str:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        carrier: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(carrier)
        return carrier.get("traceparent", "")

    def trace_id(self) -> str:
        from opentelemetry import trace

        found = trace.get_current_span().get_span_context()
        return trace.format_trace_id(found.trace_id) if found.is_valid else ""


class _Step:
    def __init__(self, span: "OtelSpan") -> None:
        self._span = span

    @property
    def is_kept(self) -> bool:
        return self._span.is_recording()

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def set(self, **attributes: Value | None) -> None:
        self._span.set_attributes(_named(attributes))

    def event(self, name: str, at: dt.datetime | None = None, **attributes: Value | None) -> None:
        self._span.add_event(name, _named(attributes), _ns(at))


def _context_of(parent: str) -> "Context | None":
    """The context that a traceparent names; None when it is empty or nonsense."""
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    if not parent:
        return None
    read = TraceContextTextMapPropagator().extract({"traceparent": parent}, Context())
    return read if _place_in(read).is_valid else None


def _place_in(found: "Context") -> "SpanContext":
    from opentelemetry import trace

    return trace.get_current_span(found).get_span_context()


def _named(attributes: Mapping[str, Value | None]) -> dict[str, Value]:
    """Our own names get our prefix; those of OpenTelemetry's conventions have dots."""
    return {
        name.replace("__", ".") if "__" in name else f"kubat.{name}": value
        for name, value in attributes.items()
        if value is not None
    }


def _ns(at: dt.datetime | None) -> int | None:
    return None if at is None else int(at.timestamp() * 1_000_000) * 1_000
