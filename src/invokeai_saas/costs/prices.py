"""List prices, read from `prices.toml`: one file, of one day and one region. US dollars, before tax."""

from __future__ import annotations

import tomllib
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict


class Priced(BaseModel):
    """What every group of prices has. A misspelt price is an error, not a default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = ""


class InstanceHour(Priced):
    """An hour of an instance; `now` where the list has left the requirement's figure."""

    hour: Decimal
    reserved_hour: Decimal  # one year, nothing up front
    now: Decimal | None = None


class Spot(Priced):
    share: Decimal  # of the on-demand price


class Fargate(Priced):
    vcpu_hour: Decimal
    gb_hour: Decimal
    savings_plan_share: Decimal  # that is taken off


class Aurora(Priced):
    acu_hour: Decimal
    storage_gb_month: Decimal
    million_requests: Decimal
    savings_plan_share: Decimal


class Cache(Priced):
    node_hour: dict[str, Decimal]


class S3(Priced):
    gb_month: Decimal
    infrequent_gb_month: Decimal
    thousand_puts: Decimal
    thousand_gets: Decimal


class CloudFront(Priced):
    gb_out: Decimal
    gb_to_origin: Decimal
    ten_thousand_requests: Decimal
    free_gb: Decimal


class Storage(Priced):
    gb_month: Decimal


class Sqs(Priced):
    million_requests: Decimal


class Cognito(Priced):
    free_people: Decimal
    person: Decimal


class Route53(Priced):
    zone: Decimal
    million_queries: Decimal


class CloudWatch(Priced):
    metric: Decimal
    alarm: Decimal
    dashboard: Decimal
    log_gb: Decimal


class Waf(Priced):
    acl: Decimal
    rule: Decimal
    million_requests: Decimal


class Secrets(Priced):
    secret: Decimal


class Kms(Priced):
    key: Decimal


class Nat(Priced):
    hour: Decimal
    gb: Decimal


class Address(Priced):
    hour: Decimal


class Alb(Priced):
    hour: Decimal
    lcu_hour: Decimal


class Transfer(Priced):
    gb_across_zones: Decimal
    gb_to_internet: Decimal


class Ses(Priced):
    thousand_mails: Decimal


class Stripe(Priced):
    """Shares of an amount, and dollars a charge."""

    card_share: Decimal
    card_fixed: Decimal
    billing_share: Decimal  # on subscriptions


class Prices(BaseModel):
    """All of them. Names end in what is paid for: an hour, a GB for a month, a million requests."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    region: str
    day: date
    hours_per_month: Decimal
    instances: dict[str, InstanceHour]
    elsewhere: dict[str, dict[str, InstanceHour]]  # by region and instance type
    spot: Spot
    fargate: Fargate
    aurora: Aurora
    cache: Cache
    s3: S3
    cloudfront: CloudFront
    efs: Storage
    ebs: Storage
    ecr: Storage
    sqs: Sqs
    cognito: Cognito
    route53: Route53
    cloudwatch: CloudWatch
    waf: Waf
    secrets: Secrets
    kms: Kms
    nat: Nat
    address: Address
    alb: Alb
    transfer: Transfer
    ses: Ses
    stripe: Stripe

    @property
    def days_per_month(self) -> Decimal:
        """30.4: what goes with the hours."""
        return self.hours_per_month / 24


def read_toml(name: str) -> dict[str, object]:
    """A file of this package, its numbers as decimals."""
    text = files("invokeai_saas.costs").joinpath(name).read_text(encoding="utf-8")
    return tomllib.loads(text, parse_float=Decimal)


@cache
def load_prices() -> Prices:
    """The prices that this release carries."""
    return Prices.model_validate(read_toml("prices.toml"))
