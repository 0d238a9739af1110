"""What staff look at: SQL with the staff role, which sees these rows while its session is alive and changes none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, text

from invokeai_saas.db.session import StaffDb

PAGE = 50  # rows

_LIVE = "s.status IN ('trialing', 'active', 'past_due') AND s.current_period_end > now()"
_FREE = "total_credits - used_credits - reserved_credits - expired_credits"


async def _rows(db: StaffDb, query: str, **values: Any) -> Sequence[RowMapping]:
    return (await db.execute(text(query), values)).mappings().all()


async def _row(db: StaffDb, query: str, **values: Any) -> RowMapping | None:
    return (await db.execute(text(query), values)).mappings().one_or_none()


async def people(db: StaffDb, part: str, before: UUID | None) -> Sequence[RowMapping]:
    """The newest accounts, a page and one more. Parameters: part: of their address; before: the last one seen."""
    return await _rows(
        db,
        f"""
        SELECT u.id, u.email, u.name, u.role, u.is_active, u.created_at, u.last_login_at, s.status,
            (SELECT p.name FROM subscription_plans p WHERE p.id = s.plan_id) AS plan,
            (SELECT coalesce(sum({_FREE}), 0) FROM credits c
             WHERE c.user_id = u.id AND c.valid_from <= now() AND c.valid_until > now()) AS credits
        FROM users u LEFT JOIN user_subscriptions s ON s.user_id = u.id AND {_LIVE}
        WHERE position(lower(:part) IN u.email) > 0
          AND (CAST(:before AS uuid) IS NULL
            OR (u.created_at, u.id) < (SELECT b.created_at, b.id FROM users b WHERE b.id = :before))
        ORDER BY u.created_at DESC, u.id DESC LIMIT :limit
        """,  # noqa: S608 - parts of our own
        part=part.strip(),
        before=before,
        limit=PAGE + 1,
    )


async def person(db: StaffDb, user_id: UUID) -> RowMapping | None:
    """An account with what its plan allows now, its balance and its files."""
    return await _row(
        db,
        f"""
        SELECT u.id, u.email, u.name, u.role, u.is_active, u.language, u.email_verified_at, u.created_at,
            u.last_login_at, k.customer_id AS stripe_customer, l.delete_after, o.name AS organisation,
            staff_storage(u.id) AS bytes, p.max_storage_gb, p.id IS NOT NULL AS has_plan,
            (SELECT coalesce(sum({_FREE}), 0) FROM credits c
             WHERE c.user_id = u.id AND c.valid_from <= now() AND c.valid_until > now()) AS available,
            (SELECT coalesce(sum(c.reserved_credits), 0) FROM credits c WHERE c.user_id = u.id) AS reserved
        FROM users u LEFT JOIN user_subscriptions s ON s.user_id = u.id AND {_LIVE}
        LEFT JOIN subscription_plans p ON p.id = s.plan_id
        LEFT JOIN stripe_customers k ON k.user_id = u.id
        LEFT JOIN account_lapses l ON l.user_id = u.id
        LEFT JOIN organisation_members m ON m.user_id = u.id LEFT JOIN organisations o ON o.id = m.organisation_id
        WHERE u.id = :user_id
        """,  # noqa: S608
        user_id=user_id,
    )


async def subscriptions(db: StaffDb, user_id: UUID) -> Sequence[RowMapping]:
    """A person's plans, the live one first and then the newest."""
    return await _rows(
        db,
        f"""
        SELECT s.id, p.name, p.slug, s.status, s.current_period_start, s.current_period_end, s.cancel_at_period_end,
            s.billing_interval, s.stripe_subscription_id, n.name AS following, {_LIVE} AS alive,
            p.customer_id IS NOT NULL AS agreed
        FROM user_subscriptions s JOIN subscription_plans p ON p.id = s.plan_id
        LEFT JOIN subscription_plans n ON n.id = s.next_plan_id
        WHERE s.user_id = :user_id ORDER BY alive DESC, s.created_at DESC LIMIT 10
        """,  # noqa: S608
        user_id=user_id,
    )


