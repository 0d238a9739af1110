"""The file of prices: complete, dated, and at one with the rows of the tiers."""

from __future__ import annotations

import psycopg
import pytest
from pydantic import ValidationError

from invokeai_saas.costs.prices import Prices, load_prices, read_toml
from tests.servers import TestDatabase

PRICES = load_prices()


def test_every_group_names_its_page() -> None:
    groups = [
        group
        for name, group in read_toml("prices.toml").items()
        if isinstance(group, dict) and name not in ("instances", "elsewhere")
    ]
    sources = [str(group["source"]) for group in groups] + [one.source for one in PRICES.instances.values()]
    assert len(sources) > 20
    assert all(source.startswith("https://") for source in sources)


def test_the_prices_are_of_a_region_and_a_day() -> None:
    assert (PRICES.region, PRICES.day.isoformat()) == ("us-east-1", "2026-08-26")
    assert set(PRICES.elsewhere["ap-northeast-2"]) == set(PRICES.instances)


def test_a_misspelt_price_is_refused() -> None:
    given = read_toml("prices.toml")
    given["nat"] = {"hour": 1, "gigabyte": 1}
    with pytest.raises(ValidationError, match="gigabyte"):
        Prices.model_validate(given)


def test_instances_cost_what_the_tiers_rows_say(database: TestDatabase) -> None:
    with psycopg.connect(database.owner) as connection:
        rows = connection.execute("SELECT instance_type, usd_per_hour FROM gpu_tiers").fetchall()
    assert {instance: price.hour for instance, price in PRICES.instances.items()} == dict(rows)
