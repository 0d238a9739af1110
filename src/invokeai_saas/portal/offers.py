"""Plans and packs as the pages show them. What a plan has is its row's to say; here are only the words for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from invokeai_saas.billing.schemas import PlanDTO
from invokeai_saas.billing.selling.schemas import Interval, PackDTO
from invokeai_saas.languages import Language
from invokeai_saas.portal.texts import TEXTS

# Columns of a plan that are true or false, in the order in which they are shown.
_FEATURES = ("node_editor_access", "api_access", "collaboration", "third_party_api_access", "lora_training")
# What plans promise and this release does not serve yet: it is said so.
_NOT_YET = frozenset({"third_party_api_access", "lora_training"})
_DOLLAR: Mapping[Language, str] = {"en": "$", "ko": "US$"}


@dataclass(frozen=True)
class Feature:
    """A line of a plan. Parameters: note: an addition to it, or nothing."""

    text: str
    included: bool
    note: str = ""


@dataclass(frozen=True)
class PlanOffer:
    """A plan with its prices in words.

    Parameters:
        kind: trial, sold, or talk: a price to agree on.
        saves: what a year costs less than twelve months; nothing where it does not.
    """

    slug: str
    name: str
    kind: str
    month: str
    year: str | None
    saves: str | None
    features: Sequence[Feature]


@dataclass(frozen=True)
class PackOffer:
    """Credits in words, such as "1,000 credits", which is a pack's name in every language."""

    slug: str
    credits: str
    days: str
    price: str


def plan_offers(plans: Sequence[PlanDTO], language: Language) -> list[PlanOffer]:
    """Plans in the order given."""
    return [_plan(plan, language) for plan in plans]


def pack_offers(packs: Sequence[PackDTO], language: Language) -> list[PackOffer]:
    """Packs in the order given."""
    texts = TEXTS[language]
    return [
        PackOffer(
            slug=pack.slug,
            credits=texts["pack_credits"].format(credits=f"{pack.credits:,}"),
            days=texts["pack_days"].format(days=pack.valid_days),
            price=money(pack.price, language),
        )
        for pack in packs
    ]


def chosen(
    plans: Sequence[PlanDTO], slug: str | None, interval: str | None, language: Language
) -> dict[str, str] | None:
    """What somebody on their way to sign up chose: `slug`, `interval`, `name` and `price`; None for nothing we sell."""
    plan = next((plan for plan in plans if plan.slug == slug and plan.plan_type == "paid"), None)
    if plan is None or plan.monthly_price is None:
        return None
    texts = TEXTS[language]
    by: Interval = "year" if interval == "year" and plan.annual_price is not None else "month"
    price = plan.annual_price if by == "year" and plan.annual_price is not None else plan.monthly_price
    said = texts[f"chooser_{by}_price"].format(price=money(price, language))
    return {"slug": plan.slug, "interval": by, "name": plan.name, "price": said}


def money(amount: Decimal, language: Language) -> str:
    """US dollars, without cents where there are none."""
    whole = amount == amount.to_integral_value()
    return f"{_DOLLAR[language]}{amount:,.0f}" if whole else f"{_DOLLAR[language]}{amount:,.2f}"


def _plan(plan: PlanDTO, language: Language) -> PlanOffer:
    texts = TEXTS[language]
    kind = "trial" if plan.plan_type == "trial" else "talk" if plan.monthly_price is None else "sold"
    year = plan.annual_price
    saved = Decimal(0) if year is None else 12 * (plan.monthly_price or 0) - year
    return PlanOffer(
        slug=plan.slug,
        name=plan.name,
        kind=kind,
        month=money(plan.monthly_price or Decimal(0), language),
        year=None if year is None else money(year, language),
        saves=texts["price_saves"].format(amount=money(saved, language)) if saved > 0 else None,
        features=list(_features(plan, texts)),
    )


def _features(plan: PlanDTO, texts: Mapping[str, str]) -> Iterator[Feature]:
    yield Feature(_credits(plan, texts), included=True)
    yield Feature(
        texts.get(f"tier_{plan.gpu_tier}") or plan.gpu_tier.replace("_", " ").capitalize(), included=True
    )
    yield Feature(_lanes(plan.max_queues, texts), included=True)
    size = plan.max_storage_gb
    storage = texts["f_storage_any"] if size is None else texts["f_storage"].format(size=f"{size:,}")
    yield Feature(storage, included=True)
    models = ", ".join(texts.get(f"model_{name}", name) for name in plan.model_access)
    yield Feature(texts["f_models"].format(models=models), included=True)
    for name in _FEATURES:
        included = getattr(plan, name)
        yield Feature(texts[f"f_{name}"], included, texts["not_yet"] if included and name in _NOT_YET else "")


def _credits(plan: PlanDTO, texts: Mapping[str, str]) -> str:
    if plan.monthly_credits is None:
        return texts["f_credits_custom"]
    if plan.plan_type == "trial":
        return texts["f_credits_trial"].format(credits=f"{plan.monthly_credits:,}", days=plan.trial_days)
    return texts["f_credits_month"].format(credits=f"{plan.monthly_credits:,}")


def _lanes(count: int | None, texts: Mapping[str, str]) -> str:
    if count is None:
        return texts["f_lanes_any"]
    return texts["f_lanes_one"] if count == 1 else texts["f_lanes"].format(count=count)
