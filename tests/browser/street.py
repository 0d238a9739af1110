"""A service that sells, with everything running by itself, in front of a browser."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page

from invokeai_saas.billing.stripe.inbox import StripeInbox
from invokeai_saas.embedded.stripe.clocks import advance
from invokeai_saas.embedded.stripe.webhooks import keep_endpoint
from invokeai_saas.settings import Settings
from invokeai_saas.worker.events import EventStream
from tests.apps import LiveApi, Subject, live_api
from tests.billing.shop import WEBHOOK, selling
from tests.browser.people import PATIENCE
from tests.stripe_server import SECRET, LocalStripe, local_stripe


@dataclass
class Street:
    """A service that sells, in front of a browser."""

    api: LiveApi
    stripe: LocalStripe
    ada: Subject
    page: Page

    async def card(self, number: str, button: str) -> None:
        await self.page.get_by_label("Card number").fill(number)
        await self.page.get_by_label("Expires (MM / YY)").fill("12 / 40")
        await self.page.get_by_label("Security code").fill("123")
        await self.page.get_by_role("button", name=button).click()

    def let_days_pass(self, days: int) -> None:
        """At Stripe, with everything that becomes due there meanwhile."""
        account = self.stripe.account
        now = int(account.clock())
        with account.store.transaction():
            clock = account.new(
                "test_helpers.test_clock",
                {
                    "frozen_time": now,
                    "deletes_after": now,
                    "status": "ready",
                    "status_details": {},
                    "name": None,
                },
            )
            for one in (*account.store.all("customer"), *account.store.all("subscription")):
                account.change(one, test_clock=clock["id"])
            advance(account, clock, now + days * 86_400)

    async def summary(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.ada.get("/api/v1/account/summary")).json()
        return found


@asynccontextmanager
async def open_street(settings: Settings, folder: Path, chromium: Browser) -> AsyncIterator[Street]:
    """The API, the local Stripe, which sends its webhooks, and what applies them."""
    with local_stripe(folder, deliver=True) as stripe:
        there = selling(settings, stripe)
        events = EventStream(there.redis_url.get_secret_value())
        inbox = StripeInbox(there, events)

        async def scheduler() -> None:
            while True:
                inbox.look()
                await asyncio.sleep(0.2)

        looking = asyncio.create_task(scheduler())
        async with live_api(there) as api:
            with stripe.account.store.transaction():
                keep_endpoint(stripe.account, api.url + WEBHOOK, SECRET)
            page = await chromium.new_page()
            page.set_default_timeout(PATIENCE)
            yield Street(api, stripe, await api.person("ada@example.com"), page)
            looking.cancel()
            await asyncio.to_thread(inbox.close)
            events.close()
