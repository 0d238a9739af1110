"""People, how they prove who they are, and the sessions they opened."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from invokeai_saas.db.base import Base, CreatedAt, Moment, NewId, Owner, Uid


class User(Base):
    """A person. `cognito_sub` is the identity provider's name for them, `id` is ours."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("role IN ('user', 'admin')", name="role"),
        CheckConstraint("language IN ('en', 'ko')", name="language"),
        Index("ix_users_created_at_id", "created_at", "id"),
    )

    id: Mapped[NewId]
    email: Mapped[str] = mapped_column(String(255), unique=True)  # lower case
    name: Mapped[str] = mapped_column(String(100))
    cognito_sub: Mapped[str] = mapped_column(String(255), unique=True)
    avatar_url: Mapped[str | None] = mapped_column(Text)
    role: Mapped[str] = mapped_column(String(20), server_default="user")
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    language: Mapped[str] = mapped_column(String(5), server_default="en")  # of mails
    email_verified_at: Mapped[Moment | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
    last_login_at: Mapped[Moment | None]
    deleted_at: Mapped[Moment | None]  # nothing of theirs is left but what the ledger refers to


class LocalCredential(Base):
    """Password hash of the embedded issuer; with Cognito this table stays empty."""

    __tablename__ = "local_credentials"

    user_id: Mapped[Uid] = mapped_column(
        Uuid(as_uuid=True), ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    password_hash: Mapped[str] = mapped_column(Text)
    updated_at: Mapped[CreatedAt]


class AuthSession(Base):
    """One log-in. Access tokens name it as `origin_jti`; revoking it ends them all."""

    __tablename__ = "auth_sessions"
    __table_args__ = (Index("ix_auth_sessions_user_id", "user_id"),)

    id: Mapped[NewId]
    user_id: Mapped[Owner]
    refresh_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    # The secret before this one: good for a moment after the swap (two tabs ask at once), a sign of theft later.
    previous_refresh_hash: Mapped[bytes | None] = mapped_column(LargeBinary, unique=True)
    rotated_at: Mapped[Moment | None]
    # Whether the browser keeps the cookie when it is closed ("remember me").
    persistent: Mapped[bool] = mapped_column(server_default=text("false"))
    user_agent: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[CreatedAt]
    last_used_at: Mapped[CreatedAt]
    expires_at: Mapped[Moment]
    revoked_at: Mapped[Moment | None]
