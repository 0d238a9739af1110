"""What one connection may cost its process."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from socketio.exceptions import ConnectionError as Rejected

from invokeai_saas.realtime import bounds, server
from tests.apps import LiveApi
from tests.realtime.clients import listening
from tests.waiting import eventually

PREVIEW = "x" * 100_000


def _server(api: LiveApi) -> Any:
    """The Socket.IO server inside the application."""
    wrapper: Any = api.app
    return wrapper.engineio_server


def _engine(api: LiveApi) -> Any:
    """The Engine.IO server inside the application."""
    return _server(api).eio


def _frame(text: str) -> bytes:
    """A WebSocket text frame as clients send it: RFC 6455, masked with zeros."""
    data = text.encode()
    length = (
        bytes([0x80 | len(data)]) if len(data) < 126 else bytes([0x80 | 126]) + struct.pack("!H", len(data))
    )
    return b"\x81" + length + bytes(4) + data


@asynccontextmanager
async def _who_stops_reading(api: LiveApi, token: str | None) -> AsyncIterator[None]:
    """A client that logs in and then reads nothing more, with the smallest buffer that the system gives."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", api.settings.port))
    reader, writer = await asyncio.open_connection(sock=raw, limit=4096)
    key = base64.b64encode(bytes(16)).decode()
    writer.write(
        f"GET /ws/socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {api.settings.host}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    writer.write(_frame("40" + json.dumps({"token": token})))
    await writer.drain()
    await eventually(lambda: any(held.session for held in _engine(api).sockets.values()))
    try:
        yield
    finally:
        raw.close()
        writer.transport.abort()


async def test_who_reads_nothing_is_dropped_and_nothing_is_kept_for_them(live_api: LiveApi) -> None:
    ada = await live_api.person("ada@example.com")
    assert ada.user_id is not None
    async with _who_stops_reading(live_api, ada.token):
        (deaf,) = _engine(live_api).sockets.values()
        most = 0
        for _ in range(200):  # 20 MB
            await live_api.services.publisher.publish(ada.user_id, "preview", {"image": PREVIEW})
            most = max(most, deaf.queue.held)
        assert bounds.MOST_BYTES <= most <= bounds.MOST_BYTES + 2 * len(PREVIEW)
        assert deaf.closed
        assert deaf.queue.held == 0
        assert _engine(live_api).sockets == {}


async def test_who_reads_hears_everything_beside_one_who_does_not(live_api: LiveApi) -> None:
    ada = await live_api.person("ada@example.com")
    assert ada.user_id is not None
    async with _who_stops_reading(live_api, ada.token), listening(live_api.url, ada.token) as page:
        for number in range(100):
            await live_api.services.publisher.publish(ada.user_id, "preview", {"image": PREVIEW, "n": number})
        await eventually(lambda: len(page.heard) == 100)
    assert [payload["n"] for payload in page.of("preview")] == list(range(100))


async def test_a_connection_that_does_not_log_in_is_closed(
    live_api: LiveApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await live_api.person("ada@example.com")
    async with listening(live_api.url, ada.token) as page:
        sockets = _engine(live_api).sockets
        (logged_in,) = sockets
        monkeypatch.setattr(bounds, "LOG_IN_SECONDS", 0.2)
        handshake = await live_api.nobody().get("/ws/socket.io/?EIO=4&transport=polling")
        assert handshake.status_code == 200
        silent = json.loads(handshake.text[1:])["sid"]
        await eventually(lambda: silent not in sockets)
        await _server(live_api)._expect_log_in(logged_in)
        assert logged_in in sockets
        assert page.open


async def test_one_person_has_so_many_sockets_and_no_more(
    live_api: LiveApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_MOST_SOCKETS", 2)
    ada, bob = await live_api.person("ada@example.com"), await live_api.person("bob@example.com")
    async with listening(live_api.url, ada.token), listening(live_api.url, ada.token) as second:
        with pytest.raises(Rejected):
            async with listening(live_api.url, ada.token):
                pass
        async with listening(live_api.url, bob.token):
            pass
        await second.socket.disconnect()
        async with listening(live_api.url, ada.token):
            pass
