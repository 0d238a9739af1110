"""Plays the session against a server and writes down what it answered."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from tests.apps import PASSWORD
from tests.conformance.session import NOBODY, PERSON, STRANGER, Step
from tests.conformance.shapes import at
from tests.waiting import eventually

_HAS_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-")


@dataclass(frozen=True)
class Answer:
    """What came back.

    Parameters:
        media_type: without its parameters.
        body: JSON, with `$names` for what was kept; None for other types.
    """

    status: int
    media_type: str
    body: Any


@dataclass
class Player:
    """One person at one server.

    Parameters:
        client: to the server, without a token.
        token: the person's.
        kept: what `$names` stand for.
    """

    client: httpx.AsyncClient
    token: str
    kept: dict[str, Any] = field(default_factory=dict)

    @classmethod
    async def log_in(cls, client: httpx.AsyncClient, email: str) -> Player:
        login = await client.post("/api/v1/auth/login", json={"email": email, "password": PASSWORD})
        return cls(client, login.json()["token"], {"email": email, "password": PASSWORD})

    async def play(self, steps: Iterable[Step]) -> list[Answer]:
        return [await self._take(step) for step in steps]

    async def _take(self, step: Step) -> Answer:
        if step.settled:
            await self._settle()
        method, path = step.name.split(" ")
        for name, value in step.path.items():
            path = path.replace(f"{{{name}}}", str(self._meant(value)))
        options = step.call.options()
        for part in ("params", "json"):
            if part in options:
                options[part] = self._meant(options[part])
        self.client.cookies.clear()
        answer = await self.client.request(method, path, headers=self._headers(step.who), **options)
        return self._written_down(step, answer)

    def _headers(self, who: str) -> dict[str, str]:
        token = {PERSON: self.token, NOBODY: "", STRANGER: "nonsense"}[who]
        return {"Authorization": f"Bearer {token}"} if token else {}

    def _meant(self, value: Any) -> Any:
        """A value with what its `$names` stand for."""
        if isinstance(value, str) and value.startswith("$"):
            return self.kept[value[1:]]
        if isinstance(value, dict):
            return {key: self._meant(inner) for key, inner in value.items()}
        return [self._meant(inner) for inner in value] if isinstance(value, list) else value

    def _written_down(self, step: Step, answer: httpx.Response) -> Answer:
        media_type = answer.headers.get("content-type", "").split(";")[0]
        if media_type != "application/json" or not answer.content:
            return Answer(answer.status_code, media_type, None)
        if answer.is_success:
            self.kept |= {name: at(answer.json(), place) for name, place in step.keep.items()}
        text = answer.text
        for name, value in self.kept.items():
            if isinstance(value, str) and _HAS_ID.match(value):
                text = text.replace(value, f"${name}")
        return Answer(answer.status_code, media_type, orjson.loads(text))

    async def _settle(self) -> None:
        async def idle() -> bool:
            await asyncio.sleep(0.2)
            status = await self.client.get("/api/v1/queue/default/status", headers=self._headers(PERSON))
            queue = status.json()["queue"]
            return bool(queue["pending"] + queue["in_progress"] == 0)

        await eventually(idle)