async def agreed_plan(db: StaffDb, user_id: UUID) -> RowMapping | None:
    """The figures that were agreed on with a person, whether they hold now or not."""
    return await _row(
        db,
        "SELECT gpu_tier, max_queues, max_storage_gb, monthly_credits, monthly_price FROM subscription_plans"
        " WHERE customer_id = :user_id",
        user_id=user_id,
    )


async def grants(db: StaffDb, user_id: UUID) -> Sequence[RowMapping]:
    """Grants of credits, those in use first."""
    return await _rows(
        db,
        f"""
        SELECT source, total_credits, used_credits, reserved_credits, expired_credits, {_FREE} AS free, valid_from,
            valid_until, valid_until > now() AS alive FROM credits WHERE user_id = :user_id
        ORDER BY alive DESC, valid_until DESC LIMIT 30
        """,  # noqa: S608
        user_id=user_id,
    )


async def movements(db: StaffDb, user_id: UUID) -> Sequence[RowMapping]:
    """The newest lines of a person's ledger."""
    return await _rows(
        db,
        "SELECT created_at, transaction_type, description, amount, reference_id FROM credit_transactions"
        " WHERE user_id = :user_id ORDER BY created_at DESC, id LIMIT 30",
        user_id=user_id,
    )


async def tester_grants(db: StaffDb, user_id: UUID) -> Sequence[RowMapping]:
    return await _rows(
        db,
        "SELECT g.id, g.reason, g.credits, g.starts_at, g.ends_at, g.ended_at, g.revoked_at, g.revoke_reason,"
        " b.email AS granted_by, r.email AS revoked_by FROM tester_plan_grants g"
        " LEFT JOIN users b ON b.id = g.granted_by LEFT JOIN users r ON r.id = g.revoked_by"
        " WHERE g.user_id = :user_id ORDER BY g.starts_at DESC LIMIT 20",
        user_id=user_id,
    )


async def sessions(db: StaffDb, user_id: UUID) -> Sequence[RowMapping]:
    """A person's log-ins that have not ended."""
    return await _rows(
        db,
        "SELECT user_agent, created_at, last_used_at, expires_at FROM auth_sessions"
        " WHERE user_id = :user_id AND revoked_at IS NULL AND expires_at > now()"
        " ORDER BY last_used_at DESC LIMIT 30",
        user_id=user_id,
    )


_JOB = """
    SELECT q.item_id, q.user_id, u.email, q.tier, q.status, q.model_name, q.width, q.height, q.steps, q.estimate,
        q.attempts, q.cancel_requested, q.error_type, q.error_message, q.created_at, q.started_at, q.completed_at,
        a.worker_id
    FROM session_queue q JOIN users u ON u.id = q.user_id
    LEFT JOIN job_attempts a ON a.id = q.current_attempt
"""


async def jobs_of(db: StaffDb, user_id: UUID) -> Sequence[RowMapping]:
    """A person's newest jobs."""
    return await _rows(
        db, f"{_JOB} WHERE q.user_id = :user_id ORDER BY q.position DESC LIMIT 20", user_id=user_id
    )


async def jobs(db: StaffDb, state: str) -> Sequence[RowMapping]:
    """Jobs of everybody: the newest that failed or completed, those that run, or the oldest that wait.

    Each goes by an index; completed ones by that of what was charged for them.
    """
    which = {
        "failed": "WHERE q.status = 'failed' ORDER BY q.completed_at DESC LIMIT 100",
        "completed": "WHERE q.item_id IN (SELECT CASE WHEN r.job_id ~ '^[0-9]{1,18}$' THEN r.job_id::bigint END"
        " FROM usage_records r WHERE r.outcome = 'completed' ORDER BY r.created_at DESC LIMIT 100)"
        " ORDER BY q.completed_at DESC",
        "running": "WHERE a.outcome IS NULL AND a.id IS NOT NULL AND q.status = 'in_progress'"
        " ORDER BY a.started_at LIMIT 500",
        "waiting": "WHERE q.status = 'pending' ORDER BY q.created_at LIMIT 100",
    }
    return await _rows(db, f"{_JOB} {which[state]}")


