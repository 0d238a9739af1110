"""All SQL of the cost model: what is sold, and on what it runs."""

from __future__ import annotations

from typing import Any

import psycopg

from invokeai_saas.costs.margins import Offers

# One value, so that both drivers read it alike. Decimals travel as texts: JSON has no decimals.
OFFERS = """
    SELECT jsonb_build_object(
        'tiers', (SELECT coalesce(jsonb_agg(jsonb_build_object(
            'tier', tier, 'gpu', gpu, 'instance_type', instance_type, 'gpus_per_instance', gpus_per_instance,
            'usd_per_hour', usd_per_hour::text, 'credits_per_second', credits_per_second::text)
            ORDER BY usd_per_hour), '[]') FROM gpu_tiers),
        'plans', (SELECT coalesce(jsonb_agg(jsonb_build_object(
            'slug', slug, 'name', name, 'plan_type', plan_type, 'monthly_price', monthly_price::text,
            'annual_price', annual_price::text, 'monthly_credits', monthly_credits, 'gpu_tier', gpu_tier)
            ORDER BY monthly_price, slug), '[]') FROM subscription_plans WHERE is_active OR customer_id IS NOT NULL),
        'packs', (SELECT coalesce(jsonb_agg(jsonb_build_object(
            'slug', slug, 'name', name, 'credits', credits, 'price', price::text) ORDER BY credits), '[]')
            FROM credit_packs WHERE is_active)
    )"""


def read_offers(url: str) -> Offers:
    """Parameters: url: libpq URL of a role that may read the rows: the API's, or the owner's."""
    with psycopg.connect(url) as connection:
        row: tuple[Any, ...] | None = connection.execute(OFFERS.encode()).fetchone()
    assert row is not None
    return Offers.model_validate(row[0])
