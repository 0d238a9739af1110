"""Buying, changing and ending a plan, and buying packs. Nothing here changes a plan or moves a credit: Stripe is asked,
and what it then says is applied (billing/stripe/applying.py).
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from stripe import StripeClient

from invokeai_saas.billing import repository as plans
from invokeai_saas.billing.selling import repository
from invokeai_saas.billing.selling.prices import pack_offer, plan_offer, price_of
from invokeai_saas.billing.selling.schemas import (
    ChangePreview,
    InvoiceDTO,
    Link,
    PackDTO,
    PackWish,
    PlanWish,
    SubscriptionState,
)
from invokeai_saas.billing.service import NOBODY
from invokeai_saas.billing.stripe import reading
from invokeai_saas.billing.stripe import repository as records
from invokeai_saas.billing.stripe.repository import Session
from invokeai_saas.billing.tables import SubscriptionPlan
from invokeai_saas.db.session import Database, WriteSession
from invokeai_saas.errors import Conflict, Forbidden, InvalidInput
from invokeai_saas.identity.service import Identity, Person
from invokeai_saas.settings import Settings

Obj = dict[str, Any]
_PARTS = ["data.schedule", "data.latest_invoice"]
_NO_PLAN = "You have no paid plan. Choose one first."


async def packs(database: Database) -> list[PackDTO]:
    """Packs of credits on offer, the smallest first."""
    async with database.read(NOBODY) as db:
        return [PackDTO.model_validate(pack) for pack in await repository.offered_packs(db)]


async def invoices(db: Session, limit: int) -> list[InvoiceDTO]:
    """The caller's invoices, newest first."""
    return [InvoiceDTO.model_validate(invoice) for invoice in await records.invoices(db, limit)]


async def close_checkouts(client: StripeClient, customer: str, mode: str) -> None:
    """Pages of Stripe's that a customer has open can no longer be paid. Parameters: mode: subscription or payment."""
    sessions = client.v1.checkout.sessions
    for session in (await sessions.list_async({"customer": customer, "status": "open", "limit": 100})).data:
        if session.mode == mode:
            await sessions.expire_async(session.id)


