"""The API, the local Stripe and the scheduler's inbox together: what a person's purchases lead to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
from pydantic import SecretStr

from invokeai_saas.billing.stripe.inbox import StripeInbox
from invokeai_saas.billing.stripe.records import BillingRecords
from invokeai_saas.db import roles
from invokeai_saas.embedded.stripe.clocks import advance
from invokeai_saas.embedded.stripe.webhooks import signature
from invokeai_saas.settings import Settings
from invokeai_saas.worker.events import EventStream
from tests.apps import RunningApi, Subject, running_api
from tests.servers import TestDatabase
from tests.stripe_server import GOOD, KEY, SECRET, LocalStripe, local_stripe

WEBHOOK = "/api/v1/saas/stripe/webhook"
DAY = 86400


@dataclass
class Shop:
    """Everything that sells."""

    api: RunningApi
    stripe: LocalStripe
    database: TestDatabase
    inbox: StripeInbox
    seen: set[str]

    async def send(self, events: Sequence[dict[str, Any]]) -> None:
        """Webhooks as Stripe sends them, in this order."""
        nobody = self.api.nobody()
        for event in events:
            body = json.dumps(event).encode()
            headers = {"stripe-signature": signature(SECRET, body, int(self.stripe.account.clock()))}
            answer = await nobody.post(WEBHOOK, content=body, headers=headers)
            assert answer.status_code == 204, answer.text

    def events(self) -> list[dict[str, Any]]:
        """All of Stripe's, the oldest first."""
        with self.stripe.account.store.transaction():
            return self.stripe.account.store.all("event")[::-1]

    async def deliver(self) -> int:
        """Sends what is new, and applies it; how many were applied."""
        new = [event for event in self.events() if event["id"] not in self.seen]
        self.seen |= {event["id"] for event in new}
        await self.send(new)
        return await self.apply()

    async def apply(self) -> int:
        records = BillingRecords(self.database.url(roles.BILLING))
        try:
            return await asyncio.to_thread(self.inbox.apply_all, records)
        finally:
            records.close()

    async def pay(self, url: str, card: str = GOOD) -> httpx.Response:
        """Fills in one of Stripe's pages, and lets what follows happen."""
        answer = await asyncio.to_thread(self.stripe.fill_in, url, card)
        await self.deliver()
        return answer

    async def subscribe(
        self, person: Subject, plan: str = "starter", interval: str = "month", card: str = GOOD
    ) -> None:
        answer = await person.post("/api/v1/billing/subscribe", json={"plan": plan, "interval": interval})
        assert answer.status_code == 200, answer.text
        assert (await self.pay(answer.json()["url"], card)).status_code == 303

    async def buy(self, person: Subject, pack: str = "pack-1000", card: str = GOOD) -> None:
        answer = await person.post("/api/v1/billing/packs", json={"pack": pack})
        assert answer.status_code == 200, answer.text
        assert (await self.pay(answer.json()["url"], card)).status_code == 303

    async def summary(self, person: Subject) -> dict[str, Any]:
        found: dict[str, Any] = (await person.get("/api/v1/account/summary")).json()
        return found

    def on_a_clock(self, person: Subject) -> str:
        """From now on this person's customer lives in a test clock's time, which begins now. Answers the clock."""
        account = self.stripe.account
        with account.store.transaction():
            clock = account.new(
                "test_helpers.test_clock",
                {"frozen_time": int(account.clock()), "deletes_after": int(account.clock()), "status": "ready",
                 "status_details": {}, "name": None},
            )  # fmt: skip
            customer = account.get("customer", self.customer(person))
            account.change(customer, test_clock=clock["id"])
            for subscription in account.store.all("subscription"):
                if subscription["customer"] == customer["id"]:
                    account.change(subscription, test_clock=clock["id"])
        return str(clock["id"])

    def pass_time(self, clock: str, seconds: int) -> None:
        account = self.stripe.account
        with account.store.transaction():
            found = account.get("test_helpers.test_clock", clock)
            advance(account, found, found["frozen_time"] + seconds)

    def customer(self, person: Subject) -> str:
        return str(self.value("SELECT customer_id FROM stripe_customers WHERE user_id = %s", person.user_id))

    def subscription(self, person: Subject) -> dict[str, Any]:
        """Stripe's, the newest."""
        customer = self.customer(person)
        with self.stripe.account.store.transaction():
            found = self.stripe.account.store.all("subscription")
        return next(one for one in found if one["customer"] == customer)

    async def answer_dispute(self, word: str) -> None:
        """Hands in evidence about the newest; `winning_evidence` and `losing_evidence` decide at once."""
        disputes = self.stripe.client.v1.disputes
        newest = (await asyncio.to_thread(disputes.list)).data[0]
        await asyncio.to_thread(disputes.update, newest.id, {"evidence": {"uncategorized_text": word}})

    def value(self, query: str, *values: object) -> Any:
        return self.rows(query, *values)[0][0]

    def rows(self, query: str, *values: object) -> list[Any]:
        with psycopg.connect(self.database.owner) as connection:
            return connection.execute(query, list(values)).fetchall()

    def execute(self, query: str, *values: object) -> None:
        with psycopg.connect(self.database.owner) as connection:
            connection.execute(query, list(values))


def selling(settings: Settings, stripe: LocalStripe) -> Settings:
    """Settings of a service that sells through this Stripe."""
    changes = {
        "stripe_secret_key": SecretStr(KEY),
        "stripe_webhook_secret": SecretStr(SECRET),
        "stripe_api_base": stripe.url,
    }
    return settings.model_copy(update=changes)


@contextmanager
def _inbox(settings: Settings) -> Iterator[StripeInbox]:
    events = EventStream(settings.redis_url.get_secret_value())
    inbox = StripeInbox(settings, events)
    try:
        yield inbox
    finally:
        inbox.close()
        events.close()


@asynccontextmanager
async def open_shop(settings: Settings, database: TestDatabase, folder: Path) -> AsyncIterator[Shop]:
    with local_stripe(folder) as stripe:
        there = selling(settings, stripe)
        with _inbox(there) as inbox:
            async with running_api(there) as api:
                yield Shop(api, stripe, database, inbox, set())
