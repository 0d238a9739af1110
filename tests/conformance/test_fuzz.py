"""Requests that schemathesis makes up from our own OpenAPI document: no fault of ours, and nothing undocumented.

FUZZ_EXAMPLES sets how many an operation gets of each kind, fitting the document and not fitting it; a few by default,
the same each time. With more of them they differ from run to run.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx
import hypothesis
import orjson
import psycopg
import pytest
import requests
import schemathesis
import uvicorn
from pydantic import SecretStr
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from invokeai_saas.api import create_app
from invokeai_saas.embedded.ports import free_port
from invokeai_saas.embedded.servers import Addresses
from invokeai_saas.serving import server_options
from invokeai_saas.settings import Settings
from tests.apps import PASSWORD
from tests.conformance.document import Json
from tests.factories import make_image
from tests.graphs import STARTER, add_model, batch_body
from tests.servers import TestDatabase, copied_database
from tests.stripe_server import KEY, SECRET, local_stripe

CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
]  # fmt: skip
USUAL_EXAMPLES = 6
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", USUAL_EXAMPLES))
# The server's words for what it cannot read as HTTP, such as an address of 64 KiB: no application hears of it.
NOT_HTTP = "Invalid HTTP request received."
LAST = "POST /api/v1/auth/logout"  # nothing can be asked after it


@contextmanager
def served(settings: Settings) -> Iterator[str]:
    """The API with an event loop and a thread of its own, since schemathesis is synchronous; its address."""
    port = free_port()
    there = settings.model_copy(update={"port": port, "public_url": f"http://127.0.0.1:{port}"})
    # Not uvloop, which minds being closed with connections open.
    options = server_options(there) | {"log_level": "error", "loop": "asyncio"}
    server = uvicorn.Server(uvicorn.Config(create_app(there), **options))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + 120
        while not server.started:
            assert thread.is_alive() and time.monotonic() < deadline
            time.sleep(0.05)
        yield there.public_url
    finally:
        server.should_exit = True
        thread.join(120)


@dataclass(frozen=True)
class Service:
    """Parameters: url: where it listens; database: what it keeps."""

    url: str
    database: TestDatabase

    def document(self) -> Json:
        """Ours, without the log-in: each request here has the token that is meant, and no made-up one."""
        found = _needed(httpx.get(f"{self.url}/openapi.json", timeout=120).json())
        del found["security"], found["components"]["securitySchemes"]
        return found

    def sign_up(self) -> tuple[str, UUID]:
        """(token, user_id) of a new person."""
        person = {"email": f"{uuid4()}@example.com", "password": PASSWORD}
        answer = httpx.post(f"{self.url}/api/v1/auth/sign-up", json=person, timeout=120).json()
        return answer["token"], UUID(answer["user"]["user_id"])

    def things(self, token: str, user_id: UUID) -> dict[str, str]:
        """Something of the person's for each name that a path's parameter has."""
        with httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=120
        ) as client:
            board = client.post("/api/v1/boards/", params={"board_name": "Hearts"}).json()["board_id"]
            queued = client.post("/api/v1/queue/default/enqueue_batch", json=batch_body()).json()
        with psycopg.connect(self.database.owner) as connection:
            image = make_image(connection, user_id)
        return {
            "queue_id": "default",
            "board_id": board,
            "image_name": image,
            "item_id": str(queued["item_ids"][0]),
            "batch_id": queued["batch"]["batch_id"],
            "key": STARTER["key"],
            "model_key": STARTER["key"],
        }


@pytest.fixture(scope="module")
def service(migrated: Addresses, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("fuzz")
    with copied_database(migrated) as database, local_stripe(folder) as stripe:
        add_model(database)
        payments = {
            "stripe_secret_key": SecretStr(KEY),
            "stripe_webhook_secret": SecretStr(SECRET),
            "stripe_api_base": stripe.url,
        }
        with served(database.settings(folder).model_copy(update=payments)) as url:
            yield Service(url, database)


def _needed(document: Json) -> Json:
    """The document without the three hundred nodes that no operation refers to."""
    schemas = document["components"]["schemas"]
    wanted: set[str] = set()
    text = orjson.dumps(document["paths"]).decode()
    while found := {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]} - wanted:
        wanted |= found
        text = orjson.dumps([schemas[name] for name in found]).decode()
    components = document["components"] | {"schemas": {name: schemas[name] for name in sorted(wanted)}}
    return document | {"components": components}


def _operations(document: Json) -> list[Any]:
    """schemathesis's view of a document's operations."""
    results = list(schemathesis.openapi.from_dict(document).get_all_operations())
    found = [result.ok() for result in results if isinstance(result, Ok)]
    assert len(found) == len(results), results
    return sorted(found, key=lambda operation: operation.label == LAST)


def _examples(count: int) -> hypothesis.settings:
    return hypothesis.settings(
        max_examples=count,
        derandomize=EXAMPLES == USUAL_EXAMPLES,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )


@dataclass(frozen=True)
class Caller:
    """Who asks.

    Parameters:
        token: None for nobody, who is refused at the door and so needs fewer examples.
        things: the person's, by the names of paths' parameters.
    """

    service: Service
    session: requests.Session
    token: str | None = None
    things: dict[str, str] = field(default_factory=dict)

    def problems(self, operation: Any) -> list[str]:
        """What was wrong with the answers to all the examples of one operation."""
        named = {name: thing for name, thing in self.things.items() if f"{{{name}}}" in operation.path}
        strategies = [operation.as_strategy(generation_mode=mode) for mode in GenerationMode]
        if named:
            strategies.append(operation.as_strategy(path_parameters=named))
        found: dict[str, str] = {}
        for strategy in strategies:
            with suppress(hypothesis.errors.Unsatisfiable):  # there is no example of what doesn't fit
                self._ask(operation, strategy, found)
        return [f"{title}\n{text}" for title, text in found.items()]

    def _ask(self, operation: Any, strategy: Any, found: dict[str, str]) -> None:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}

        @hypothesis.given(case=strategy)
        @_examples(EXAMPLES if self.token else max(1, EXAMPLES // 3))
        def ask(case: Any) -> None:
            answer = case.call(base_url=self.service.url, session=self.session, headers=headers, timeout=120)
            if answer.status_code == 400 and answer.text == NOT_HTTP:
                return
            try:
                case.validate_response(answer, checks=CHECKS)
            except FailureGroup as group:
                for failure in group.exceptions:
                    title = failure.title
                    example = f"{failure}\n{case.as_curl_command()[:2000]}"
                    found.setdefault(f"{operation.label}: {title}", example)

        try:
            ask()
        except hypothesis.errors.FlakyFailure as failure:
            # CPython 3.11 miscounts now and then while Hypothesis reads a function's source (gh-106905).
            if not any("AST constructor recursion depth" in str(error) for error in failure.exceptions):
                raise
            ask()


def _all_problems(caller: Caller) -> str:
    operations = _operations(caller.service.document())
    return "\n\n".join(problem for operation in operations for problem in caller.problems(operation))


@pytest.mark.timeout(3600)
def test_a_person_meets_no_fault_and_nothing_undocumented(service: Service) -> None:
    token, user_id = service.sign_up()
    with requests.Session() as session:
        found = _all_problems(Caller(service, session, token, service.things(token, user_id)))
    assert not found, found


@pytest.mark.timeout(3600)
def test_nobody_meets_no_fault_and_nothing_undocumented(service: Service) -> None:
    with requests.Session() as session:
        found = _all_problems(Caller(service, session))
    assert not found, found


def test_an_undocumented_answer_would_be_seen(service: Service) -> None:
    """The control: the same requests, and a document that keeps a refusal quiet."""
    document, path = service.document(), "/api/v1/boards/{board_id}"
    del document["paths"][path]["get"]["responses"]["401"]
    (operation,) = [one for one in _operations(document) if one.label == f"GET {path}"]
    with requests.Session() as session:
        (problem,) = Caller(service, session).problems(operation)
    assert problem.startswith(f"GET {path}: Undocumented")
