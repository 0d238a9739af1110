"""What a person is told of their account, in case it was somebody else who did it."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

from invokeai_saas.db.session import AuthSessionDb, WriteSession
from invokeai_saas.mail import service as mail


async def password_changed(db: AuthSessionDb, user_id: UUID) -> None:
    """Writes to a person whose password is another one now, in the transaction that ends their log-ins."""
    told = {"changed_at": datetime.now(UTC)}
    await mail.enqueue(db, "password_changed", str(uuid4()), told, user_id=user_id)


async def key_made(db: WriteSession, key_id: UUID, name: str, prefix: str, made_at: datetime) -> None:
    """Writes to the session's person, who has a new API key. Parameters: prefix: how the key begins."""
    await mail.enqueue(db, "key_made", str(key_id), {"key": name, "prefix": prefix, "made_at": made_at})
