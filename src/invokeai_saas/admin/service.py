"""What staff look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from invokeai_saas.admin import repository
from invokeai_saas.audit import service as audit
from invokeai_saas.db.session import StaffDb
from invokeai_saas.errors import NotFound

PAGE = repository.PAGE
# What a form leads back with, in words.
DONE = {
    "credits": "The credits were given.",
    "tester": "The tester plan was granted, and a mail says so.",
    "revoked": "The grant was revoked. What was unspent of its credits was taken back.",
    "plan": "The plan was set.",
    "ended": "The plan was ended.",
    "blocked": "The account is blocked, and its sessions have ended.",
    "unblocked": "The account is open again.",
    "saved": "Saved. It holds from now on.",
    "cancelled": "The job is cancelled, or stops at its next step.",
    "replayed": "The event will be applied again within seconds.",
}


def page_of(rows: Sequence[RowMapping], key: str) -> tuple[Sequence[RowMapping], Any]:
    """A page of rows that were asked for with one more, and where the next one begins: None when there is none."""
    more = len(rows) > repository.PAGE
    rows = rows[: repository.PAGE]
    return rows, rows[-1][key] if more else None


async def people(db: StaffDb, part: str, before: UUID | None) -> Sequence[RowMapping]:
    """Accounts whose address contains a part, the newest first."""
    return await repository.people(db, part, before)


async def person(db: StaffDb, user_id: UUID) -> dict[str, Any]:
    """Everything that is shown of a person, by the names of the page's template.

    Raises:
        NotFound: there is no such person.
    """
    found = await repository.person(db, user_id)
    if found is None:
        raise NotFound("This person")
    testing = await repository.tester_grants(db, user_id)
    return {
        "person": found,
        "subscriptions": await repository.subscriptions(db, user_id),
        "agreed": await repository.agreed_plan(db, user_id),
        "tiers": await repository.tiers(db),
        "grants": await repository.grants(db, user_id),
        "movements": await repository.movements(db, user_id),
        "tester_grants": testing,
        "testing": next((grant for grant in testing if grant["ended_at"] is None), None),
        "payments": await repository.payments_of(db, user_id),
        "jobs": await repository.jobs_of(db, user_id),
        "sessions": await repository.sessions(db, user_id),
        "log": await audit.about(db, user_id),
    }


async def plans(db: StaffDb) -> dict[str, Any]:
    """Plans and packs, by the names of the page's template."""
    return {
        "plans": await repository.plans(db),
        "agreed": await repository.agreed_plans(db),
        "packs": await repository.packs(db),
        "tiers": await repository.tiers(db),
    }


async def jobs(db: StaffDb, state: str) -> dict[str, Any]:
    """Jobs of everybody in one state, and what waits by tier."""
    return {"jobs": await repository.jobs(db, state), "backlog": await repository.backlog(db)}


async def workers(db: StaffDb) -> Sequence[RowMapping]:
    """Workers with their last sign of life."""
    return await repository.workers(db)


async def payments(db: StaffDb, status: str | None, before: UUID | None) -> Sequence[RowMapping]:
    """Payments, the newest first."""
    return await repository.payments(db, status, before)


async def events(db: StaffDb, status: str | None, before: str | None) -> Sequence[RowMapping]:
    """What Stripe told us, the newest first."""
    return await repository.events(db, status, before)
