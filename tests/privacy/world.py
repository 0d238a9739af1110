"""What a test of deletions needs: people who have everything, a keeper that goes on, and a look at all that is left."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from redis import Redis

from invokeai_saas.edge.purging import EdgePurger
from invokeai_saas.mail.sending import Mailer
from invokeai_saas.privacy.keeper import PrivacyKeeper
from invokeai_saas.storage.objects import ObjectStore, open_object_store
from invokeai_saas.worker.events import EventStream
from tests.apps import PASSWORD, Subject
from tests.billing.shop import Shop
from tests.factories import fill_tables
from tests.mail.box import Mailbox

PATH = "/api/v1/privacy/deletion"
NAME = "Ada Augusta Lovelace"


@dataclass
class World:
    """Parameters: box: mails; events: as a scheduler has them."""

    shop: Shop
    box: Mailbox
    mailer: Mailer
    objects: ObjectStore
    events: EventStream
    redis: Redis
    model: str | None = None  # on offer, once anything was generated

    def keeper(self, quiet: float = 0.0) -> PrivacyKeeper:
        """A scheduler's part, as after a start."""
        return PrivacyKeeper(self.shop.inbox._settings, self.objects, self.events, quiet)

    async def look(self, quiet: float = 0.0) -> None:
        """One look of a scheduler that was just started."""
        keeper = self.keeper(quiet)
        try:
            await asyncio.to_thread(keeper.look)
        finally:
            await asyncio.to_thread(keeper.close)

    async def purge(self) -> None:
        """What a scheduler does about files that are deleted: caches forget them."""
        purger = EdgePurger(self.shop.inbox._settings, self.objects)
        try:
            await asyncio.to_thread(purger.look)
        finally:
            await asyncio.to_thread(purger.close)

    async def finish(self) -> None:
        """Looks until nobody is being deleted any more. Waiting is cut short."""
        for _ in range(20):
            self.execute("UPDATE account_deletions SET lease_until = now() WHERE lease_until > now()")
            await self.look()
            await asyncio.to_thread(self.mailer.send_due)
            await self.purge()
            if not self.rows("SELECT FROM account_deletions WHERE started_at IS NOT NULL"):
                return
        raise AssertionError(self.rows("SELECT stage, report FROM account_deletions"))

    async def ask(self, person: Subject) -> dict[str, Any]:
        answer = await person.post(PATH, json={"password": PASSWORD})
        assert answer.status_code == 202, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def person(self, email: str = "ada.lovelace@example.com") -> Subject:
        """Somebody with a row in every table, files, and a customer at Stripe who pays."""
        shop = self.shop
        ada = shop.api.nobody()
        body = {"email": email, "password": PASSWORD, "display_name": NAME}
        answer = await ada.post("/api/v1/auth/sign-up", json=body)
        assert answer.status_code == 201, answer.text
        ada.user_id = UUID(answer.json()["user"]["user_id"])
        ada.client.headers["authorization"] = f"Bearer {answer.json()['token']}"
        await shop.subscribe(ada)
        await shop.buy(ada)
        self.fill(ada.user_id)
        await self.store(ada.user_id)
        self.redis.set(f"plan:{ada.user_id}", 1)
        self.redis.set(f"ratelimit:{email}:login", 1)
        return ada

    def fill(self, user_id: UUID) -> None:
        """Rows in every table, with the person's name in whatever they may write."""
        with psycopg.connect(self.shop.database.owner) as connection:
            own = {}
            for table in ("stripe_customers", "local_credentials"):  # which there are already
                query = f"DELETE FROM {table} WHERE user_id = %s RETURNING *".encode()
                own[table] = connection.execute(query, [user_id]).fetchone()
            fill_tables(connection, user_id)
            connection.execute("DELETE FROM account_deletions WHERE user_id = %s", [user_id])
            for table, column in (
                ("stripe_customers", "customer_id"),
                ("local_credentials", "password_hash"),
            ):
                query = f"UPDATE {table} SET {column} = %s WHERE user_id = %s".encode()
                connection.execute(query, [own[table][1], user_id])  # type: ignore[index]
            connection.execute("UPDATE session_queue SET status = 'completed' WHERE user_id = %s", [user_id])
            for change in (
                "client_state SET value = %s", "workflow_library SET name = %s", "models SET name = %s",
                "boards SET board_name = %s", "style_presets SET positive_prompt = %s",
                "organisations SET name = %s", "model_installs SET source_text = %s",
            ):  # fmt: skip
                query = f"UPDATE {change} WHERE user_id = %s".encode()
                connection.execute(query, [f"{NAME} {user_id}", user_id])
            connection.execute(  # a plan that was agreed on with them
                "INSERT INTO subscription_plans (name, slug, plan_type, gpu_tier, model_access, is_active, customer_id)"
                " SELECT name, %s, plan_type, gpu_tier, model_access, false, %s FROM subscription_plans"
                " WHERE slug = 'enterprise'",
                [f"enterprise-{str(user_id).replace('-', '')[:16]}", user_id],
            )
            connection.execute(
                "INSERT INTO audit_log (actor, action, person_id, kind, thing, reason)"
                " VALUES ('staff@example.com', 'credits.give', %s, 'person', %s, %s)",
                [user_id, str(user_id), f"{NAME} asked for it"],
            )
            connection.execute(
                "INSERT INTO usage_records (user_id, job_id, action_type, model_used, gpu_tier, steps, width, height,"
                " batch_size, compute_seconds, credits_consumed)"
                " VALUES (%s, 'j', 'generate', %s, 'basic', 1, 1, 1, 1, 1, 1)",
                [user_id, f"The face of {NAME}"],
            )  # fmt: skip
            connection.execute(
                "INSERT INTO credit_transactions (user_id, amount, transaction_type, description, reference_id)"
                " VALUES (%s, -1, 'settlement', %s, 'x')",
                [user_id, f"1 GPU second of the face of {NAME}"],
            )
            connection.execute(
                "INSERT INTO password_reset_requests (email) SELECT email FROM users WHERE id = %s", [user_id]
            )

    async def store(self, user_id: UUID) -> None:
        for key in (
            "images/a.png",
            "images/thumbnails/a.webp",
            "workflows/w.webp",
            "downloads/d.zip",
            "uploads/u.png",
        ):
            await self.objects.put(f"users/{user_id}/{key}", b"0123456789", "image/png")
        await self.objects.put(
            f"models/users/{user_id}/m/model.safetensors", b"01234", "application/octet-stream"
        )

    def rows(self, query: str, *values: object) -> list[Any]:
        return self.shop.rows(query, *values)

    def execute(self, query: str, *values: object) -> None:
        self.shop.execute(query, *values)

    def keys(self, user_id: UUID) -> list[str]:
        """Files whose keys name somebody, wherever they lie."""
        found: list[str] = []
        last: str | None = None
        while page := self.objects.list_sync("", last, 1000):
            found += [file.key for file in page if str(user_id) in file.key]
            last = page[-1].key
        return found

    def traces(self, *said: str) -> set[str]:
        """Columns of any table, of whatever type, with any of these texts in them; and keys of Redis."""
        found = set()
        with psycopg.connect(self.shop.database.url()) as connection:
            columns = connection.execute(
                "SELECT table_name, column_name FROM information_schema.columns JOIN information_schema.tables"
                " USING (table_schema, table_name) WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
            ).fetchall()
            for table, column in columns:
                query = sql.SQL("SELECT EXISTS (SELECT FROM {} t WHERE t.{}::text ILIKE ANY (%s))").format(
                    sql.Identifier(table), sql.Identifier(column)
                )
                row = connection.execute(query, [[f"%{text}%" for text in said]]).fetchone()
                if row and row[0]:
                    found.add(f"{table}.{column}")
        for key in self.redis.scan_iter(count=1000):
            if any(text.encode() in key for text in said):
                found.add(f"redis:{key.decode()}")
        return found


@contextmanager
def open_world(shop: Shop, folder: Path) -> Iterator[World]:
    settings = shop.inbox._settings
    events = EventStream(settings.redis_url.get_secret_value())
    redis = Redis.from_url(settings.redis_url.get_secret_value())
    mailer = Mailer(settings)
    try:
        box = Mailbox(shop.database, folder / "mail")
        yield World(shop, box, mailer, open_object_store(settings), events, redis)
    finally:
        mailer.close()
        events.close()
        redis.close()
