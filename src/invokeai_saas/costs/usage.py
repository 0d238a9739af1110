"""What an environment uses in a month, read from `usage.toml`, for any number of daily users."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Literal

from pydantic import BaseModel, ConfigDict

from invokeai_saas.costs.prices import read_toml

ZERO = Decimal(0)


class Environment(StrEnum):
    dev = "dev"
    staging = "staging"
    production = "production"


class Amount(BaseModel):
    """`fixed + for_each * daily users`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fixed: Decimal = ZERO
    for_each: Decimal = ZERO
    basis: Literal["guide", "plan", "assumed"]

    def at(self, daily_users: int) -> Decimal:
        return self.fixed + self.for_each * daily_users


class GpuGroup(BaseModel):
    """A tier's instances. Work asks for hours; the group's minimum keeps some running without any."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tier: str
    instance: str
    hours_a_day: Amount  # of instances, that work asks for
    minimum: int  # instances
    maximum: int
    hours_off: int  # of a day, at dawn, when the minimum is nought

    def worked_hours(self, daily_users: int) -> Decimal:
        """Instance hours a day that work asks for."""
        return self.hours_a_day.at(daily_users)

    def idle_hours(self, daily_users: int) -> Decimal:
        """Instance hours a day beyond those, for the sake of the minimum alone.

        Work is taken to be spread over the day: its hours count against the minimum's.
        """
        kept = Decimal(self.minimum * (24 - self.hours_off))
        return max(ZERO, kept - self.worked_hours(daily_users))

    def instances_needed(self, daily_users: int) -> Decimal:
        """Instances on average over the hours that the group is on."""
        return self.worked_hours(daily_users) / (24 - self.hours_off)


class Choices(BaseModel):
    """Sizes that are chosen, not counted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cache_node: str


class Usage(BaseModel):
    """An environment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    daily_users: int  # where nobody says how many
    amounts: dict[str, Amount]
    choices: Choices
    gpus: list[GpuGroup] = []


class Guide(BaseModel):
    """The deployment guide's own estimate, dollars a month."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    daily_users: int
    lines: dict[str, Decimal]
    notes: dict[str, str]  # why ours differs
    aurora: dict[Environment, Decimal]


class SavingsInputs(BaseModel):
    """What the savings are reckoned with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    unread_share: Decimal  # of the files
    quiet_hours: Decimal  # of a day
    idle_acus: Decimal


class Usages(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dev: Usage
    staging: Usage
    production: Usage
    guide: Guide
    savings: SavingsInputs

    def of(self, environment: Environment) -> Usage:
        found: Usage = getattr(self, environment.value)
        return found


@cache
def load_usages() -> Usages:
    """The usages that this release carries."""
    return Usages.model_validate(read_toml("usage.toml"))
