"""What commands ask of plans and tiers, as the owner's role."""

from __future__ import annotations

import psycopg


def gpu_tiers(url: str) -> list[str]:
    """All tiers that jobs can be in, the cheapest first. Parameters: url: of the owner's role."""
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT tier FROM gpu_tiers ORDER BY usd_per_hour, tier").fetchall()
    return [tier for (tier,) in rows]
