"""All SQL of identity. It runs as the auth role, which sees people and sessions and nothing else of theirs."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as pg_insert

from invokeai_saas.db.session import AuthSessionDb
from invokeai_saas.identity.tables import AuthSession, LocalCredential, User


class Credential(NamedTuple):
    """A person with the hash of their password."""

    user: User
    password_hash: str | None


async def insert_user(db: AuthSessionDb, email: str, name: str, sub: str) -> UUID | None:
    """Adds a person; None when the address is taken."""
    statement = (
        pg_insert(User)
        .values(email=email, name=name, cognito_sub=sub)
        .on_conflict_do_nothing(index_elements=["email"])
        .returning(User.id)
    )
    return (await db.execute(statement)).scalar_one_or_none()


async def set_password(db: AuthSessionDb, user_id: UUID, password_hash: str) -> None:
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


async def get_user(db: AuthSessionDb, user_id: UUID) -> User | None:
    return await db.get(User, user_id)


async def get_password_hash(db: AuthSessionDb, user_id: UUID) -> str | None:
    statement = select(LocalCredential.password_hash).where(LocalCredential.user_id == user_id)
    return (await db.execute(statement)).scalar_one_or_none()


async def set_name(db: AuthSessionDb, user_id: UUID, name: str) -> None:
    await db.execute(update(User).where(User.id == user_id).values(name=name))


async def start_trial(db: AuthSessionDb, user_id: UUID) -> None:
    """Subscription, account and credits of the trial, by billing's definer function."""
    await db.execute(text("SELECT billing_start_trial(:user_id)"), {"user_id": user_id})


async def open_session(
    db: AuthSessionDb, user_id: UUID, refresh_hash: bytes, expires_at: datetime, user_agent: str | None
) -> UUID:
    await db.execute(update(User).where(User.id == user_id).values(last_login_at=func.now()))
    statement = (
        insert(AuthSession)
        .values(user_id=user_id, refresh_hash=refresh_hash, expires_at=expires_at, user_agent=user_agent)
        .returning(AuthSession.id)
    )
    return (await db.execute(statement)).scalar_one()


async def live_session(db: AuthSessionDb, session_id: UUID, sub: str) -> User | None:
    """The person of a session that is neither revoked nor expired, if the identity provider's name fits."""
    statement = (
        select(User)
        .join(AuthSession, AuthSession.user_id == User.id)
        .where(
            AuthSession.id == session_id,
            AuthSession.revoked_at.is_(None),
            AuthSession.expires_at > func.now(),
            User.cognito_sub == sub,
            User.is_active,
        )
    )
    return (await db.execute(statement)).scalar_one_or_none()


async def rotate_session(
    db: AuthSessionDb, old_hash: bytes, new_hash: bytes
) -> tuple[UUID, UUID, str] | None:
    """Swaps a session's refresh secret: (session id, user id, sub), or None when the old one is not good any more."""
    statement = (
        update(AuthSession)
        .where(
            AuthSession.refresh_hash == old_hash,
            AuthSession.revoked_at.is_(None),
            AuthSession.expires_at > func.now(),
            AuthSession.user_id == User.id,
            User.is_active,
        )
        .values(refresh_hash=new_hash, last_used_at=func.now())
        .returning(AuthSession.id, User.id, User.cognito_sub)
    )
    row = (await db.execute(statement)).one_or_none()
    return (row[0], row[1], row[2]) if row else None


async def revoke_session(db: AuthSessionDb, session_id: UUID) -> None:
    await db.execute(
        update(AuthSession)
        .where(AuthSession.id == session_id, AuthSession.revoked_at.is_(None))
        .values(revoked_at=func.now())
    )


async def revoke_other_sessions(db: AuthSessionDb, user_id: UUID, keep: UUID) -> None:
    await db.execute(
        update(AuthSession)
        .where(AuthSession.user_id == user_id, AuthSession.id != keep, AuthSession.revoked_at.is_(None))
        .values(revoked_at=func.now())
    )
