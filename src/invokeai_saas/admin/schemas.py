"""What the forms of the pages send. An empty field is None: no limit, or a price that is agreed on."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

Money = Annotated[Decimal, Field(ge=0, le=1_000_000, max_digits=10, decimal_places=2)]
Count = Annotated[int, Field(ge=0, le=100_000_000)]


def _blank(given: object) -> object:
    return None if isinstance(given, str) and not given.strip() else given


class Reasoned(BaseModel):
    """Each act has its reason."""

    model_config = ConfigDict(frozen=True)

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=1000)]


class Lasting(Reasoned):
    """Parameters: ends: the last day, in UTC."""

    ends: date = Field(le=date(2999, 12, 31))

    @property
    def ends_at(self) -> datetime:
        """The moment at which the last day is over."""
        return datetime.combine(self.ends + timedelta(days=1), time(), UTC)


class CreditsForm(Reasoned):
    """Parameters: key: made with the form, so that sending it twice gives once."""

    amount: int = Field(ge=1, le=10_000_000)
    days: int = Field(ge=1, le=3660)
    key: UUID


class TesterForm(Lasting):
    key: UUID


class AgreedPlanForm(Lasting):
    """A plan of one customer's own. Parameters: max_queues: parallel lanes; monthly_price: US dollars."""

    gpu_tier: str = Field(max_length=30)
    max_queues: Annotated[Annotated[int, Field(ge=1, le=1000)] | None, BeforeValidator(_blank)] = None
    max_storage_gb: Annotated[Count | None, BeforeValidator(_blank)] = None
    monthly_credits: Annotated[Count | None, BeforeValidator(_blank)] = None
    monthly_price: Annotated[Money | None, BeforeValidator(_blank)] = None


class PlanForm(Reasoned):
    """A plan's row as it shall be."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=50)]
    monthly_price: Annotated[Money | None, BeforeValidator(_blank)] = None
    annual_price: Annotated[Money | None, BeforeValidator(_blank)] = None
    monthly_credits: Annotated[Count | None, BeforeValidator(_blank)] = None
    gpu_tier: str = Field(max_length=30)
    max_queues: Annotated[Annotated[int, Field(ge=1, le=1000)] | None, BeforeValidator(_blank)] = None
    max_storage_gb: Annotated[Count | None, BeforeValidator(_blank)] = None
    trial_days: Annotated[Annotated[int, Field(ge=1, le=366)] | None, BeforeValidator(_blank)] = None
    model_access: list[Literal["sd", "flux", "custom"]] = Field(default_factory=list)
    third_party_api_access: bool = False
    lora_training: bool = False
    collaboration: bool = False
    node_editor_access: bool = False
    api_access: bool = False
    is_active: bool = False


class PackForm(Reasoned):
    """A pack's row as it shall be."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
    credits: int = Field(ge=1, le=100_000_000)
    price: Annotated[Money, Field(gt=0)]
    valid_days: int = Field(ge=1, le=3660)
    is_active: bool = False
