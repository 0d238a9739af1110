"""Plans and packs as they are bought, changed and ended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

import stripe
from fastapi import APIRouter, Depends, Query

from invokeai_saas.billing.selling import service
from invokeai_saas.billing.selling.schemas import (
    ChangePreview,
    InvoiceDTO,
    Link,
    PackDTO,
    PackWish,
    PlanWish,
    SubscriptionState,
)
from invokeai_saas.billing.selling.service import Till
from invokeai_saas.billing.stripe.client import said
from invokeai_saas.errors import Unavailable
from invokeai_saas.identity.access import LogIn, Reader, Shared, logged_in

router = APIRouter(prefix="/api/v1", tags=["billing"])
_PER_MINUTE = 30  # of one person: each is several calls of Stripe's


async def till(shared: Shared, person: LogIn) -> AsyncIterator[Till]:
    """The till, for the caller.

    Raises:
        Unavailable: payments are not set up, or Stripe cannot be reached.
        CardDeclined: the bank said no.
        RateLimited: too many wishes a minute.
    """
    if shared.stripe is None:
        raise Unavailable("Payments are not set up here.", retry_after=60)
    await shared.limiter.check(str(person.user_id), "billing", _PER_MINUTE)
    try:
        # Stripe may be slow, and a transaction waits for it: few at once, so that connections are left for others.
        async with shared.tills.turn(person.user_id), shared.database.write(person.user_id) as db:
            yield Till(shared.stripe, shared.identity, db, person, shared.settings)
    except stripe.StripeError as error:
        raise said(error) from error


AtTheTill = Annotated[Till, Depends(till, scope="function")]


@router.get("/packs")
async def packs(shared: Shared) -> list[PackDTO]:
    return await service.packs(shared.database)


@router.get("/billing/invoices", dependencies=[Depends(logged_in)])
async def invoices(db: Reader, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> list[InvoiceDTO]:
    return await service.invoices(db, limit)


@router.post("/billing/subscribe")
async def subscribe(at: AtTheTill, wish: PlanWish) -> Link:
    """Stripe's page to begin a plan on. The plan begins once it is paid there."""
    return await at.subscribe(wish)


@router.post("/billing/packs")
async def buy_pack(at: AtTheTill, wish: PackWish) -> Link:
    """Stripe's page to buy credits on. They come once it is paid there."""
    return await at.buy_pack(wish)


@router.post("/billing/portal")
async def portal(at: AtTheTill) -> Link:
    """Stripe's page about cards and invoices."""
    return await at.portal()


@router.post("/billing/change/preview")
async def preview_change(at: AtTheTill, wish: PlanWish) -> ChangePreview:
    return await at.preview(wish)


@router.post("/billing/change")
async def change(at: AtTheTill, wish: PlanWish) -> SubscriptionState:
    """Another plan: a dearer one now, a cheaper one at the end of the period."""
    return await at.change(wish)


@router.post("/billing/cancel")
async def cancel(at: AtTheTill) -> SubscriptionState:
    """Ends the plan when its period does."""
    return await at.cancel()


@router.post("/billing/reactivate")
async def reactivate(at: AtTheTill) -> SubscriptionState:
    """Takes back a cancellation, or a change that was to come."""
    return await at.reactivate()
