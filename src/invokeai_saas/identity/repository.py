"""All SQL of identity. It runs as the auth role, which sees people and sessions and nothing else of theirs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    ColumnExpressionArgument,
    Uuid,
    any_,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased

from invokeai_saas.db.session import AuthSessionDb
from invokeai_saas.identity.recovery.tables import MailLink
from invokeai_saas.identity.tables import AuthSession, LocalCredential, User


class Credential(NamedTuple):
    """A person with the hash of their password."""

    user: User
    password_hash: str | None


class SessionOf(NamedTuple):
    """A session that is alive, and whose it is."""

    id: UUID
    user_id: UUID
    sub: str
    persistent: bool


def _alive() -> tuple[ColumnExpressionArgument[bool], ...]:
    """Conditions on a session joined with its person."""
    return (
        AuthSession.user_id == User.id,
        AuthSession.revoked_at.is_(None),
        AuthSession.expires_at > func.now(),
        User.is_active,
    )


async def insert_user(db: AuthSessionDb, email: str, name: str, sub: str, language: str) -> UUID | None:
    """Adds a person; None when the address is taken."""
    statement = (
        pg_insert(User)
        .values(email=email, name=name, cognito_sub=sub, language=language)
        .on_conflict_do_nothing(index_elements=["email"])
        .returning(User.id)
    )
    return (await db.execute(statement)).scalar_one_or_none()


async def set_password(db: AuthSessionDb, user_id: UUID, password_hash: str) -> None:
    """Sets a person's password; links to choose another one, which may lie in a mailbox, are good no more."""
    await db.execute(
        delete(MailLink).where(MailLink.user_id == user_id, MailLink.purpose == "reset_password")
    )
    statement = pg_insert(LocalCredential).values(user_id=user_id, password_hash=password_hash)
    await db.execute(
        statement.on_conflict_do_update(
            index_elements=["user_id"], set_={"password_hash": statement.excluded.password_hash}
        )
    )


async def find_by_email(db: AuthSessionDb, email: str) -> Credential | None:
    statement = (
        select(User, LocalCredential.password_hash)
        .outerjoin(LocalCredential, LocalCredential.user_id == User.id)
        .where(User.email == email)
    )
    row = (await db.execute(statement)).one_or_none()
    return Credential(row[0], row[1]) if row else None


async def find_by_sub(db: AuthSessionDb, sub: str) -> User | None:
    """The person whom the identity provider calls `sub`."""
    return (await db.execute(select(User).where(User.cognito_sub == sub))).scalar_one_or_none()


async def get_user(db: AuthSessionDb, user_id: UUID) -> User | None:
    return await db.get(User, user_id)


async def get_password_hash(db: AuthSessionDb, user_id: UUID) -> str | None:
    statement = select(LocalCredential.password_hash).where(LocalCredential.user_id == user_id)
    return (await db.execute(statement)).scalar_one_or_none()


async def set_name(db: AuthSessionDb, user_id: UUID, name: str) -> None:
    await db.execute(update(User).where(User.id == user_id).values(name=name))


async def change_email(db: AuthSessionDb, user_id: UUID, email: str) -> bool:
    """False where somebody else has the address."""
    others = aliased(User)
    free = ~select(others.id).where(others.email == email).exists()
    statement = update(User).where(User.id == user_id, free).values(email=email).returning(User.id)
    try:
        async with db.begin_nested():
            return (await db.execute(statement)).scalar_one_or_none() is not None
    except IntegrityError:  # who signs up with it in this very moment
        return False


async def mark_verified(db: AuthSessionDb, user_id: UUID) -> bool:
    """Whether the address was not confirmed before."""
    statement = (
        update(User)
        .where(User.id == user_id, User.email_verified_at.is_(None))
        .values(email_verified_at=func.now())
        .returning(User.id)
    )
    return (await db.execute(statement)).scalar_one_or_none() is not None


async def start_trial(db: AuthSessionDb, user_id: UUID, address: bytes) -> bool:
    """Subscription, account and credits of the trial, by billing's definer function; whether it has begun.

    Parameters:
        address: hash of what all spellings of the person's address have in common. It has a trial once.
    """
    statement = text("SELECT billing_start_trial(:user_id, :address)")
    return bool((await db.execute(statement, {"user_id": user_id, "address": address})).scalar_one())


