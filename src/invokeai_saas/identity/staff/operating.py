"""Who is of our staff: `invokeai-saas admin staff`. Operators say so, with the owner role; no page does."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pyotp

from invokeai_saas.audit.operating import note
from invokeai_saas.errors import SetupError
from invokeai_saas.identity import passwords

_ISSUER = "InvokeAI staff"


@dataclass(frozen=True)
class NewStaff:
    """What is shown once. Parameters: otpauth: for the authenticator, as a link or a QR code of it."""

    email: str
    password: str
    otpauth: str


@dataclass(frozen=True)
class ListedStaff:
    """Parameters: seen: their last request, if they ever logged in."""

    email: str
    since: datetime
    seen: datetime | None


def add(owner_url: str, email: str) -> NewStaff:
    """Makes somebody staff, with a password and an authenticator of their own; once more, and both are new.

    Somebody without an account gets one that has no customer's log-in. Their sessions as staff end.

    Parameters:
        owner_url: libpq URL of the owner role.

    Raises:
        SetupError: that is no address, or the account is blocked.
    """
    email = email.strip().lower()
    if "@" not in email or len(email) > 255 or "\0" in email:
        raise SetupError(f"{email!r} is no e-mail address.", "Name one.")
    password, secret = secrets.token_urlsafe(18), pyotp.random_base32()
    stored = passwords.hash_at_once(password)
    with psycopg.connect(owner_url) as connection:
        person = _admitted(connection, email)
        connection.execute(
            "INSERT INTO staff_credentials (user_id, password_hash, totp_secret) VALUES (%s, %s, %s)"
            " ON CONFLICT (user_id) DO UPDATE SET password_hash = excluded.password_hash,"
            " totp_secret = excluded.totp_secret, last_step = 0",
            [person, stored, secret],
        )
        _end_sessions(connection, person)
        note(connection, "staff.add", "staff", email, person=person)
    return NewStaff(email, password, pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=_ISSUER))


def remove(owner_url: str, email: str) -> None:
    """Ends somebody's being staff, and their sessions as such, at once. Raises SetupError: they are not."""
    with psycopg.connect(owner_url) as connection:
        row = connection.execute(
            "UPDATE users SET role = 'user' WHERE email = %s AND role = 'admin' RETURNING id",
            [email.strip().lower()],
        ).fetchone()
        if row is None:
            raise SetupError(f"{email} is not of the staff.", "`admin staff list` says who is.")
        connection.execute("DELETE FROM staff_credentials WHERE user_id = %s", [row[0]])
        _end_sessions(connection, row[0])
        note(connection, "staff.remove", "staff", email.strip().lower(), person=row[0])


def listed(owner_url: str) -> list[ListedStaff]:
    """Everybody who can log in as staff."""
    with psycopg.connect(owner_url) as connection:
        rows = connection.execute(
            "SELECT u.email, c.created_at, (SELECT max(s.seen_at) FROM staff_sessions s WHERE s.user_id = u.id)"
            " FROM users u JOIN staff_credentials c ON c.user_id = u.id WHERE u.role = 'admin' ORDER BY u.email"
        ).fetchall()
    return [ListedStaff(*row) for row in rows]


def _admitted(connection: psycopg.Connection[Any], email: str) -> UUID:
    row = connection.execute(
        "INSERT INTO users (email, name, cognito_sub, role) VALUES (%s, %s, %s, 'admin')"
        " ON CONFLICT (email) DO UPDATE SET role = 'admin' RETURNING id, is_active",
        [email, email.partition("@")[0][:100], str(uuid4())],
    ).fetchone()
    assert row is not None
    if not row[1]:
        raise SetupError(f"The account of {email} is blocked.", "Unblock it on its page first.")
    person: UUID = row[0]
    return person


def _end_sessions(connection: psycopg.Connection[Any], person: UUID) -> None:
    connection.execute(
        "UPDATE staff_sessions SET revoked_at = now() WHERE user_id = %s AND revoked_at IS NULL", [person]
    )
