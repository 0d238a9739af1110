"""What staff do: functions of the database, each of which writes its line of the audit log (0021_staff_acts.sql)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CursorResult, text
from sqlalchemy.exc import DBAPIError

from invokeai_saas.db.session import StaffDb
from invokeai_saas.errors import Conflict, InvalidInput, NotFound, ServiceError, Unauthenticated


def _refusal(error: DBAPIError) -> ServiceError | None:
    """A refusal of one of the functions, in its words; None for any other error."""
    cause = getattr(error.orig, "__cause__", None)
    state, said = str(getattr(cause, "sqlstate", "")), str(getattr(cause, "message", ""))
    if state == "SC401":
        return Unauthenticated(said)
    if state == "SC404":
        return NotFound(said.removeprefix("There is no such ").removesuffix(".").capitalize())
    if state == "SC409":
        return Conflict(said)
    if state == "SC422":
        return InvalidInput(("form",), said)
    if state.startswith("23"):
        return InvalidInput(("form",), "These figures do not go together.")
    return None


async def _call(db: StaffDb, statement: str, **values: Any) -> CursorResult[Any]:
    try:
        return await db.execute(text(statement), values)  # type: ignore[return-value]
    except DBAPIError as error:
        known = _refusal(error)
        if known is None:
            raise
        raise known from error


def _json(figures: Mapping[str, Any]) -> str:
    return json.dumps(figures, default=lambda value: str(value) if isinstance(value, Decimal) else value)


async def give_credits(db: StaffDb, user_id: UUID, amount: int, days: int, reason: str, key: UUID) -> None:
    await _call(
        db,
        "SELECT staff_give_credits(:user, :amount, :days, :reason, :key)",
        user=user_id, amount=amount, days=days, reason=reason, key=key,
    )  # fmt: skip


async def grant_tester(db: StaffDb, user_id: UUID, ends: datetime, reason: str, key: UUID) -> None:
    await _call(
        db,
        "SELECT staff_grant_tester(:user, :ends, :reason, :key)",
        user=user_id, ends=ends, reason=reason, key=key,
    )  # fmt: skip


async def revoke_tester(db: StaffDb, user_id: UUID, grant: UUID, reason: str) -> None:
    await _call(
        db, "SELECT staff_revoke_tester(:user, :grant, :reason)", user=user_id, grant=grant, reason=reason
    )


async def set_agreed_plan(
    db: StaffDb, user_id: UUID, figures: Mapping[str, Any], ends: datetime, reason: str
) -> None:
    await _call(
        db,
        "SELECT staff_set_agreed_plan(:user, CAST(:figures AS jsonb), :ends, :reason)",
        user=user_id, figures=_json(figures), ends=ends, reason=reason,
    )  # fmt: skip


async def customer(db: StaffDb, user_id: UUID) -> str | None:
    """Which customer of Stripe's a person is, if they ever began to buy something."""
    found = await _call(db, "SELECT customer_id FROM stripe_customers WHERE user_id = :user", user=user_id)
    name: str | None = found.scalar_one_or_none()
    return name


async def end_agreed_plan(db: StaffDb, user_id: UUID, reason: str) -> None:
    await _call(db, "SELECT staff_end_agreed_plan(:user, :reason)", user=user_id, reason=reason)


async def block(db: StaffDb, user_id: UUID, reason: str) -> list[UUID]:
    """Answers the sessions that ended with it."""
    found = await _call(db, "SELECT staff_block(:user, :reason)", user=user_id, reason=reason)
    return list(found.scalars())


async def unblock(db: StaffDb, user_id: UUID, reason: str) -> None:
    await _call(db, "SELECT staff_unblock(:user, :reason)", user=user_id, reason=reason)


async def edit_plan(db: StaffDb, plan: UUID, figures: Mapping[str, Any], reason: str) -> None:
    await _call(
        db,
        "SELECT staff_edit_plan(:plan, CAST(:figures AS jsonb), :reason)",
        plan=plan, figures=_json(figures), reason=reason,
    )  # fmt: skip


async def edit_pack(db: StaffDb, slug: str, figures: Mapping[str, Any], reason: str) -> None:
    await _call(
        db,
        "SELECT staff_edit_pack(:slug, CAST(:figures AS jsonb), :reason)",
        slug=slug, figures=_json(figures), reason=reason,
    )  # fmt: skip


async def cancel_job(db: StaffDb, item: int, reason: str) -> tuple[UUID, str]:
    """Whose job it was, and what it is now: canceled, or in_progress until its worker has stopped."""
    found = await _call(
        db, "SELECT user_id, status FROM staff_cancel_job(:item, :reason)", item=item, reason=reason
    )
    row = found.one()
    return row.user_id, row.status


async def replay_event(db: StaffDb, event: str, reason: str) -> None:
    await _call(db, "SELECT staff_replay_event(:event, :reason)", event=event, reason=reason)
