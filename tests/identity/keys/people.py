"""People with keys, and the programs that have them."""

from __future__ import annotations

from typing import Any

from tests.apps import RunningApi, Subject
from tests.plans import put_on
from tests.servers import TestDatabase

KEYS = "/api/v1/keys"


async def on_plan(
    api: RunningApi, database: TestDatabase, plan: str = "pro", email: str = "ada@example.com"
) -> Subject:
    person = await api.person(email)
    put_on(database, person.user_id, plan)
    return person


async def make_key(person: Subject, **wish: Any) -> dict[str, Any]:
    """A new key as it is shown, once."""
    answer = await person.post(KEYS, json={"name": "A program", **wish})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def program(api: RunningApi, key: str, person: Subject | None = None) -> Subject:
    """Somebody who has nothing but a key."""
    subject = api.nobody()
    subject.token = key
    subject.user_id = person.user_id if person else None
    subject.client.headers["authorization"] = f"Bearer {key}"
    return subject
