"""Two API processes behind one address, and one worker: to a person they are one service.

SWARM_SOCKETS=1000 makes the swarm larger than the hundred sockets of the suite.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest

from invokeai_saas.embedded.ports import free_port
from invokeai_saas.embedded.servers import Addresses
from invokeai_saas.settings import Settings
from tests.apps import Subject
from tests.graphs import add_model, batch_body
from tests.processes import saas, wait_for
from tests.realtime.balancer import balanced
from tests.realtime.clients import Listener, listening
from tests.realtime.people import sign_up
from tests.servers import copied_database
from tests.waiting import eventually
from tests.workers import working

QUEUE = "/api/v1/queue/default"
HANDSHAKE = "/ws/socket.io/?EIO=4&transport=polling"


@dataclass(frozen=True)
class Two:
    """Parameters: url: of both; first, second: each one's own."""

    url: str
    first: str
    second: str
    settings: Settings


@pytest.fixture(scope="module")
def processes(
    migrated: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Settings, int, int]]:
    """Both processes, which these tests share as people do: each test comes with people of its own."""
    ports = free_port(), free_port()
    with copied_database(migrated) as database:
        add_model(database)
        settings = database.settings(tmp_path_factory.mktemp("processes"))
        one, other = (settings.model_copy(update={"port": port}) for port in ports)
        with saas(one, "api"), saas(other, "api"):
            for port in ports:
                wait_for(f"http://127.0.0.1:{port}")
            yield settings, *ports


@pytest.fixture
async def two(processes: tuple[Settings, int, int]) -> AsyncIterator[Two]:
    settings, *ports = processes
    port = free_port()
    url, first, second = (f"http://127.0.0.1:{number}" for number in (port, *ports))
    async with balanced(port, ports):
        yield Two(url, first, second, settings)


def _address(name: str) -> str:
    return f"{name}-{uuid4().hex[:8]}@example.com"


async def _enqueue(subject: Subject) -> None:
    answer = await subject.post(f"{QUEUE}/enqueue_batch", json=batch_body())
    assert answer.status_code == 200, answer.text


def _has_ended(listener: Listener) -> bool:
    """`credits_changed` is the last that a job's worker sends."""
    return "credits_changed" in listener.names


async def test_sockets_of_one_person_on_two_processes_hear_the_same_in_the_same_order(two: Two) -> None:
    async with (
        sign_up(two.url, _address("ada")) as ada,
        sign_up(two.url, _address("bob")) as bob,
        listening(two.first, ada.token) as desk,
        listening(two.second, ada.token) as phone,
        listening(two.first, bob.token) as bobs,
        listening(two.second, bob.token) as bobs_other,
        working(two.settings),
    ):
        for _ in range(3):
            for listener in (desk, phone):
                listener.heard.clear()
            await _enqueue(ada)
            await eventually(lambda: _has_ended(desk) and _has_ended(phone))
            assert desk.heard == phone.heard
            assert desk.names.count("batch_enqueued") == 1
        assert bobs.heard == bobs_other.heard == []


async def test_a_log_out_on_one_process_closes_the_sockets_on_the_other(two: Two) -> None:
    async with (
        sign_up(two.first, _address("ada")) as ada,
        listening(two.second, ada.token, again=True) as page,
    ):
        assert page.open
        assert (await ada.post("/api/v1/auth/logout")).status_code == 200
        await eventually(lambda: not page.open)
        assert page.connects == 1  # nor does it come in again


async def test_a_websocket_needs_no_sticky_balancer(two: Two) -> None:
    async with sign_up(two.url, _address("ada")) as ada, AsyncExitStack() as stack:
        listeners = [await stack.enter_async_context(listening(two.url, ada.token)) for _ in range(4)]
        await stack.enter_async_context(working(two.settings))
        await _enqueue(ada)
        await eventually(lambda: all(map(_has_ended, listeners)))
        assert all(listener.heard == listeners[0].heard for listener in listeners)


async def test_polling_needs_a_balancer_that_keeps_a_client_with_its_process(two: Two) -> None:
    """Why docs/contract.md asks for stickiness: the page polls before it upgrades."""
    async with httpx.AsyncClient(timeout=120) as client:
        opened = (await client.get(f"{two.first}{HANDSHAKE}")).text
        sid = opened.split('"sid":"')[1].split('"')[0]
        elsewhere = await client.post(f"{two.second}{HANDSHAKE}&sid={sid}", content="40")
        there = await client.post(f"{two.first}{HANDSHAKE}&sid={sid}", content="40")
    assert (elsewhere.status_code, there.status_code) == (400, 200)


async def test_a_swarm_of_sockets_hears_its_own_peoples_events_and_no_others(two: Two) -> None:
    count = int(os.environ.get("SWARM_SOCKETS", "100"))
    people = count // 10
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        subjects = [await enter(sign_up(two.url, _address("ada"))) for number in range(people)]
        listeners: list[tuple[Subject, Listener]] = []
        for number in range(count):
            subject = subjects[number % people]
            listeners.append((subject, await enter(listening(two.url, subject.token))))
        await enter(working(two.settings))
        for subject in subjects:
            await _enqueue(subject)
        await eventually(lambda: all(_has_ended(listener) for _, listener in listeners))
        for subject, listener in listeners:
            assert _owners(listener) == {str(subject.user_id)}
            twin = next(other for owner, other in listeners if owner is subject)
            assert listener.heard == twin.heard


def _owners(listener: Listener) -> set[Any]:
    return {payload["user_id"] for _, payload in listener.heard if "user_id" in payload}
