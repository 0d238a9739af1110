"""A person's open page, as far as its socket goes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import socketio

from tests.apps import LiveApi, Subject
from tests.waiting import eventually

Heard = list[tuple[str, dict[str, Any]]]


@asynccontextmanager
async def listening(api: LiveApi, subject: Subject) -> AsyncIterator[Heard]:
    """What the person's page hears from here on."""
    client = socketio.AsyncClient(reconnection=False)
    heard: Heard = []

    async def hear(event: str, payload: dict[str, Any]) -> None:
        heard.append((event, payload))

    client.on("*", hear)
    await client.connect(
        api.url,
        auth={"token": subject.token},
        socketio_path="/ws/socket.io",
        transports=["websocket"],
        wait_timeout=120,
    )
    try:
        yield heard
    finally:
        await client.disconnect()


async def silence_after(api: LiveApi, subject: Subject, heard: Heard) -> Heard:
    """What was heard, once an event that is sent now has come through: nothing sent before it is still on its way."""
    assert subject.user_id is not None
    await api.services.publisher.publish(subject.user_id, "credits_changed", {})
    await eventually(lambda: any(event == "credits_changed" for event, _ in heard))
    return [(event, payload) for event, payload in heard if event != "credits_changed"]
