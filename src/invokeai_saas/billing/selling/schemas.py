"""What is asked for and answered when something is sold. Prices are US dollars, as strings."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,50}$")]
Interval = Literal["month", "year"]


class PackDTO(BaseModel):
    """Credits that are sold by themselves. Parameters: valid_days: from the payment."""

    model_config = ConfigDict(from_attributes=True)

    slug: str
    name: str
    credits: int
    price: Decimal
    valid_days: int


class PlanWish(BaseModel):
    """A plan and how it is paid."""

    plan: Slug
    interval: Interval = "month"


class PackWish(BaseModel):
    pack: Slug


class Link(BaseModel):
    """An address at Stripe's to send the person to. It is theirs alone and good for a while."""

    url: str


class ChangePreview(BaseModel):
    """What a change of plan would do.

    Parameters:
        when: now (dearer plans, and from months to years) or at the period's end.
        due_now: what would be charged at once.
        effective: when the plan would be another.
    """

    when: Literal["now", "period_end"]
    due_now: Decimal
    currency: str
    effective: datetime


class SubscriptionState(BaseModel):
    """The subscription as Stripe has it now.

    Parameters:
        next_plan: what takes its place at `period_end`; null where it just goes on.
    """

    plan: str
    interval: str
    status: str
    period_end: datetime
    cancel_at_period_end: bool
    next_plan: str | None
    next_interval: str | None


class InvoiceDTO(BaseModel):
    """An invoice. Parameters: hosted_url: Stripe's page of it."""

    model_config = ConfigDict(from_attributes=True)

    number: str | None
    status: str
    description: str
    amount: Decimal
    amount_paid: Decimal
    currency: str
    hosted_url: str | None
    created_at: datetime