class Till:
    """What one person does at the till.

    Parameters:
        client: Stripe's library.
        identity: who a person is, for Stripe.
        db: a transaction in the person's name.
        settings: where Stripe's pages send people back to, and the grace of those who have not paid.
    """

    def __init__(
        self, client: StripeClient, identity: Identity, db: WriteSession, person: Person, settings: Settings
    ) -> None:
        self._identity = identity
        self._stripe = client
        self._db = db
        self._person = person
        self._settings = settings

    async def subscribe(self, wish: PlanWish) -> Link:
        """A page to begin a plan on.

        Raises:
            Conflict: there is a paid plan already, or one that was agreed on with the person.
            InvalidInput: no such plan is sold, or not so.
            Forbidden: its price is agreed on with each customer.
        """
        plan = await self._plan(wish)
        price = await self._price(plan, wish.interval)
        standing = await plans.standing(self._db)
        if standing is not None and standing.plan.customer_id is not None:
            raise Conflict(
                "Your plan was agreed on with you. Please write to us to change it.", code="agreed_plan"
            )
        customer = await self._customer()
        if await self._live(customer) is not None:
            raise Conflict("You have a plan already. Change it instead.", code="already_subscribed")
        await self._close_others(customer, "subscription")
        session = await self._stripe.v1.checkout.sessions.create_async(
            {
                "mode": "subscription",
                "customer": customer,
                "line_items": [{"price": price, "quantity": 1}],
                "success_url": self._back(bought="plan"),
                "cancel_url": self._back(),
                "metadata": {"plan_id": str(plan.id)},
            }
        )
        return Link(url=str(session.url))

    async def buy_pack(self, wish: PackWish) -> Link:
        """A page to buy a pack on. Raises: InvalidInput: no such pack is sold."""
        pack = await repository.offered_pack(self._db, wish.pack)
        if pack is None:
            raise InvalidInput(("pack",), "There is no such pack. See /api/v1/packs.")
        customer = await self._customer()
        price = await price_of(self._stripe, pack_offer(pack))
        await self._close_others(customer, "payment")
        facts = {"pack": pack.slug, "credits": str(pack.credits), "valid_days": str(pack.valid_days)}
        session = await self._stripe.v1.checkout.sessions.create_async(
            {
                "mode": "payment",
                "customer": customer,
                "line_items": [{"price": price, "quantity": 1}],
                "success_url": self._back(bought="pack"),
                "cancel_url": self._back(),
                "metadata": facts,
                "invoice_creation": {"enabled": True, "invoice_data": {"metadata": facts}},
            }
        )
        return Link(url=str(session.url))

    async def portal(self) -> Link:
        """Stripe's page about cards and invoices. Raises: Conflict: nothing was ever bought."""
        customer = await records.customer(self._db)
        if customer is None:
            raise Conflict("You have not bought anything yet.", code="no_customer")
        session = await self._stripe.v1.billing_portal.sessions.create_async(
            {"customer": customer, "return_url": self._back()}
        )
        return Link(url=session.url)

    async def preview(self, wish: PlanWish) -> ChangePreview:
        """What a change would cost now, and when it would take place. Raises: see change."""
        subscription, current, plan, price = await self._change(wish)
        item = reading.item_of(subscription)
        if not _is_now(current, item, plan, wish.interval):
            return ChangePreview(
                when="period_end", due_now=Decimal(0), currency=subscription["currency"],
                effective=_moment(item["current_period_end"]),
            )  # fmt: skip
        invoice = await self._stripe.v1.invoices.create_preview_async(
            {
                "subscription": subscription["id"],
                "subscription_details": {
                    "items": [{"id": item["id"], "price": price}],
                    "proration_behavior": "always_invoice",
                },
            }
        )
        return ChangePreview(
            when="now", due_now=Decimal(invoice.amount_due) / 100, currency=invoice.currency,
            effective=_moment(invoice.created),
        )  # fmt: skip

    async def change(self, wish: PlanWish) -> SubscriptionState:
        """Another plan: a dearer one now, for the difference of what is left; a cheaper one when the period ends.

        Raises:
            Conflict: there is no paid plan to change, or it is this one.
            CardDeclined: (as stripe.CardError) nothing is changed.
            InvalidInput, Forbidden: see subscribe.
        """
        subscription, current, plan, price = await self._change(wish)
        await self._release(subscription)
        item = reading.item_of(subscription)
        if _is_now(current, item, plan, wish.interval):
            await self._upgrade(subscription, item, price)
        else:
            await self._change_later(subscription, item, price, wish.interval)
        return await self._state()

    async def cancel(self) -> SubscriptionState:
        """Ends the plan when its period does. Raises: Conflict: there is none."""
        subscription = await self._subscription()
        await self._release(subscription)
        await self._stripe.v1.subscriptions.update_async(subscription["id"], {"cancel_at_period_end": True})
        return await self._state()

    async def reactivate(self) -> SubscriptionState:
        """Takes back whatever was to happen at the period's end. Raises: Conflict: there is no plan."""
        subscription = await self._subscription()
        await self._release(subscription)
        if subscription["cancel_at_period_end"]:
            await self._stripe.v1.subscriptions.update_async(
                subscription["id"], {"cancel_at_period_end": False}
            )
        return await self._state()

    async def _upgrade(self, subscription: Obj, item: Obj, price: str) -> None:
        """At once and paid at once, or not at all.

        The key makes two clicks one; a second time it is no change any more. It names the card and the minute, so that
        a try with a better card, or a little later, is another.
        """
        card = subscription.get("default_payment_method") or "default"
        minute = int(datetime.now(UTC).timestamp()) // 60
        latest = reading.named(subscription.get("latest_invoice"))
        await self._stripe.v1.subscriptions.update_async(
            subscription["id"],
            {
                "items": [{"id": item["id"], "price": price}],
                "proration_behavior": "always_invoice",
                "payment_behavior": "error_if_incomplete",
                "cancel_at_period_end": False,
            },
            {"idempotency_key": f"change:{subscription['id']}:{latest}:{price}:{card}:{minute}"},
        )

    async def _change_later(self, subscription: Obj, item: Obj, price: str, interval: str) -> None:
        if subscription["cancel_at_period_end"]:
            await self._stripe.v1.subscriptions.update_async(
                subscription["id"], {"cancel_at_period_end": False}
            )
        schedules = self._stripe.v1.subscription_schedules
        schedule = await schedules.create_async({"from_subscription": subscription["id"]})
        present = {
            "items": [{"price": item["price"]["id"]}],
            "start_date": item["current_period_start"],
            "end_date": item["current_period_end"],
        }
        following = {
            "items": [{"price": price}],
            "proration_behavior": "none",
            "duration": {"interval": interval, "interval_count": 1},  # then it goes on by itself
        }
        await schedules.update_async(
            schedule.id,
            {"end_behavior": "release", "phases": [present, following]},  # type: ignore[arg-type]
        )

    async def _release(self, subscription: Obj) -> None:
        schedule = subscription.get("schedule")
        if isinstance(schedule, dict) and schedule["status"] == "active":
            await self._stripe.v1.subscription_schedules.release_async(schedule["id"])

    async def _change(self, wish: PlanWish) -> tuple[Obj, SubscriptionPlan, SubscriptionPlan, str]:
        """The subscription, its plan, the plan wished for and its price."""
        plan = await self._plan(wish)
        subscription = await self._subscription()
        item = reading.item_of(subscription)
        sold = reading.sold_by(item["price"])
        assert sold is not None  # `primary` chose it for that
        if (sold.plan_id, sold.interval) == (str(plan.id), wish.interval):
            raise Conflict("This is your plan already.", code="same_plan")
        current = await repository.plan_by_id(self._db, sold.plan_id)
        return subscription, current, plan, await self._price(plan, wish.interval)

    async def _plan(self, wish: PlanWish) -> SubscriptionPlan:
        plan = await repository.sold_plan(self._db, wish.plan)
        if plan is None:
            raise InvalidInput(("plan",), "There is no such plan. See /api/v1/plans.")
        if plan.monthly_price is None:
            raise Forbidden(f"The price of {plan.name} is agreed on with you. Please write to us.")
        return plan

    async def _price(self, plan: SubscriptionPlan, interval: str) -> str:
        offer = plan_offer(plan, interval)
        if offer is None:
            raise InvalidInput(("interval",), f"{plan.name} is not sold by the {interval}.")
        return await price_of(self._stripe, offer)

    async def _customer(self) -> str:
        """The caller's customer at Stripe, made when they first want to buy something."""
        known = await records.customer(self._db)
        if known is not None:
            return known
        user = await self._identity.me(self._person)
        made = await self._stripe.v1.customers.create_async(
            {"email": user.email, "name": user.name, "metadata": {"user_id": str(user.id)}},
            {"idempotency_key": f"customer:{user.id}:{user.email}:{user.name}"},
        )
        return await records.set_customer(self._db, made.id)

    async def _close_others(self, customer: str, mode: str) -> None:
        """A page that was opened before this one can no longer be paid."""
        await close_checkouts(self._stripe, customer, mode)

    async def _live(self, customer: str) -> Obj | None:
        listed = await self._stripe.v1.subscriptions.list_async(
            {"customer": customer, "status": "all", "limit": 100, "expand": _PARTS}
        )
        return reading.primary([one.to_dict(for_json=True) for one in listed.data])

    async def _subscription(self) -> Obj:
        customer = await records.customer(self._db)
        found = await self._live(customer) if customer else None
        if found is None:
            raise Conflict(_NO_PLAN, code="no_subscription")
        return found

    async def _state(self) -> SubscriptionState:
        """The subscription as it is now. Our own records follow in a moment."""
        await records.request_sync(self._db)
        subscription = await self._subscription()
        next_price = reading.following_price(subscription)
        price = await self._stripe.v1.prices.retrieve_async(next_price) if next_price else None
        following = price.to_dict(for_json=True) if price else None
        mirrored = reading.mirrored(subscription, self._settings.payment_grace_days, following)
        assert mirrored is not None
        plan = await repository.plan_by_id(self._db, mirrored.plan_id)
        next_plan = mirrored.next_plan_id and await repository.plan_by_id(self._db, mirrored.next_plan_id)
        return SubscriptionState(
            plan=plan.slug,
            interval=mirrored.interval,
            status=mirrored.status,
            period_end=_moment(mirrored.end),
            cancel_at_period_end=mirrored.cancel_at_period_end,
            next_plan=next_plan.slug if next_plan else None,
            next_interval=mirrored.next_interval,
        )

    def _back(self, **said: str) -> str:
        """Our own account page; where people come back to is never theirs to say."""
        return f"{self._settings.public_url}/account" + (f"?{urlencode(said)}" if said else "")


def _is_now(current: SubscriptionPlan, item: Obj, plan: SubscriptionPlan, interval: str) -> bool:
    """Whether a change is one for the better, which is paid and takes place at once."""
    was = item["price"]["recurring"]["interval"]
    if was == "year" and interval == "month":
        return False
    before, after = current.monthly_price or 0, plan.monthly_price or 0
    return after > before or (after == before and interval == "year" and was == "month")


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
