"""The monthly estimate: usage times list prices, line by line. Pure functions; dollars are decimals of 28 digits,
rounded where they are shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Decimal

from invokeai_saas.costs.prices import Prices
from invokeai_saas.costs.usage import ZERO, Environment, GpuGroup, Guide, Usage, Usages

TIER_NAMES = {"basic": "GPU basic", "high_performance": "GPU high performance", "dedicated": "GPU dedicated"}


@dataclass(frozen=True)
class Line:
    """A service's cost in a month.

    `guide_usd` is what the deployment guide has for it, where it has anything for this case; `forgotten` says that it
    is in no line of that guide; an `optional` line is not part of any total.
    """

    key: str
    service: str
    quantity: str
    usd: Decimal
    guide_usd: Decimal | None = None
    note: str = ""
    forgotten: bool = False
    optional: bool = False

    @property
    def difference(self) -> Decimal | None:
        """Share by which this is above the guide's figure; None where there is none, or none to divide by."""
        return None if not self.guide_usd else self.usd / self.guide_usd - 1


@dataclass(frozen=True)
class Estimate:
    """A month of an environment."""

    environment: Environment
    daily_users: int
    lines: tuple[Line, ...]

    def total(self, *, forgotten: bool | None = None) -> Decimal:
        """Dollars. Parameters: forgotten: only the lines that the guide has (False) or lacks (True); None for all."""
        return sum(
            (line.usd for line in self.lines if not line.optional and forgotten in (None, line.forgotten)),
            ZERO,
        )

    def line(self, key: str) -> Line:
        return next(line for line in self.lines if line.key == key)


class _Month:
    """Amounts of one environment at one number of users, with the prices at hand."""

    def __init__(self, usage: Usage, prices: Prices, daily_users: int) -> None:
        self.usage = usage
        self.prices = prices
        self.daily_users = daily_users
        self.hours = prices.hours_per_month

    def amount(self, name: str) -> Decimal:
        """Nought where the environment has nothing of it."""
        found = self.usage.amounts.get(name)
        return ZERO if found is None else found.at(self.daily_users)

    @property
    def api_tasks(self) -> Decimal:
        busy = (Decimal(self.daily_users) / self.amount("users_a_task")).to_integral_value(ROUND_CEILING)
        return max(self.amount("api_tasks"), busy)


def _plain(number: Decimal) -> str:
    """Without noughts at the end."""
    return f"{number:,.3f}".rstrip("0").rstrip(".")


def _gpu(month: _Month, group: GpuGroup) -> Iterator[Line]:
    price = month.prices.instances[group.instance].hour
    days = month.prices.days_per_month
    worked, idle = group.worked_hours(month.daily_users), group.idle_hours(month.daily_users)
    name = TIER_NAMES.get(group.tier, f"GPU {group.tier}")
    note = ""
    if group.instances_needed(month.daily_users) > group.maximum:
        needed = _plain(group.instances_needed(month.daily_users).quantize(Decimal("0.1")))
        note = f"needs {needed} instances on average; the group ends at {group.maximum}"
    yield Line(
        f"gpu_{group.tier}",
        name,
        f"{_plain(worked)} h a day of {group.instance}",
        worked * days * price,
        note=note,
    )
    if idle:
        yield Line(
            f"gpu_{group.tier}_idle", f"{name}, kept ready",
            f"{_plain(idle)} h a day more, for a minimum of {group.minimum} outside {group.hours_off} h at dawn",
            idle * days * price, forgotten=True,
        )  # fmt: skip
    if not worked and not group.minimum:
        now = month.prices.instances[group.instance].now
        fallen = f"{now} an hour by now, which would be {month.hours * now:,.0f}" if now else ""
        yield Line(
            f"gpu_{group.tier}_warm", f"{name}, one kept warm", f"24 h a day of {group.instance}",
            month.hours * price, note=fallen, forgotten=True, optional=True,
        )  # fmt: skip


