"""Traces, from the request that queues a job to each of the job's nodes on the GPU; OpenTelemetry.

FastAPI makes the span of a request by itself. Its traceparent goes into the batch's row, where the worker finds it: a
job is a span below the request, and each node one below the job. What nodes do is told by the engine's events, the same
for both engines.

There are none, at no cost, unless OTEL_EXPORTER_OTLP_ENDPOINT is set and opentelemetry-sdk is installed (the extra
`tracing`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
import structlog

from invokeai_saas.observability.repository import Figures
from invokeai_saas.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span, Tracer

    from invokeai_saas.queue.claims import Claim

log = structlog.get_logger(__name__)
_CARRIER = "traceparent"  # W3C Trace Context


def open_provider(settings: Settings, process: str) -> TracerProvider | None:
    """What makes spans and sends them; None where there are to be none.

    Parameters:
        process: names the service in traces, after `invokeai-saas-`.
    """
    if not settings.otel_exporter_otlp_endpoint:
        return None
    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

        exporter = open_exporter(settings)
    except ImportError as error:
        log.warning("no_traces", reason=f"{error}: install the extra `tracing`")
        return None
    share = TraceIdRatioBased(settings.trace_share)
    # A worker goes on with what the API began; whom the API serves has no say in it.
    sampler = ParentBased(share) if process == "worker" else share
    provider = TracerProvider(
        sampler=sampler, resource=Resource.create({"service.name": f"invokeai-saas-{process}"})
    )
    provider.add_span_processor(_without_queries())
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def open_exporter(settings: Settings) -> SpanExporter:
    """Sends to the collector by OTLP over HTTP. Raises ImportError without the library."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(f"{settings.otel_exporter_otlp_endpoint.rstrip('/')}/v1/traces")


def _without_queries() -> Any:
    """Takes query strings out of spans: links in mails carry their secret there."""
    from opentelemetry.context import Context
    from opentelemetry.sdk import trace as sdk

    class WithoutQueries(sdk.SpanProcessor):
        def on_start(self, span: sdk.Span, parent_context: Context | None = None) -> None:  # noqa: ARG002
            if span.attributes and "url.query" in span.attributes:
                span.set_attribute("url.query", "REDACTED")

    return WithoutQueries()


def traceparent() -> str | None:
    """Of the request in hand, if it is traced."""
    try:
        from opentelemetry import trace
    except ImportError:
        return None
    if not trace.get_current_span().get_span_context().trace_flags.sampled:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get(_CARRIER)


class JobTrace:
    """Spans of one attempt at a job; without a span it does nothing."""

    def __init__(self, tracer: Tracer | None = None, span: Span | None = None) -> None:
        self._tracer = tracer
        self._span = span
        self._nodes: dict[str, Span] = {}

    def heard(self, event: str, payload: Mapping[str, Any]) -> None:
        """Parameters: event, payload: as they go to the person's page."""
        if self._span is None or not event.startswith("invocation_"):
            return
        node: Mapping[str, Any] = payload["invocation"]
        if event == "invocation_started":
            self._begin(node, str(payload["invocation_source_id"]))
        elif event in ("invocation_complete", "invocation_error") and node["id"] in self._nodes:
            self._end(self._nodes.pop(node["id"]), failed=event == "invocation_error")

    def ended(self, status: str) -> None:
        """Parameters: status: of the job."""
        if self._span is not None:
            self._span.set_attribute("invokeai.status", status)

    def close(self) -> None:
        """Ends all of it; a node that was interrupted ends here."""
        for node in self._nodes.values():
            node.end()
        if self._span is not None:
            self._span.end()

    def _begin(self, node: Mapping[str, Any], source: str) -> None:
        from opentelemetry.trace import set_span_in_context

        assert self._tracer is not None and self._span is not None
        attributes = {"invokeai.node_type": str(node["type"]), "invokeai.node_id": source}
        self._nodes[node["id"]] = self._tracer.start_span(
            f"node {node['type']}", context=set_span_in_context(self._span), attributes=attributes
        )

    @staticmethod
    def _end(span: Span, *, failed: bool) -> None:
        from opentelemetry.trace import StatusCode

        if failed:
            span.set_status(StatusCode.ERROR)
        span.end()


class JobTraces:
    """The worker's side."""

    def __init__(self, settings: Settings) -> None:
        self._provider = open_provider(settings, "worker")
        self._batches = Figures(settings.database_worker_url.get_secret_value())

    def begin(self, claim: Claim, tier: str) -> JobTrace:
        """Spans below the request that queued this job."""
        if self._provider is None:
            return JobTrace()
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        parent = self._parent(claim.attempt_id)
        tracer = self._provider.get_tracer("invokeai-saas")
        attributes: dict[str, str | int] = {
            "invokeai.job": claim.item_id,
            "invokeai.tenant": str(claim.user_id),
            "invokeai.attempt": claim.attempt_number,
            "invokeai.tier": tier,
        }
        context = TraceContextTextMapPropagator().extract({_CARRIER: parent} if parent else {})
        span = tracer.start_span("job", context=context, kind=SpanKind.CONSUMER, attributes=attributes)
        return JobTrace(tracer, span)

    def _parent(self, attempt: UUID) -> str | None:
        try:
            return self._batches.trace(attempt)
        except psycopg.Error as error:  # a trace that begins here is better than none
            log.warning("trace_not_found", error=repr(error))
            return None

    def close(self) -> None:
        """Sends what is left."""
        self._batches.close()
        if self._provider is not None:
            self._provider.shutdown()
