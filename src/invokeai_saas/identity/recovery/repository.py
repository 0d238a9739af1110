"""All SQL of links and requests. It runs as the auth role; the scheduler's half speaks psycopg."""

from __future__ import annotations

from uuid import UUID

from psycopg import Connection
from psycopg.rows import DictRow
from sqlalchemy import delete, func, insert, select, update

from invokeai_saas.db.session import AuthSessionDb
from invokeai_saas.identity.recovery.tables import MailLink, PasswordResetRequest
from invokeai_saas.identity.tables import User


async def request_reset(db: AuthSessionDb, email: str) -> None:
    await db.execute(insert(PasswordResetRequest).values(email=email))


def _good(purpose: str, digest: bytes) -> tuple[object, ...]:
    return (
        MailLink.digest == digest,
        MailLink.purpose == purpose,
        MailLink.expires_at > func.now(),
        User.id == MailLink.user_id,
        User.email == MailLink.email,
        User.is_active,
    )


async def find_link(db: AuthSessionDb, purpose: str, digest: bytes) -> UUID | None:
    """Whose link it is, if it is still good."""
    statement = select(MailLink.user_id).where(*_good(purpose, digest))  # type: ignore[arg-type]
    return (await db.execute(statement)).scalar_one_or_none()


async def use_link(db: AuthSessionDb, purpose: str, digest: bytes) -> UUID | None:
    """Whose link it was; it is good no more, nor are its person's others of the purpose. None for a bad one.

    The row is what two uses at once contend for: the second finds it deleted.
    """
    condition = _good(purpose, digest)
    statement = delete(MailLink).where(*condition).returning(MailLink.user_id)  # type: ignore[arg-type]
    user_id = (await db.execute(statement)).scalar_one_or_none()
    if user_id is not None:
        await db.execute(delete(MailLink).where(MailLink.user_id == user_id, MailLink.purpose == purpose))
    return user_id


async def set_language(db: AuthSessionDb, user_id: UUID, language: str) -> None:
    await db.execute(update(User).where(User.id == user_id).values(language=language))


def take_requests(connection: Connection[DictRow], limit: int) -> int:
    """Turns requests into mails to those who are somebody; answers how many there were."""
    row = connection.execute(
        "WITH asked AS ("
        "  DELETE FROM password_reset_requests WHERE id IN ("
        "    SELECT id FROM password_reset_requests ORDER BY requested_at LIMIT %s FOR UPDATE SKIP LOCKED)"
        "  RETURNING id, email"
        "), told AS ("
        "  SELECT mail_enqueue(u.id, 'reset_password', asked.id::text, '{}')"
        "  FROM asked JOIN users u ON u.email = asked.email WHERE u.is_active"
        ") SELECT (SELECT count(*) FROM asked) AS asked, (SELECT count(*) FROM told) AS told",
        [limit],
    ).fetchone()
    return int(row["asked"]) if row else 0


def insert_link(
    connection: Connection[DictRow], user_id: UUID, purpose: str, digest: bytes, email: str, seconds: int
) -> None:
    connection.execute(
        "INSERT INTO mail_links (user_id, purpose, digest, email, expires_at)"
        " VALUES (%s, %s, %s, %s, now() + make_interval(secs => %s))",
        [user_id, purpose, digest, email, seconds],
    )


def forget_links(connection: Connection[DictRow]) -> None:
    connection.execute("DELETE FROM mail_links WHERE expires_at <= now()")
