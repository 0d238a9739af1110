"""The ledger's invariants, checked over everybody after whatever a test did."""

from __future__ import annotations

from typing import Any

import psycopg

from tests.servers import TestDatabase

# Each query finds violations; none may find any.
_INVARIANTS = {
    "balance is the sum of the ledger": """
        SELECT user_id FROM (
            SELECT user_id, sum(total_credits - used_credits - expired_credits) AS balance FROM credits GROUP BY user_id
        ) g FULL JOIN (SELECT user_id, sum(amount) AS ledger FROM credit_transactions GROUP BY user_id) t
        USING (user_id) WHERE balance IS DISTINCT FROM ledger""",
    "no balance below zero": """
        SELECT user_id FROM credit_transactions GROUP BY user_id HAVING sum(amount) < 0""",
    "allocations sum to their movement": """
        SELECT t.id FROM credit_transactions t LEFT JOIN credit_allocations a ON a.transaction_id = t.id
        GROUP BY t.id HAVING sum(a.amount) IS DISTINCT FROM t.amount""",
    "used credits are the settlements' allocations": """
        SELECT c.id FROM credits c LEFT JOIN credit_allocations a ON a.credit_id = c.id AND a.transaction_id IN (
            SELECT id FROM credit_transactions WHERE transaction_type = 'settlement')
        GROUP BY c.id HAVING coalesce(-sum(a.amount), 0) <> c.used_credits""",
    "expired credits are what was written off or taken back": """
        SELECT c.id FROM credits c LEFT JOIN credit_allocations a ON a.credit_id = c.id AND a.transaction_id IN (
            SELECT id FROM credit_transactions WHERE transaction_type IN ('expiry', 'refund'))
        GROUP BY c.id HAVING coalesce(-sum(a.amount), 0) <> c.expired_credits""",
    "a reservation holds what it says": """
        SELECT r.id FROM credit_reservations r LEFT JOIN credit_holds h ON h.reservation_id = r.id
        GROUP BY r.id HAVING coalesce(sum(h.amount), 0) <> r.amount""",
    "a settled reservation has its one settlement, within what it held, and no other has any": """
        SELECT r.item_id, t.id FROM (SELECT * FROM credit_reservations WHERE status = 'settled') r
        FULL JOIN (SELECT * FROM credit_transactions WHERE transaction_type = 'settlement') t
        ON t.user_id = r.user_id AND t.reference_id = r.item_id::text
        WHERE r.id IS NULL OR t.id IS NULL OR -t.amount NOT BETWEEN 1 AND r.amount""",
    "a closed grant holds nothing": """
        SELECT id FROM credits WHERE NOT is_open
        AND (reserved_credits <> 0 OR total_credits <> used_credits + expired_credits)""",
    "reserved credits are the held reservations": """
        SELECT c.id FROM credits c LEFT JOIN credit_holds h ON h.credit_id = c.id AND h.reservation_id IN (
            SELECT id FROM credit_reservations WHERE status = 'held')
        GROUP BY c.id HAVING coalesce(sum(h.amount), 0) <> c.reserved_credits""",
    "a reservation is held exactly while its job lives": """
        SELECT r.item_id FROM credit_reservations r LEFT JOIN session_queue q USING (item_id)
        WHERE (r.status = 'held') <> coalesce(q.status IN ('pending', 'in_progress'), false)""",
    "settlements sum to the usage records": """
        SELECT user_id FROM (
            SELECT user_id, -sum(amount) AS settled FROM credit_transactions
            WHERE transaction_type = 'settlement' GROUP BY user_id
        ) s FULL JOIN (SELECT user_id, sum(credits_consumed) AS used FROM usage_records GROUP BY user_id) u
        USING (user_id) WHERE coalesce(settled, 0) <> coalesce(used, 0)""",
    "lanes count what is there": """
        SELECT l.user_id FROM queue_lanes l LEFT JOIN session_queue q ON q.user_id = l.user_id AND q.tier = l.tier
        GROUP BY l.tier, l.user_id
        HAVING (l.pending, l.running, l.completed, l.failed, l.canceled) IS DISTINCT FROM (
            count(*) FILTER (WHERE q.status = 'pending'), count(*) FILTER (WHERE q.status = 'in_progress'),
            count(*) FILTER (WHERE q.status = 'completed'), count(*) FILTER (WHERE q.status = 'failed'),
            count(*) FILTER (WHERE q.status = 'canceled'))""",
}


_ALL = " UNION ALL ".join(
    f"SELECT $name${name}$name$ AS rule, to_jsonb(v) AS row FROM ({query}) v"
    for name, query in _INVARIANTS.items()
).encode()


def violations(database: TestDatabase) -> dict[str, list[Any]]:
    """The invariants that do not hold, with what breaks them."""
    with psycopg.connect(database.url()) as connection:
        return violations_seen(connection)


def violations_seen(connection: psycopg.Connection[Any]) -> dict[str, list[Any]]:
    """The same over a connection of the superuser's, for who asks again and again."""
    found: dict[str, list[Any]] = {}
    for rule, row in connection.execute(_ALL).fetchall():
        found.setdefault(rule, []).append(row)
    return found
