"""All SQL of staff's log-in: functions of the database, with the staff role."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text

from invokeai_saas.db.session import StaffDb


class LoginFacts(NamedTuple):
    """What a person of our staff proves themselves with."""

    user_id: UUID
    password_hash: str
    totp_secret: str


class StaffPerson(NamedTuple):
    """Somebody of our staff who is at work."""

    user_id: UUID
    email: str
    name: str


async def login_facts(db: StaffDb, email: str) -> LoginFacts | None:
    """None for everybody who is not of our staff, or may not log in."""
    row = (await db.execute(text("SELECT * FROM staff_login_facts(:email)"), {"email": email})).one_or_none()
    return LoginFacts(*row) if row else None


async def open_session(
    db: StaffDb, user_id: UUID, step: int, secret_hash: bytes, address: str, agent: str | None
) -> bool:
    """False when a code of this time step, or of a later one, was used before."""
    statement = text("SELECT staff_open_session(:user, :step, :hash, :address, :agent)")
    values = {"user": user_id, "step": step, "hash": secret_hash, "address": address, "agent": agent}
    return bool((await db.execute(statement, values)).scalar_one())


async def session(db: StaffDb, secret_hash: bytes) -> StaffPerson | None:
    """Whose a live session is; asking prolongs it."""
    row = (await db.execute(text("SELECT * FROM staff_session(:hash)"), {"hash": secret_hash})).one_or_none()
    return StaffPerson(*row) if row else None


async def end_session(db: StaffDb, secret_hash: bytes) -> None:
    await db.execute(text("SELECT staff_end_session(:hash)"), {"hash": secret_hash})