async def trial_facts(db: AuthSessionDb, user_id: UUID) -> dict[str, Any]:
    """End and credits of a trial that runs, for a mail; empty where there is none."""
    statement = text("SELECT trial_ends, credits FROM billing_trial(:user_id)")
    row = (await db.execute(statement, {"user_id": user_id})).one_or_none()
    return {"trial_ends": row.trial_ends, "credits": row.credits} if row else {}


async def open_session(
    db: AuthSessionDb,
    user_id: UUID,
    refresh_hash: bytes,
    expires_at: datetime,
    *,
    persistent: bool,
    user_agent: str | None,
) -> UUID:
    await db.execute(update(User).where(User.id == user_id).values(last_login_at=func.now()))
    statement = (
        insert(AuthSession)
        .values(
            user_id=user_id,
            refresh_hash=refresh_hash,
            expires_at=expires_at,
            persistent=persistent,
            user_agent=user_agent,
        )
        .returning(AuthSession.id)
    )
    return (await db.execute(statement)).scalar_one()


async def live_session(db: AuthSessionDb, session_id: UUID, sub: str) -> User | None:
    """The person of a session that is alive, if the identity provider's name fits."""
    statement = select(User).where(AuthSession.id == session_id, User.cognito_sub == sub, *_alive())
    return (await db.execute(statement)).scalar_one_or_none()


async def live_sessions(db: AuthSessionDb, session_ids: Iterable[UUID]) -> set[UUID]:
    """Those of the sessions that are alive."""
    statement = select(AuthSession.id).where(
        AuthSession.id == any_(literal(list(session_ids), ARRAY(Uuid))), *_alive()
    )
    return set(await db.scalars(statement))


async def rotate_session(db: AuthSessionDb, old_hash: bytes, new_hash: bytes) -> SessionOf | None:
    """Swaps a session's refresh secret; None when the old one is not the session's present one."""
    statement = (
        update(AuthSession)
        .where(AuthSession.refresh_hash == old_hash, *_alive())
        .values(
            refresh_hash=new_hash,
            previous_refresh_hash=old_hash,
            rotated_at=func.now(),
            last_used_at=func.now(),
        )
        .returning(AuthSession.id, User.id, User.cognito_sub, AuthSession.persistent)
    )
    row = (await db.execute(statement)).one_or_none()
    return SessionOf(*row) if row else None


async def session_before_swap(
    db: AuthSessionDb, old_hash: bytes, grace: timedelta
) -> tuple[SessionOf, bool] | None:
    """The session whose secret was `old_hash` before the last swap, and whether that was at most `grace` ago."""
    statement = select(
        AuthSession.id,
        User.id,
        User.cognito_sub,
        AuthSession.persistent,
        AuthSession.rotated_at >= func.now() - grace,
    ).where(AuthSession.previous_refresh_hash == old_hash, *_alive())
    row = (await db.execute(statement)).one_or_none()
    return (SessionOf(*row[:4]), bool(row[4])) if row else None


async def revoke_session(db: AuthSessionDb, session_id: UUID) -> list[UUID]:
    """Ends one session; answers it if it was alive."""
    return await _revoke(db, AuthSession.id == session_id)


async def revoke_session_of_secret(db: AuthSessionDb, refresh_hash: bytes) -> list[UUID]:
    """Ends the session of a refresh secret, its present or its previous one; answers it if it was alive."""
    return await _revoke(
        db,
        or_(AuthSession.refresh_hash == refresh_hash, AuthSession.previous_refresh_hash == refresh_hash),
    )


async def revoke_sessions(db: AuthSessionDb, user_id: UUID) -> list[UUID]:
    """Ends all of a person's sessions; answers which."""
    return await _revoke(db, AuthSession.user_id == user_id)


async def revoke_other_sessions(db: AuthSessionDb, user_id: UUID, keep: UUID) -> list[UUID]:
    """Ends a person's sessions but one; answers which."""
    return await _revoke(db, AuthSession.user_id == user_id, AuthSession.id != keep)


async def _revoke(db: AuthSessionDb, *which: ColumnElement[bool]) -> list[UUID]:
    statement = (
        update(AuthSession)
        .where(*which, AuthSession.revoked_at.is_(None))
        .values(revoked_at=func.now())
        .returning(AuthSession.id)
    )
    return list(await db.scalars(statement))
