"""A page's socket: what it hears, and how often it had to connect."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import socketio

Heard = list[tuple[str, dict[str, Any]]]


@dataclass
class Listener:
    """One socket of one person.

    Parameters:
        heard: events with their payloads, in the order in which they came.
        connects: how often it was let in.
        open: whether it is connected.
    """

    socket: socketio.AsyncClient
    heard: Heard = field(default_factory=list)
    connects: int = 0
    open: bool = False

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.heard]

    def of(self, name: str) -> list[dict[str, Any]]:
        """Payloads of one event."""
        return [payload for event, payload in self.heard if event == name]


@asynccontextmanager
async def listening(
    url: str, token: str | None, *, again: bool = False, transports: tuple[str, ...] = ("websocket",)
) -> AsyncIterator[Listener]:
    """Connects as InvokeAI's page does. Parameters: again: whether it connects again by itself."""
    client = socketio.AsyncClient(reconnection=again, reconnection_delay=0.1, reconnection_delay_max=0.5)
    listener = Listener(client)

    async def hear(event: str, payload: dict[str, Any]) -> None:
        listener.heard.append((event, payload))

    async def connect() -> None:
        listener.connects += 1
        listener.open = True

    async def disconnect(_reason: object = None) -> None:
        listener.open = False

    client.on("*", hear)
    client.on("connect", connect)
    client.on("disconnect", disconnect)
    await client.connect(
        url,
        auth={"token": token},
        socketio_path="/ws/socket.io",
        transports=list(transports),
        wait_timeout=120,
    )
    try:
        yield listener
    finally:
        await client.disconnect()
