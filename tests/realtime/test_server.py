"""Sockets live as long as the log-in that opened them, on whatever API process they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import psycopg
import pytest
import socketio

from invokeai_saas.identity.access import REFRESH_COOKIE
from invokeai_saas.settings import Settings
from tests.apps import PASSWORD, LiveApi, Subject
from tests.apps import live_api as serve
from tests.servers import TestDatabase
from tests.waiting import eventually


@asynccontextmanager
async def _connected(api: LiveApi, token: str | None) -> AsyncIterator[tuple[asyncio.Event, list[str]]]:
    """A page's socket: an event that is set when the server closes it, and the names of what it hears."""
    client = socketio.AsyncClient(reconnection=False)
    closed, heard = asyncio.Event(), []

    async def hear(event: str, _payload: object) -> None:
        heard.append(event)

    async def close(_reason: object = None) -> None:
        closed.set()

    client.on("*", hear)
    client.on("disconnect", close)
    await client.connect(
        api.url,
        auth={"token": token},
        socketio_path="/ws/socket.io",
        transports=["websocket"],
        wait_timeout=120,
    )
    try:
        yield closed, heard
    finally:
        await client.disconnect()


async def _log_in(api: LiveApi, email: str, password: str = PASSWORD) -> Subject:
    subject = api.nobody()
    answer = await subject.post("/api/v1/auth/login", json={"email": email, "password": password})
    subject.token = answer.json()["token"]
    subject.client.headers["authorization"] = f"Bearer {subject.token}"
    return subject


async def _soon(closed: asyncio.Event) -> None:
    await asyncio.wait_for(closed.wait(), 120)


async def _hears(api: LiveApi, user_id: UUID | None, heard: list[str]) -> None:
    """A person's socket hears an event that this process sends."""
    assert user_id is not None
    heard.clear()

    async def look() -> bool:
        await api.services.publisher.publish(user_id, "credits_changed", {})
        return "credits_changed" in heard

    await eventually(look)


async def test_leaving_closes_the_sockets_of_that_log_in_alone(live_api: LiveApi) -> None:
    ada = await live_api.person("ada@example.com")
    phone = await _log_in(live_api, "ada@example.com")
    async with (
        _connected(live_api, ada.token) as (tab, _),
        _connected(live_api, ada.token) as (other_tab, _),
        _connected(live_api, phone.token) as (phones, heard),
    ):
        await ada.post("/api/v1/auth/logout")
        await asyncio.gather(_soon(tab), _soon(other_tab))
        await _hears(live_api, ada.user_id, heard)
        assert not phones.is_set()


async def test_leaving_on_one_process_closes_sockets_on_another(
    live_api: LiveApi, settings: Settings
) -> None:
    ada = await live_api.person("ada@example.com")
    async with serve(settings) as elsewhere, _connected(live_api, ada.token) as (closed, heard):
        # The first event from there shows that messages get through by now.
        await _hears(elsewhere, ada.user_id, heard)
        leaving = elsewhere.nobody()
        leaving.client.cookies.set(REFRESH_COOKIE, ada.client.cookies[REFRESH_COOKIE])
        assert (await leaving.post("/api/v1/auth/logout")).status_code == 200
        await _soon(closed)


async def test_a_new_password_closes_the_sockets_of_other_log_ins(live_api: LiveApi) -> None:
    ada = await live_api.person("ada@example.com")
    thief = await _log_in(live_api, "ada@example.com")
    async with (
        _connected(live_api, ada.token) as (own, heard),
        _connected(live_api, thief.token) as (thiefs, _),
    ):
        change = {"current_password": PASSWORD, "new_password": "Another-pass-8"}
        assert (await ada.request("PATCH", "/api/v1/auth/me", json=change)).status_code == 200
        await _soon(thiefs)
        await _hears(live_api, ada.user_id, heard)
        assert not own.is_set()


@pytest.mark.parametrize(
    "ending",
    [
        "UPDATE auth_sessions SET revoked_at = now() WHERE user_id = %s",
        "UPDATE auth_sessions SET expires_at = now() WHERE user_id = %s",
        "UPDATE users SET is_active = false WHERE id = %s",
    ],
)
async def test_what_a_process_was_not_told_it_finds_by_itself(
    settings: Settings, database: TestDatabase, ending: str
) -> None:
    async with serve(settings.model_copy(update={"session_check_seconds": 0.1})) as api:
        ada, bob = await api.person("ada@example.com"), await api.person("bob@example.com")
        async with (
            _connected(api, ada.token) as (closed, _),
            _connected(api, bob.token) as (bobs, heard),
        ):
            with psycopg.connect(database.owner) as connection:
                connection.execute(ending, [ada.user_id])
            await _soon(closed)
            await _hears(api, bob.user_id, heard)
            assert not bobs.is_set()
