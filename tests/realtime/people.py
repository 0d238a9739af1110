"""Somebody at a service that runs in processes of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import httpx

from tests.apps import PASSWORD, Subject


@asynccontextmanager
async def sign_up(url: str, email: str) -> AsyncIterator[Subject]:
    """A person who has just signed up at `url`, with a client that carries their token."""
    async with httpx.AsyncClient(base_url=url, timeout=120) as client:
        answer = await client.post("/api/v1/auth/sign-up", json={"email": email, "password": PASSWORD})
        assert answer.status_code == 201, answer.text
        body = answer.json()
        client.headers["authorization"] = f"Bearer {body['token']}"
        yield Subject(client, UUID(body["user"]["user_id"]), body["token"])
