"""The API in this process, over its real pools, for tests that speak HTTP with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import uvicorn
from starlette.types import ASGIApp

from invokeai_saas.api import create_app
from invokeai_saas.embedded.ports import free_port
from invokeai_saas.services import Services
from invokeai_saas.serving import server_options
from invokeai_saas.settings import Settings
from tests.waiting import eventually

PASSWORD = "Correct-horse-7"


@dataclass
class Subject:
    """Somebody who calls the API: a client with their token, or nobody's."""

    client: httpx.AsyncClient
    user_id: UUID | None = None
    token: str | None = None

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.client.get(path, **options)

    async def post(self, path: str, **options: Any) -> httpx.Response:
        return await self.client.post(path, **options)

    async def put(self, path: str, **options: Any) -> httpx.Response:
        return await self.client.put(path, **options)

    async def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return await self.client.request(method, path, **options)


@dataclass
class RunningApi:
    """An application whose lifespan is open."""

    app: ASGIApp
    settings: Settings
    clients: list[httpx.AsyncClient]

    @property
    def services(self) -> Services:
        """What the process shares."""
        inner: Any = self.app.other_asgi_app  # type: ignore[attr-defined]  # inside Socket.IO's wrapper
        found: Services = inner.state.services
        return found

    def nobody(self) -> Subject:
        """A caller without a token."""
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url=self.settings.public_url)
        self.clients.append(client)
        return Subject(client)

    async def person(self, email: str) -> Subject:
        """A person who has just signed up, on their trial."""
        subject = self.nobody()
        answer = await subject.post("/api/v1/auth/sign-up", json={"email": email, "password": PASSWORD})
        assert answer.status_code == 201, answer.text
        body = answer.json()
        subject.token = body["token"]
        subject.user_id = UUID(body["user"]["user_id"])
        subject.client.headers["authorization"] = f"Bearer {subject.token}"
        return subject


@asynccontextmanager
async def running_api(settings: Settings) -> AsyncIterator[RunningApi]:
    """Opens the application's lifespan and closes it, and every client, afterwards."""
    app = create_app(settings)
    running = RunningApi(app, settings, [])
    async with _lifespan(app):
        try:
            yield running
        finally:
            for client in running.clients:
                await client.aclose()


@asynccontextmanager
async def _lifespan(app: ASGIApp) -> AsyncIterator[None]:
    # Socket.IO's wrapper answers lifespan messages itself, so the inner application's are what we run.
    inner: Any = app.other_asgi_app  # type: ignore[attr-defined]
    async with inner.router.lifespan_context(inner):
        yield


class LiveApi(RunningApi):
    """The API on a real port of this machine, for clients that need one: sockets and browsers."""

    @property
    def url(self) -> str:
        return self.settings.public_url

    def nobody(self) -> Subject:
        client = httpx.AsyncClient(base_url=self.url, timeout=120)
        self.clients.append(client)
        return Subject(client)


@asynccontextmanager
async def live_api(settings: Settings) -> AsyncIterator[LiveApi]:
    """Serves the application with uvicorn on a free loopback port, in this process."""
    port = free_port()
    there = settings.model_copy(update={"port": port, "public_url": f"http://127.0.0.1:{port}"})
    app = create_app(there)
    server = uvicorn.Server(uvicorn.Config(app, **server_options(there) | {"log_level": "error"}))
    serving = asyncio.create_task(server._serve())
    running = LiveApi(app, there, [])
    try:
        await eventually(lambda: server.started)
        yield running
    finally:
        for client in running.clients:
            await client.aclose()
        server.should_exit = True
        await serving
