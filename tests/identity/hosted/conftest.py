"""A user pool with pages, the API beside it, and people's browsers between the two."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import pytest

from invokeai_saas.settings import Settings
from tests.apps import PASSWORD, RunningApi, Subject, running_api
from tests.aws import Aws
from tests.hosted_server import HostedPool, hosted_pool

EMAIL = "ada@example.com"


@dataclass
class Browser:
    """One person's: it knows cookies of the service and of the pool's pages.

    Parameters:
        service: asks the API.
        elsewhere: asks the pool's pages.
    """

    service: Subject
    elsewhere: httpx.AsyncClient

    async def leave(self) -> str:
        """Begins a log-in; where the browser is sent."""
        left = await self.service.get("/login/hosted")
        assert left.status_code == 303, left.text
        return left.headers["location"]

    async def fill_in(self, address: str, email: str = EMAIL, password: str = PASSWORD, **more: str) -> str:
        """Logs in at the pool; the address that this leads to, which has not been opened."""
        shown = await self.elsewhere.get(address)
        assert shown.status_code == 302, shown.text
        if not shown.headers["location"].startswith("/login?"):
            return shown.headers["location"]
        form = {"username": email, "password": password, **more}
        sent = await self.elsewhere.post(shown.headers["location"], data=form)
        assert sent.status_code == 302, sent.text
        return sent.headers["location"]

    async def way_back(self, email: str = EMAIL, **more: str) -> str:
        return await self.fill_in(await self.leave(), email, **more)

    async def open(self, address: str) -> httpx.Response:
        """Opens an address of the service."""
        parts = urlsplit(address)
        return await self.service.get(f"{parts.path}?{parts.query}")

    async def log_in(self, email: str = EMAIL) -> httpx.Response:
        return await self.open(await self.way_back(email))

    async def token(self) -> str:
        """What the script of the page that a log-in ends on does."""
        answer = await self.service.post("/api/v1/auth/refresh")
        assert answer.status_code == 200, answer.text
        found: str = answer.json()["token"]
        return found


@dataclass
class Place:
    """The API with a pool that has pages."""

    api: RunningApi
    pool: HostedPool

    def browser(self) -> Browser:
        elsewhere = httpx.AsyncClient(base_url=self.pool.url, timeout=120)
        self.api.clients.append(elsewhere)
        return Browser(self.api.nobody(), elsewhere)

    def add(self, email: str = EMAIL, *, verified: bool = True) -> str:
        """Somebody who is in the pool and has never been here; their sub."""
        cognito = self.pool.aws.client("cognito-idp")
        attributes = [
            {"Name": "email", "Value": email},
            {"Name": "email_verified", "Value": str(verified).lower()},
        ]
        made = cognito.admin_create_user(
            UserPoolId=self.pool.pool, Username=email, UserAttributes=attributes, MessageAction="SUPPRESS"
        )
        cognito.admin_set_user_password(
            UserPoolId=self.pool.pool, Username=email, Password=PASSWORD, Permanent=True
        )
        found = {entry["Name"]: entry["Value"] for entry in made["User"]["Attributes"]}
        return str(found["sub"])


@pytest.fixture
def pool(settings: Settings, aws: Aws) -> Iterator[HostedPool]:
    with hosted_pool(aws, settings.public_url) as running:
        yield running


@pytest.fixture
async def place(settings: Settings, pool: HostedPool) -> AsyncIterator[Place]:
    async with running_api(settings.model_copy(update=pool.settings())) as api:
        yield Place(api, pool)
