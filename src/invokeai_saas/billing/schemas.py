"""Plans, and where a person stands with theirs."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from invokeai_saas.credits.schemas import Balance, ExpiringCredits


class PlanDTO(BaseModel):
    """A plan's row. NULL means custom or unlimited; prices are US dollars, as strings."""

    model_config = ConfigDict(from_attributes=True)

    slug: str
    name: str
    plan_type: str  # trial, paid, internal
    monthly_price: Decimal | None
    annual_price: Decimal | None
    monthly_credits: int | None
    trial_days: int | None
    gpu_tier: str
    max_queues: int | None  # jobs at once
    max_storage_gb: int | None
    model_access: list[str]
    third_party_api_access: bool
    lora_training: bool
    collaboration: bool
    node_editor_access: bool
    api_access: bool


class AccountSummary(Balance):
    """Everything the bar on top of the page shows, in one answer.

    Parameters:
        plan: null for a person whose plan has ended, or who never had one.
        had_plan: whether they have one or had one; false where the trial waits, or their address had it before.
        features: what the plan includes, by the names that refusals have for it (`billing/gates.py`).
        status: trialing, active or past_due; null without a plan.
        billing_interval: month or year, of a plan that is paid for.
        next_plan: slug of the plan that takes this one's place at `period_end`.
        delete_after: without a plan, when what was made is deleted; null while that is not going to be.
        expires: what is left of each grant, the first to expire first.
    """

    plan: PlanDTO | None
    features: list[str]
    had_plan: bool
    status: str | None
    period_end: datetime | None
    trial_end: datetime | None
    cancel_at_period_end: bool
    billing_interval: str | None
    next_plan: str | None
    delete_after: datetime | None
    expires: list[ExpiringCredits]
