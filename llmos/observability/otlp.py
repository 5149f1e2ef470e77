"""The only module that imports OpenTelemetry: sends spans with its SDK.

Imported when the first span is sent, on a thread of its own: the packages take half a second.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping, Sequence

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

from llmos.observability.spans import Span

_log = logging.getLogger(__name__)

_TIMEOUT_S = 3.0
"""For one export, where ``OTEL_EXPORTER_OTLP_TIMEOUT`` says nothing: a command waits for it."""
_EXPORTER = "opentelemetry.exporter.otlp.proto.http.trace_exporter"


class Sender:
    """Hands spans to a batch processor, which drops what is too much for it.

    Args:
        exporter: Where they go; by default what the ``OTEL_EXPORTER_OTLP_*`` variables say.
        endpoint: Base URL of a collector, before those variables; ``""`` leaves it to them.
    """

    def __init__(self, exporter: SpanExporter | None = None, endpoint: str = "") -> None:
        self._ids = _Ids()
        named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "llmos"}
        self._provider = TracerProvider(
            resource=Resource.create(named), id_generator=self._ids, shutdown_on_exit=False
        )
        told_once = _ToldOnce(exporter or _over_http(endpoint))
        self._provider.add_span_processor(BatchSpanProcessor(told_once))
        self._tracer = self._provider.get_tracer("llmos")

    def send(self, span: Span, trace_id: int) -> None:
        """Send a span and all below it, as one trace."""
        self._ids.next = trace_id
        # An empty context: whatever else is traced in this process, a run is a trace of its own.
        self._send(span, Context())

    def close(self) -> None:
        """Send what is left; takes as long as one export at most."""
        self._provider.shutdown()

    def _send(self, span: Span, parent: Context) -> None:
        kind = SpanKind.CLIENT if span.asks else SpanKind.INTERNAL
        attributes: Mapping[str, str | int | float | bool] = span.attributes
        made = self._tracer.start_span(span.name, parent, kind, attributes, start_time=span.begin)
        if span.error is not None:
            made.set_status(Status(StatusCode.ERROR, span.error or None))
        for child in span.children:
            self._send(child, set_span_in_context(made))
        made.end(span.end)


class _Ids(RandomIdGenerator):
    """Gives a trace the id of the run that it shows, so that one is found by the other."""

    def __init__(self) -> None:
        self.next = 0

    def generate_trace_id(self) -> int:
        return self.next or super().generate_trace_id()


class _ToldOnce(SpanExporter):
    """Says once that a collector does not answer, and once more when it does again.

    The SDK says it for every batch, on the terminal of whoever works.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._failed = False
        self._mine = threading.local()
        logging.getLogger(_EXPORTER).addFilter(self._pass)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._mine.now = True
        try:
            result = self._exporter.export(spans)
        except Exception as e:
            _log.debug("an export failed", exc_info=e)
            result = SpanExportResult.FAILURE
        finally:
            self._mine.now = False
        failed = result is not SpanExportResult.SUCCESS
        if failed and not self._failed:
            _log.warning("telemetry cannot be sent: the collector does not take it; runs go on")
        self._failed = failed
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()
        logging.getLogger(_EXPORTER).removeFilter(self._pass)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)

    def _pass(self, record: logging.LogRecord) -> bool:
        return not getattr(self._mine, "now", False)


def _over_http(endpoint: str) -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    named = ("OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT")
    timeout = None if any(os.environ.get(name) for name in named) else _TIMEOUT_S
    url = f"{endpoint.rstrip('/')}/v1/traces" if endpoint else None
    return OTLPSpanExporter(endpoint=url, timeout=timeout)
