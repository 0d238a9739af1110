"""What a worker needs on AWS is in the engine's environment too: the doorbell's library, and traces that are sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue

from pydantic import SecretStr

from invokeai_saas.observability.tracing import open_provider
from invokeai_saas.queue.sqs import SqsWorkerBell
from invokeai_saas.settings import Settings


@contextmanager
def _collector() -> Iterator[tuple[str, Queue[tuple[str, bytes]]]]:
    """(its address, what came): an HTTP server that takes everything."""
    came: Queue[tuple[str, bytes]] = Queue()

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.put((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Taking)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", came
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_spans_reach_a_collector() -> None:
    with _collector() as (address, came):
        provider = open_provider(Settings(otel_exporter_otlp_endpoint=address), "worker")
        assert provider is not None
        provider.get_tracer("test").start_span("node of the engine").end()
        provider.shutdown()
        path, spans = came.get(timeout=120)
    assert path == "/v1/traces"
    assert b"node of the engine" in spans
    assert b"invokeai-saas-worker" in spans


def test_the_bell_of_aws_can_be_opened() -> None:
    nowhere = Settings(
        sqs_queue_urls={"basic": "http://127.0.0.1:1/basic.fifo"},
        aws_endpoint_url="http://127.0.0.1:1",
        aws_access_key_id=SecretStr("key"),
        aws_secret_access_key=SecretStr("secret"),
    )
    bell = SqsWorkerBell(nowhere)
    bell.close()
