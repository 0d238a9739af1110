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
        plan: null for a person whose plan has ended.
        status: trialing, active or past_due; null without a plan.
        expires: what is left of each grant, the first to expire first.
    """

    plan: PlanDTO | None
    status: str | None
    period_end: datetime | None
    trial_end: datetime | None
    cancel_at_period_end: bool
    expires: list[ExpiringCredits]
