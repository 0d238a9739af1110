"""People with different rights over models, and models of theirs."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg.types.json import Jsonb

from tests.apps import PASSWORD, RunningApi, Subject
from tests.factories import insert
from tests.servers import TestDatabase

MODELS = "/api/v2/models"


def lora(name: str, **changes: Any) -> dict[str, Any]:
    """A record as InvokeAI's probe writes them."""
    record = {
        "key": str(uuid4()), "hash": f"blake3:{name}", "path": f"models/shared/{name}", "file_size": 10,
        "name": name, "description": None, "source": name, "source_type": "url", "source_api_response": None,
        "source_url": None, "cover_image": None, "type": "lora", "base": "sd-1", "format": "lycoris",
        "trigger_phrases": None, "default_settings": None,
    }  # fmt: skip
    return record | changes


def add_model(
    database: TestDatabase,
    owner: UUID | None,
    name: str,
    *,
    files: list[dict[str, Any]] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """A model's row; answers its record."""
    record = lora(name, **changes)
    if owner is not None:
        record["path"] = f"models/users/{owner}/{record['key']}"
    columns = ("key", "hash", "path", "file_size", "name", "type", "base", "format")
    with psycopg.connect(database.owner) as connection:
        insert(connection, "models", user_id=owner, record=record, **{c: record[c] for c in columns})
        if files:
            connection.execute("UPDATE models SET files = %s WHERE key = %s", [Jsonb(files), record["key"]])
    return record


def set_plan(database: TestDatabase, subject: Subject, slug: str) -> None:
    with psycopg.connect(database.owner) as connection:
        connection.execute(
            "UPDATE user_subscriptions SET plan_id = (SELECT id FROM subscription_plans WHERE slug = %s)"
            " WHERE user_id = %s",
            [slug, subject.user_id],
        )


async def owner_of_models(api: RunningApi, database: TestDatabase, email: str) -> Subject:
    """Somebody whose plan has models of one's own."""
    subject = await api.person(email)
    set_plan(database, subject, "enterprise")
    return subject


async def staff(api: RunningApi, database: TestDatabase) -> Subject:
    """One of our staff. The role is read with each session, which a process believes for some seconds."""
    subject = api.nobody()
    email = "staff@example.com"
    made = await api.person(email)
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE users SET role = 'admin' WHERE id = %s", [made.user_id])
    answer = await subject.post("/api/v1/auth/login", json={"email": email, "password": PASSWORD})
    subject.user_id, subject.token = made.user_id, answer.json()["token"]
    subject.client.headers["authorization"] = f"Bearer {subject.token}"
    return subject
