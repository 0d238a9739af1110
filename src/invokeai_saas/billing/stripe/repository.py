"""SQL of the API's part in payments: a person's own rows, and what the definer functions let it do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.expression import cast

from invokeai_saas.billing.stripe.tables import Invoice, StripeCustomer
from invokeai_saas.db.session import ReadSession, WriteSession

Session = ReadSession | WriteSession


async def customer(db: Session) -> str | None:
    """The caller's customer at Stripe, if they have ever begun to buy something."""
    return await db.scalar(select(StripeCustomer.customer_id))


async def set_customer(db: WriteSession, customer_id: str) -> str:
    """Remembers the caller's customer; the one that was there before stays and is answered."""
    kept: str = (await db.execute(select(func.billing_set_customer(customer_id)))).scalar_one()
    return kept


async def request_sync(db: WriteSession) -> None:
    """Lets the scheduler read the caller's subscription from Stripe, without waiting for an event."""
    await db.execute(select(func.billing_request_sync()))


async def store_event(
    db: WriteSession, event_id: str, kind: str, created: datetime, payload: dict[str, Any]
) -> bool:
    """Keeps an event; False when it is there already."""
    statement = select(func.stripe_event_store(event_id, kind, created, cast(payload, JSONB)))
    return bool((await db.execute(statement)).scalar_one())


async def invoices(db: Session, limit: int) -> Sequence[Invoice]:
    """The caller's invoices, newest first."""
    newest = select(Invoice).order_by(Invoice.created_at.desc(), Invoice.id).limit(limit)
    return (await db.scalars(newest)).all()
