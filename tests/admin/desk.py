"""Staff at work, in a browser of their own."""

from __future__ import annotations

import html
import re
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import psycopg
import pyotp

from invokeai_saas.identity.staff import operating
from tests.apps import RunningApi
from tests.servers import TestDatabase

STAFF = "staff@example.com"
_FIELD = re.compile(r'<input type="hidden" name="(csrf|key)" value="([^"]*)"')


@dataclass
class Desk:
    """A browser with staff's pages: it sends forms with what the page put into them.

    Parameters:
        client: what the browser keeps; `origin` is where its forms stand.
    """

    client: httpx.AsyncClient
    database: TestDatabase
    email: str
    password: str
    totp: pyotp.TOTP
    origin: str
    used: int = field(default=0)

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.client.get(path, **options)

    async def page(self, path: str) -> str:
        """A page that opens, as people read it."""
        answer = await self.client.get(path)
        assert answer.status_code == 200, (answer.status_code, answer.text[:300])
        return html.unescape(answer.text)

    async def send(self, path: str, data: dict[str, Any] | None = None, **options: Any) -> httpx.Response:
        """A form, with the session's token."""
        headers = {"origin": self.origin} | options.pop("headers", {})
        body = {"csrf": await self.token()} | (data or {})
        return await self.client.post(path, data=body, headers=headers, **options)

    async def token(self) -> str:
        found = dict(_FIELD.findall((await self.client.get("/admin/people")).text))
        return str(found.get("csrf", ""))

    def code(self) -> str:
        """A code of a step that was not used before: the present one, and then the next."""
        self.used = max(int(time.time()) // 30, self.used + 1)
        return self.totp.at(self.used * 30)

    async def log_in(self, **changes: str) -> httpx.Response:
        data = {"email": self.email, "password": self.password} | changes
        if "code" not in data:
            data["code"] = self.code()
        return await self.client.post("/admin/login", data=data, headers={"origin": self.origin})

    def rows(self, query: str, *values: object) -> list[Any]:
        """Straight from the database, as its owner."""
        with psycopg.connect(self.database.owner) as connection:
            return connection.execute(query, list(values)).fetchall()

    def execute(self, query: str, *values: object) -> None:
        with psycopg.connect(self.database.owner) as connection:
            connection.execute(query, list(values))

    def log(self) -> list[tuple[str, str, str]]:
        """(actor, action, reason) of the audit log but for log-ins, the oldest first."""
        return self.rows("SELECT actor, action, reason FROM audit_log WHERE kind <> 'staff' ORDER BY id")


def new_desk(api: RunningApi, database: TestDatabase, email: str = STAFF) -> Desk:
    """Somebody of the staff who has not logged in yet."""
    made = operating.add(database.owner, email)
    secret = parse_qs(urlsplit(made.otpauth).query)["secret"][0]
    client = api.nobody().client
    return Desk(client, database, email, made.password, pyotp.TOTP(secret), api.settings.public_url)


async def open_desk(api: RunningApi, database: TestDatabase, email: str = STAFF) -> Desk:
    """Somebody of the staff who has logged in."""
    desk = new_desk(api, database, email)
    answer = await desk.log_in()
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin")
    return desk