async def backlog(db: StaffDb) -> Sequence[RowMapping]:
    """What waits and runs, by tier."""
    return await _rows(
        db,
        "SELECT t.tier, t.gpu, coalesce(sum(l.pending), 0) AS pending, coalesce(sum(l.running), 0) AS running,"
        " count(*) FILTER (WHERE l.pending > 0) AS people"
        " FROM gpu_tiers t LEFT JOIN queue_lanes l ON l.tier = t.tier AND (l.pending > 0 OR l.running > 0)"
        " GROUP BY t.tier, t.gpu ORDER BY t.tier",
    )


async def workers(db: StaffDb) -> Sequence[RowMapping]:
    return await _rows(
        db,
        "SELECT w.id, w.tiers, w.engine, w.loaded_models, w.started_at, w.seen_at,"
        " extract(epoch FROM now() - w.seen_at)::integer AS silent, a.item_id"
        " FROM gpu_workers w LEFT JOIN job_attempts a ON a.worker_id = w.id AND a.outcome IS NULL"
        " ORDER BY w.seen_at DESC LIMIT 500",
    )


_PAYMENT = """
    SELECT y.id, y.user_id, u.email, y.kind, y.amount, y.refunded, y.currency, y.status, y.description,
        y.stripe_payment_intent_id, y.stripe_invoice_id, y.created_at
    FROM payments y JOIN users u ON u.id = y.user_id
"""


async def payments_of(db: StaffDb, user_id: UUID) -> Sequence[RowMapping]:
    return await _rows(
        db, f"{_PAYMENT} WHERE y.user_id = :user_id ORDER BY y.created_at DESC LIMIT 20", user_id=user_id
    )


async def payments(db: StaffDb, status: str | None, before: UUID | None) -> Sequence[RowMapping]:
    """The newest payments, a page and one more."""
    return await _rows(
        db,
        f"""
        {_PAYMENT} WHERE (CAST(:status AS text) IS NULL OR y.status = :status) AND (CAST(:before AS uuid) IS NULL
            OR (y.created_at, y.id) < (SELECT b.created_at, b.id FROM payments b WHERE b.id = :before))
        ORDER BY y.created_at DESC, y.id DESC LIMIT :limit
        """,  # noqa: S608
        status=status,
        before=before,
        limit=PAGE + 1,
    )


async def events(db: StaffDb, status: str | None, before: str | None) -> Sequence[RowMapping]:
    """What Stripe told us, the newest first, a page and one more. What stands in it is not shown."""
    return await _rows(
        db,
        """
        SELECT id, type, status, attempts, due_at, error, received_at, applied_at FROM stripe_events
        WHERE (CAST(:status AS text) IS NULL OR status = :status) AND (CAST(:before AS text) IS NULL
            OR (received_at, id) < (SELECT b.received_at, b.id FROM stripe_events b WHERE b.id = :before))
        ORDER BY received_at DESC, id DESC LIMIT :limit
        """,
        status=status,
        before=before,
        limit=PAGE + 1,
    )


async def plans(db: StaffDb) -> Sequence[RowMapping]:
    """Plans for everybody, with how many people are on each."""
    return await _rows(
        db,
        f"""
        SELECT p.*, (SELECT count(*) FROM user_subscriptions s WHERE s.plan_id = p.id AND {_LIVE}) AS people
        FROM subscription_plans p WHERE p.customer_id IS NULL
        ORDER BY p.plan_type DESC, p.monthly_price NULLS LAST, p.slug
        """,  # noqa: S608
    )


async def agreed_plans(db: StaffDb) -> Sequence[RowMapping]:
    """Plans that were agreed on with one customer each, and are alive."""
    return await _rows(
        db,
        f"""
        SELECT p.*, u.email, s.current_period_end FROM subscription_plans p JOIN users u ON u.id = p.customer_id
        JOIN user_subscriptions s ON s.plan_id = p.id AND s.user_id = u.id AND {_LIVE} ORDER BY u.email
        """,  # noqa: S608
    )


async def packs(db: StaffDb) -> Sequence[RowMapping]:
    return await _rows(db, "SELECT * FROM credit_packs ORDER BY credits, slug")


async def tiers(db: StaffDb) -> Sequence[RowMapping]:
    return await _rows(db, "SELECT tier, gpu FROM gpu_tiers ORDER BY tier")
