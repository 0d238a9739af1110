"""One trace from the request that queues a job to the job's nodes; nothing at all where traces are not wanted."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import psycopg
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from invokeai_saas.observability import tracing
from invokeai_saas.settings import Settings
from tests.apps import running_api
from tests.graphs import add_model, batch_body, seeds
from tests.servers import TestDatabase
from tests.waiting import eventually
from tests.workers import working

QUEUE = "/api/v1/queue/default"


class Collected(SpanExporter):
    """Keeps spans."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.spans.extend(spans)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        pass


@pytest.fixture
def collected(monkeypatch: pytest.MonkeyPatch) -> Collected:
    exporter = Collected()
    monkeypatch.setattr(tracing, "open_exporter", lambda _settings: exporter)
    return exporter


@pytest.fixture
def traced(settings: Settings) -> Settings:
    return settings.model_copy(update={"otel_exporter_otlp_endpoint": "http://127.0.0.1:4318"})


async def _one_job(settings: Settings, **headers: str) -> int:
    async with running_api(settings) as api:
        ada = await api.person("ada@example.com")
        async with working(settings):
            answer = await ada.post(f"{QUEUE}/enqueue_batch", json=batch_body(data=seeds(1)), headers=headers)
            item = int(answer.json()["item_ids"][0])

            async def ended() -> bool:
                return bool((await ada.get(f"{QUEUE}/i/{item}")).json()["status"] == "completed")

            await eventually(ended)
        await ada.get("/api/v1/app/version?token=secret")
    return item


@pytest.mark.parametrize("headers", [{}, {"idempotency-key": "once"}])
async def test_one_trace_from_the_request_to_the_nodes(
    traced: Settings, database: TestDatabase, collected: Collected, headers: dict[str, str]
) -> None:
    add_model(database)
    item = await _one_job(traced, **headers)
    (job,) = [span for span in collected.spans if span.name == "job"]
    request = next(span for span in collected.spans if span.name.endswith("/enqueue_batch"))
    nodes = [span for span in collected.spans if span.name.startswith("node ")]
    assert job.parent is not None and job.context is not None and request.context is not None
    # FastAPI has spans of its own between the request and what it calls.
    ids = {span.context.span_id: span for span in collected.spans if span.context is not None}
    above: ReadableSpan = job
    while above.parent is not None:
        above = ids[above.parent.span_id]
    assert above is request
    assert job.attributes is not None
    assert (job.attributes["invokeai.job"], job.attributes["invokeai.status"]) == (item, "completed")
    assert {"node noise", "node denoise_latents", "node l2i"} <= {node.name for node in nodes}
    for node in nodes:
        assert node.parent is not None and node.context is not None
        assert node.parent.span_id == job.context.span_id
        assert node.context.trace_id == request.context.trace_id == job.context.trace_id
    assert not any("secret" in str(span.attributes) for span in collected.spans)


async def test_a_job_that_is_queued_anew_is_traced_too(
    traced: Settings, database: TestDatabase, collected: Collected
) -> None:
    add_model(database)
    async with running_api(traced) as api:
        ada = await api.person("ada@example.com")
        item = (await ada.post(f"{QUEUE}/enqueue_batch", json=batch_body(data=seeds(1)))).json()["item_ids"][
            0
        ]
        await ada.put(f"{QUEUE}/i/{item}/cancel")
        assert (await ada.put(f"{QUEUE}/retry_items_by_id", json=[item])).status_code == 200
    with psycopg.connect(database.url()) as connection:
        traces = {row[0] for row in connection.execute("SELECT trace FROM job_batches")}
    assert len(traces) == 2 and None not in traces
    request = next(span for span in collected.spans if span.name.endswith("/retry_items_by_id"))
    assert request.context is not None
    assert any(f"{request.context.trace_id:032x}" in str(trace) for trace in traces)


async def test_without_a_collector_nothing_is_kept(settings: Settings, database: TestDatabase) -> None:
    add_model(database)
    await _one_job(settings)
    with psycopg.connect(database.url()) as connection:
        assert connection.execute("SELECT trace FROM job_batches").fetchall() == [(None,)]


async def test_without_the_library_jobs_run_as_ever(
    traced: Settings, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_model(database)
    for name in ("opentelemetry.sdk.resources", "opentelemetry.sdk.trace"):
        monkeypatch.setitem(sys.modules, name, None)
    assert tracing.open_provider(traced, "api") is None
    await _one_job(traced)


async def test_a_collector_that_is_away_harms_no_job(traced: Settings, database: TestDatabase) -> None:
    """The real exporter, to a port where nobody listens."""
    add_model(database)
    away = traced.model_copy(update={"otel_exporter_otlp_endpoint": "http://127.0.0.1:9"})
    await _one_job(away)
