"""What an operator looks up about payments, and has done again."""

from __future__ import annotations

import psycopg

from invokeai_saas.audit.operating import note


def recent_events(url: str, limit: int) -> list[tuple[str, ...]]:
    """(received, id, type, status, tries, error) of the newest events.

    Parameters:
        url: libpq URL of the owner role.
    """
    query = """
        SELECT to_char(received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), id, type, status, attempts::text,
            coalesce(error, '')
        FROM stripe_events ORDER BY received_at DESC LIMIT %s
    """
    with psycopg.connect(url, connect_timeout=5) as connection:
        return connection.execute(query, [limit]).fetchall()


def replay(url: str, event: str) -> bool:
    """Has an event applied again; False when there is none.

    Parameters:
        url: libpq URL of the owner role.
        event: Stripe's id of it.
    """
    with psycopg.connect(url, connect_timeout=5) as connection:
        row = connection.execute("SELECT stripe_event_replay(%s)", [event]).fetchone()
        if row is None or not row[0]:
            return False
        note(connection, "payment_event.replay", "event", event)
        return True
