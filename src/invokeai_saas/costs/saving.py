"""What commitments and thrift save in a month. Pure functions; dollars."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from invokeai_saas.costs.model import estimate
from invokeai_saas.costs.prices import InstanceHour, Prices
from invokeai_saas.costs.usage import Environment, Usages


@dataclass(frozen=True)
class Commitment:
    """An instance bought for a year instead of by the hour."""

    instance: str
    region: str
    hour_usd: Decimal
    reserved_hour_usd: Decimal
    kept_hours: int | None = None  # a day, that the group's minimum runs; None: no minimum
    instances: int = 0  # of that minimum
    days_per_month: Decimal = Decimal(365) / 12

    @property
    def break_even_hours(self) -> Decimal:
        """Hours a day from which on it pays."""
        return 24 * self.reserved_hour_usd / self.hour_usd

    @property
    def month_usd(self) -> Decimal | None:
        """Saved for the minimum; below nought where reserving it costs more. None without a minimum."""
        if self.kept_hours is None:
            return None
        by_the_hour = self.kept_hours * self.hour_usd
        return self.instances * self.days_per_month * (by_the_hour - 24 * self.reserved_hour_usd)


@dataclass(frozen=True)
class Saving:
    """`counted`: the estimate has it already, so it is what would be lost without it."""

    name: str
    how: str
    month_usd: Decimal
    counted: bool = False


def commitments(usages: Usages, prices: Prices) -> list[Commitment]:
    """Each group's instance in the file's region, then where else prices are known."""
    found = []
    groups = usages.production.gpus
    listed: list[tuple[str, dict[str, InstanceHour]]] = [(prices.region, prices.instances)]
    for region, instances in [*listed, *prices.elsewhere.items()]:
        for group in groups:
            price = instances[group.instance]
            kept = 24 - group.hours_off if group.minimum else None
            found.append(
                Commitment(
                    group.instance,
                    region,
                    price.now or price.hour,
                    price.reserved_hour,
                    kept,
                    group.minimum,
                    prices.days_per_month,
                )
            )
    return found


def savings(usages: Usages, prices: Prices, daily_users: int | None = None) -> list[Saving]:
    """Of production. They do not all add up: an instance is either reserved or bought on the spot market."""
    return [
        *_of_gpus(usages, prices, daily_users),
        *_of_services(usages, prices, daily_users),
    ]


def _of_gpus(usages: Usages, prices: Prices, daily_users: int | None) -> Iterator[Saving]:
    month = estimate(usages, prices, Environment.production, daily_users)
    gpus = sum(line.usd for line in month.lines if line.key.startswith("gpu_") and not line.optional)
    yield Saving("Spot", "all GPU hours but the fallback's", gpus * (1 - prices.spot.share))
    for group in usages.production.gpus:
        if not group.minimum:
            continue
        hours = group.minimum * group.hours_off * prices.days_per_month
        yield Saving(
            f"Scale-down at dawn, {group.tier}",
            f"{group.minimum} x {group.instance} off for {group.hours_off} h a day",
            hours * prices.instances[group.instance].hour, counted=True,
        )  # fmt: skip


def _of_services(usages: Usages, prices: Prices, daily_users: int | None) -> Iterator[Saving]:
    month = estimate(usages, prices, Environment.production, daily_users)
    inputs = usages.savings
    acus = usages.production.amounts["aurora_acus"].at(month.daily_users)
    quiet = inputs.quiet_hours * prices.days_per_month * prices.aurora.acu_hour
    yield Saving(
        "ACU floor of 0.5", f"{inputs.idle_acus} ACU in {inputs.quiet_hours} quiet hours a day, not the average",
        (acus - inputs.idle_acus) * quiet, counted=True,
    )  # fmt: skip
    yield Saving(
        "Database Savings Plan, a year", "all capacity units",
        month.line("aurora").usd * prices.aurora.savings_plan_share
    )  # fmt: skip
    yield Saving(
        "Compute Savings Plan, a year",
        "Fargate",
        month.line("fargate").usd * prices.fargate.savings_plan_share,
    )
    stored = usages.production.amounts["s3_gb"].at(month.daily_users)
    yield Saving(
        "S3 lifecycle", f"{inputs.unread_share:.0%} of the files to Infrequent Access after 30 days",
        stored * inputs.unread_share * (prices.s3.gb_month - prices.s3.infrequent_gb_month),
    )  # fmt: skip
    out = usages.production.amounts["cloudfront_gb"].at(month.daily_users)
    yield Saving(
        "CloudFront's free terabyte", "AWS gives it to every account; the estimate, like the guide, pays for it",
        min(out, prices.cloudfront.free_gb) * prices.cloudfront.gb_out,
    )  # fmt: skip