def _compute(month: _Month) -> Iterator[Line]:
    prices, amount = month.prices, month.amount
    vcpus, gb = amount("task_vcpus"), amount("task_gb")
    task_hour = vcpus * prices.fargate.vcpu_hour + gb * prices.fargate.gb_hour
    yield Line(
        "fargate", "Fargate (API)", f"{_plain(month.api_tasks)} x {_plain(vcpus)} vCPU, {_plain(gb)} GB",
        month.api_tasks * task_hour * month.hours,
    )  # fmt: skip
    for group in month.usage.gpus:
        yield from _gpu(month, group)
    running = sum(
        (
            group.worked_hours(month.daily_users) + group.idle_hours(month.daily_users)
            for group in month.usage.gpus
        ),
        ZERO,
    )
    disk_gb = amount("host_disk_gb") * running / 24
    yield Line(
        "ebs", "Disks of GPU hosts", f"{_plain(disk_gb)} GB", disk_gb * prices.ebs.gb_month, forgotten=True
    )
    yield Line(
        "ecr", "Container images", f"{_plain(amount('images_gb'))} GB", amount("images_gb") * prices.ecr.gb_month,
        forgotten=True,
    )  # fmt: skip


def _records(month: _Month) -> Iterator[Line]:
    prices, amount = month.prices, month.amount
    acus = amount("aurora_acus")
    yield Line(
        "aurora", "Aurora Serverless v2", f"{_plain(acus)} ACU on average, all instances together",
        acus * prices.aurora.acu_hour * month.hours,
    )  # fmt: skip
    storage, requests = amount("aurora_storage_gb"), amount("aurora_million_requests")
    yield Line(
        "aurora_storage", "Aurora storage and I/O", f"{_plain(storage)} GB, {_plain(requests)} M requests",
        storage * prices.aurora.storage_gb_month + requests * prices.aurora.million_requests, forgotten=True,
    )  # fmt: skip
    node = month.usage.choices.cache_node
    node_month = prices.cache.node_hour[node] * month.hours
    yield Line(
        "cache",
        "ElastiCache",
        f"{_plain(amount('cache_nodes'))} x {node}",
        amount("cache_nodes") * node_month,
    )
    yield Line(
        "cache_replica", "ElastiCache, replica in the second zone", f"{_plain(amount('cache_replicas'))} x {node}",
        amount("cache_replicas") * node_month, forgotten=True,
    )  # fmt: skip


def _files(month: _Month) -> Iterator[Line]:
    prices, amount = month.prices, month.amount
    yield Line(
        "s3", "S3", f"{_plain(amount('s3_gb'))} GB, {_plain(amount('s3_thousand_puts'))}k puts,"
        f" {_plain(amount('s3_thousand_gets'))}k gets",
        amount("s3_gb") * prices.s3.gb_month + amount("s3_thousand_puts") * prices.s3.thousand_puts
        + amount("s3_thousand_gets") * prices.s3.thousand_gets,
    )  # fmt: skip
    requests = amount("cloudfront_ten_thousand_requests")
    yield Line(
        "cloudfront", "CloudFront", f"{_plain(amount('cloudfront_gb'))} GB out, {_plain(requests / 100)} M requests",
        amount("cloudfront_gb") * prices.cloudfront.gb_out + requests * prices.cloudfront.ten_thousand_requests,
    )  # fmt: skip
    yield Line(
        "efs", "EFS (models)", f"{_plain(amount('efs_gb'))} GB", amount("efs_gb") * prices.efs.gb_month
    )
    yield Line(
        "uploads", "Uploads through CloudFront", f"{_plain(amount('upload_gb'))} GB to the origin",
        amount("upload_gb") * prices.cloudfront.gb_to_origin, forgotten=True,
    )  # fmt: skip


