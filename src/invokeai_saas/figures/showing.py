"""How figures are written and drawn."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from invokeai_saas.costs.margins import Margin
from invokeai_saas.figures.charts import Chart, bars
from invokeai_saas.figures.measuring import Measured
from invokeai_saas.figures.service import Dashboard, MarginReport


def dollars(amount: Decimal | int | None, places: int = 2) -> str:
    """Dollars; a dash where there are none to tell."""
    if amount is None:
        return "–"
    sign = "−" if amount < 0 and round(amount, places) != 0 else ""
    return f"{sign}${abs(amount):,.{places}f}"


def percent(share: Decimal | None, places: int = 1) -> str:
    """A share as per cent; a dash where there is none."""
    if share is None:
        return "–"
    return f"{share * 100:,.{places}f}%".replace("-", "−")


def hours(seconds: Decimal) -> str:
    """Seconds as hours."""
    return f"{seconds / 3600:,.1f} h"


def charts(found: Dashboard) -> dict[str, Chart]:
    """The dashboard's, by name."""
    return {
        "months": bars(
            "Payments less refunds, by month",
            [(f"{row.period:%b %Y}", row.net) for row in found.months],
            dollars,
        ),
        "days": bars(
            "Payments less refunds, by day", [(f"{row.period:%d %b}", row.net) for row in found.days], dollars
        ),
        "people": bars(
            "People whose jobs ran, by day", [(f"{row.day:%d %b}", row.people) for row in found.activity]
        ),
        "pictures": bars(
            "Pictures, by hour (UTC)", [(f"{row.hour:%d %b %H:00}", row.pictures) for row in found.hours]
        ),
        "credits": bars(
            "Credits used, by day", [(f"{row.day:%d %b}", row.credits) for row in found.activity]
        ),
        "churn": bars(
            "Subscriptions that ended, of those alive when the month began",
            [(f"{row.month:%b %Y}", row.share or Decimal(0)) for row in found.churn],
            lambda share: percent(Decimal(share)),
        ),
    }


@dataclass(frozen=True)
class SaleRow:
    """A sale as the model has it, with what was measured of its origin on its tier, if anything was used there."""

    modelled: Margin
    measured: Measured | None


def sales(found: MarginReport) -> list[SaleRow]:
    """Every way to buy beside what it came to. Months and years of a plan, and all packs, are measured together."""
    known = {(row.origin, row.tier): row for row in found.measured}
    return [
        SaleRow(one, known.get(("pack" if one.sale.how == "pack" else one.sale.slug, one.tier.tier)))
        for one in found.modelled
    ]
