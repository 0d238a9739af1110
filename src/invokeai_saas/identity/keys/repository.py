"""All SQL of API keys: their person's half as the API's role, and finding them as the auth role."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnExpressionArgument,
    Row,
    Uuid,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    update,
)

from invokeai_saas.db.session import AuthSessionDb, ReadSession, WriteSession
from invokeai_saas.identity.keys.tables import ApiKey

Session = ReadSession | WriteSession
# All that the API's role may read of a key.
_SHOWN = (
    ApiKey.id,
    ApiKey.name,
    ApiKey.prefix,
    ApiKey.created_at,
    ApiKey.last_used_at,
    ApiKey.expires_at,
)


class FoundKey(NamedTuple):
    """Whose a key is. Parameters: in_plan: whether their plan has API keys now."""

    id: UUID
    user_id: UUID
    sub: str
    in_plan: bool


def _live() -> tuple[ColumnExpressionArgument[bool], ...]:
    return ApiKey.revoked_at.is_(None), or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.now())


async def take_turn(db: WriteSession) -> None:
    """Makes a person's other makers of keys wait until this transaction has ended, so that they can be counted."""
    await db.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:what, 0))"), {"what": f"api_keys:{db.user_id}"}
    )


async def count_live(db: Session) -> int:
    return (await db.execute(select(func.count(ApiKey.id)).where(*_live()))).scalar_one()


async def add(db: WriteSession, name: str, prefix: str, digest: bytes, expires_at: datetime | None) -> Row:  # type: ignore[type-arg]
    """Answers the new key's id and when it was made."""
    statement = (
        insert(ApiKey)
        .values(user_id=db.user_id, name=name, prefix=prefix, digest=digest, expires_at=expires_at)
        .returning(ApiKey.id, ApiKey.created_at)
    )
    return (await db.execute(statement)).one()


async def live(db: Session) -> Sequence[Row]:  # type: ignore[type-arg]
    """The caller's, the newest first."""
    return (
        await db.execute(select(*_SHOWN).where(*_live()).order_by(ApiKey.created_at.desc(), ApiKey.id))
    ).all()


async def revoke(db: WriteSession, key_id: UUID) -> bool:
    """Whether there was such a key of the caller's, not revoked yet."""
    statement = (
        update(ApiKey)
        .where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None))
        .values(revoked_at=func.now())
        .returning(ApiKey.id)
    )
    return (await db.execute(statement)).scalar_one_or_none() is not None


async def find(db: AuthSessionDb, digest: bytes) -> FoundKey | None:
    """A key that is neither revoked nor expired, of an active person. Its use is written down."""
    statement = text("SELECT key_id, user_id, sub, in_plan FROM api_key_find(:digest)")
    row = (await db.execute(statement, {"digest": digest})).one_or_none()
    return FoundKey(row.key_id, row.user_id, row.sub, row.in_plan) if row else None


async def end_all(db: AuthSessionDb, user_id: UUID) -> list[UUID]:
    """Ends all of a person's keys; answers which."""
    return list(await db.scalars(select(func.api_keys_end(user_id, type_=Uuid(as_uuid=True)))))


async def alive(db: AuthSessionDb, key_ids: Collection[UUID]) -> set[UUID]:
    """Those of the keys that are good for something now."""
    wanted = literal(list(key_ids), ARRAY(Uuid(as_uuid=True)))
    return set(await db.scalars(select(func.api_keys_alive(wanted, type_=Uuid(as_uuid=True)))))