def _services(month: _Month) -> Iterator[Line]:
    prices, amount = month.prices, month.amount
    messages = amount("sqs_million_messages")
    yield Line(
        "sqs", "SQS FIFO", f"{_plain(messages * 1000)}k messages, three requests each",
        messages * 3 * prices.sqs.million_requests,
    )  # fmt: skip
    people = amount("people_a_month")
    yield Line(
        "cognito", "Cognito", f"{_plain(people)} people a month, {_plain(prices.cognito.free_people)} are free",
        max(ZERO, people - prices.cognito.free_people) * prices.cognito.person,
    )  # fmt: skip
    yield Line(
        "route53", "Route 53", f"{_plain(amount('zones'))} zone, {_plain(amount('million_queries'))} M queries",
        amount("zones") * prices.route53.zone + amount("million_queries") * prices.route53.million_queries,
    )  # fmt: skip
    watched = prices.cloudwatch
    yield Line(
        "cloudwatch", "CloudWatch", f"{_plain(amount('metrics'))} metrics, {_plain(amount('alarms'))} alarms,"
        f" {_plain(amount('dashboards'))} dashboards, {_plain(amount('log_gb'))} GB of logs",
        amount("metrics") * watched.metric + amount("alarms") * watched.alarm
        + amount("dashboards") * watched.dashboard + amount("log_gb") * watched.log_gb,
    )  # fmt: skip
    yield Line(
        "waf", "WAF", f"{_plain(amount('waf_rules'))} rules, {_plain(amount('waf_million_requests'))} M requests",
        amount("waf_acls") * prices.waf.acl + amount("waf_rules") * prices.waf.rule
        + amount("waf_million_requests") * prices.waf.million_requests,
    )  # fmt: skip
    yield Line(
        "secrets", "Secrets Manager", f"{_plain(amount('secrets'))} secrets",
        amount("secrets") * prices.secrets.secret,
    )  # fmt: skip


def _forgotten(month: _Month) -> Iterator[Line]:
    """What no line of the guide has, beside what stands with its service above."""
    prices, amount = month.prices, month.amount

    def line(key: str, service: str, quantity: str, usd: Decimal) -> Line:
        return Line(key, service, quantity, usd, forgotten=True)

    yield line(
        "nat", "NAT gateways", f"{_plain(amount('nat_gateways'))}, {_plain(amount('nat_gb'))} GB",
        amount("nat_gateways") * prices.nat.hour * month.hours + amount("nat_gb") * prices.nat.gb,
    )  # fmt: skip
    yield line(
        "alb", "Load balancer", f"{_plain(amount('balancers'))}, {_plain(amount('lcus'))} LCU on average",
        (amount("balancers") * prices.alb.hour + amount("lcus") * prices.alb.lcu_hour) * month.hours,
    )  # fmt: skip
    yield line(
        "addresses", "Public addresses", _plain(amount("addresses")),
        amount("addresses") * prices.address.hour * month.hours,
    )  # fmt: skip
    yield line(
        "transfer", "Data transfer", f"{_plain(amount('across_zones_gb'))} GB across zones,"
        f" {_plain(amount('internet_gb'))} GB to the internet",
        amount("across_zones_gb") * prices.transfer.gb_across_zones
        + amount("internet_gb") * prices.transfer.gb_to_internet,
    )  # fmt: skip
    yield line(
        "more_secrets", "Secrets that the design adds", _plain(amount("more_secrets")),
        amount("more_secrets") * prices.secrets.secret,
    )  # fmt: skip
    yield line("kms", "KMS", f"{_plain(amount('keys'))} keys", amount("keys") * prices.kms.key)
    mails = amount("thousand_mails")
    yield line("ses", "Mail", f"{_plain(mails)}k mails", mails * prices.ses.thousand_mails)


def estimate(
    usages: Usages, prices: Prices, environment: Environment, daily_users: int | None = None
) -> Estimate:
    """A month.

    Parameters:
        daily_users: people who come on a day; the environment's own number where None.
    """
    usage = usages.of(environment)
    users = usage.daily_users if daily_users is None else daily_users
    month = _Month(usage, prices, users)
    found = [
        line
        for part in (_compute, _records, _files, _services, _forgotten)
        for line in part(month)
        if line.usd or line.key in usages.guide.lines
    ]
    lines = tuple(_beside_the_guide(line, usages.guide, environment, users) for line in found)
    return Estimate(environment, users, lines)


def _beside_the_guide(line: Line, guide: Guide, environment: Environment, daily_users: int) -> Line:
    """The same line with what the guide says of this very case: production at its size, Aurora of the others."""
    if environment is Environment.production:
        known = guide.lines if daily_users == guide.daily_users else {}
    else:
        known = {"aurora": guide.aurora[environment]}
    if line.key not in known:
        return line
    note = "; ".join(filter(None, (line.note, guide.notes.get(line.key, ""))))
    return replace(line, guide_usd=known[line.key], note=note)


def forecast(usages: Usages, prices: Prices, daily_users: list[int]) -> list[Estimate]:
    """Production at several sizes."""
    return [estimate(usages, prices, Environment.production, users) for users in daily_users]
