"""What the commands print: each answer as text and as JSON-ready values."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from invokeai_saas.costs.margins import Gift, Margin, Offers
from invokeai_saas.costs.model import Estimate, Line
from invokeai_saas.costs.prices import Prices
from invokeai_saas.costs.saving import Commitment, Saving
from invokeai_saas.costs.text import percent, table, usd


def header(prices: Prices) -> str:
    """Which prices these are."""
    return f"List prices of {prices.region} on {prices.day}, US dollars before tax."


def _row(line: Line) -> list[str]:
    note = line.note
    if line.optional:
        note = "; ".join(filter(None, (note, "not in the total")))
    elif line.forgotten:
        note = "; ".join(filter(None, (note, "not in the guide")))
    return [
        line.service,
        line.quantity,
        usd(line.usd),
        usd(line.guide_usd, 0),
        percent(line.difference),
        note,
    ]


def estimate_text(found: Estimate) -> str:
    """A month, line by line, then its totals."""
    guided = [line.guide_usd for line in found.lines if line.guide_usd is not None]
    rows = [_row(line) for line in found.lines]
    lines = found.total(forgotten=False)
    rows.append(["Lines of the guide", "", usd(lines), "", "", ""])
    if len(guided) > 1:
        known = sum(guided, Decimal(0))
        rows[-1][3:5] = [usd(known, 0), percent(lines / known - 1)]
    rows.append(["What it forgot", "", usd(found.total(forgotten=True)), "", "", ""])
    rows.append(["Total", "", usd(found.total()), "", "", ""])
    title = f"{found.environment} at {found.daily_users:,} daily users, a month\n\n"
    return title + table(("service", "what", "USD", "guide", "differs", "note"), rows, (2, 3, 4))


def estimate_json(found: Estimate) -> dict[str, Any]:
    """The same; amounts as texts."""
    lines = [
        {
            "key": line.key, "service": line.service, "quantity": line.quantity, "usd": usd_text(line.usd),
            "guide_usd": None if line.guide_usd is None else str(line.guide_usd), "note": line.note,
            "forgotten": line.forgotten, "optional": line.optional,
        }
        for line in found.lines
    ]  # fmt: skip
    return {
        "environment": found.environment, "daily_users": found.daily_users, "lines": lines,
        "guide_lines_usd": usd_text(found.total(forgotten=False)),
        "forgotten_usd": usd_text(found.total(forgotten=True)), "total_usd": usd_text(found.total()),
    }  # fmt: skip


def usd_text(amount: Decimal) -> str:
    """Dollars to a hundredth of a cent, as a text: JSON has no decimals."""
    return f"{amount:.4f}"


def forecast_text(found: Sequence[Estimate]) -> str:
    """Sizes side by side."""
    keys = list(dict.fromkeys(line.key for one in found for line in one.lines if not line.optional))
    named = {line.key: line for one in found for line in one.lines}
    rows = []
    for key in keys:
        cells = [next((line.usd for line in one.lines if line.key == key), Decimal(0)) for one in found]
        rows.append([named[key].service, *map(usd, cells)])
    rows.append(["Total", *(usd(one.total()) for one in found)])
    rows.append(["A daily user", *(usd(one.total() / one.daily_users) for one in found)])
    headers = ("daily users", *(f"{one.daily_users:,}" for one in found))
    text = table(headers, rows, range(1, len(headers)))
    notes = [
        f"{one.daily_users:,} daily users, {line.service}: {line.note}."
        for one in found
        for line in one.lines
        if line.note and line.guide_usd is None
    ]
    return "\n\n".join([text, *(["\n".join(notes)] if notes else [])])


def tiers_text(offers: Offers, utilisation: Decimal) -> str:
    """What a second costs on each tier, and from which utilisation on a credit pays for it."""
    credit = offers.list_credit_usd()
    rows = []
    for tier in offers.tiers:
        alone = tier.gpus_per_instance > 1
        rows.append([
            tier.tier, f"{tier.gpus_per_instance} x {tier.gpu}, {tier.instance_type}", usd(tier.usd_per_hour, 3),
            usd(tier.second_usd(), 6), usd(tier.second_usd(utilisation), 6), f"{tier.credits_per_second.normalize():f}",
            "" if credit is None else percent(tier.break_even(credit), 1),
            percent(tier.break_even_alone(credit), 1) if alone and credit is not None else "",
        ])  # fmt: skip
    headers = (
        "tier", "GPUs", "USD an hour", "USD a GPU second", f"at {percent(utilisation)} use", "credits a second",
        "break-even use", "one GPU of the instance working",
    )  # fmt: skip
    return table(headers, rows, range(2, len(headers)))


def margins_text(found: Sequence[Margin]) -> str:
    """Every way to buy, on every tier."""
    rows = [
        [
            one.sale.slug, one.sale.how, one.tier.tier, usd(one.sale.gross_usd, 6), usd(one.sale.net_usd, 6),
            usd(one.cost_usd, 6), percent(one.margin, 1), percent(one.break_even, 1),
        ]
        for one in found
    ]  # fmt: skip
    headers = (
        "plan or pack", "sold by", "tier", "a credit is paid", "after Stripe", "GPU of a credit", "margin",
        "break-even use",
    )  # fmt: skip
    return table(headers, rows, range(3, len(headers)))


def gifts_text(found: Sequence[Gift]) -> str:
    """What is given away."""
    rows = [[one.plan.slug, one.tier.tier, f"{one.plan.monthly_credits:,}", usd(one.usd)] for one in found]
    return table(("given", "tier", "credits", "USD when all are spent"), rows, (2, 3))


def margins_json(
    offers: Offers, found: Sequence[Margin], given: Sequence[Gift], utilisation: Decimal
) -> dict[str, Any]:
    credit = offers.list_credit_usd()
    return {
        "utilisation": str(utilisation),
        "tiers": [
            {
                "tier": tier.tier, "second_usd": f"{tier.second_usd():.9f}",
                "break_even": None if credit is None else f"{tier.break_even(credit):.4f}",
                "break_even_alone": None if credit is None else f"{tier.break_even_alone(credit):.4f}",
            }
            for tier in offers.tiers
        ],
        "sales": [
            {
                "slug": one.sale.slug, "how": one.sale.how, "tier": one.tier.tier,
                "gross_usd": f"{one.sale.gross_usd:.6f}", "net_usd": f"{one.sale.net_usd:.6f}",
                "cost_usd": f"{one.cost_usd:.6f}", "margin": f"{one.margin:.4f}", "break_even": f"{one.break_even:.4f}",
            }
            for one in found
        ],
        "given": [{"slug": one.plan.slug, "tier": one.tier.tier, "usd": usd_text(one.usd)} for one in given],
    }  # fmt: skip


def commitments_text(found: Sequence[Commitment]) -> str:
    """From how many hours a day on a year's reservation pays, and what it brings for what is always kept."""
    rows = [
        [
            one.instance, one.region, usd(one.hour_usd, 3), usd(one.reserved_hour_usd, 3),
            f"{one.break_even_hours:.1f}", "" if one.kept_hours is None else f"{one.instances} x {one.kept_hours}",
            usd(one.month_usd),
        ]
        for one in found
    ]  # fmt: skip
    headers = (
        "instance", "region", "on demand", "reserved", "pays from h a day", "kept h a day", "saves a month",
    )  # fmt: skip
    return table(headers, rows, range(2, len(headers)))


def savings_text(found: Sequence[Saving]) -> str:
    rows = [[one.name, one.how, usd(one.month_usd), "yes" if one.counted else "no"] for one in found]
    return table(("saving", "how", "USD a month", "in the estimate"), rows, (2,))
