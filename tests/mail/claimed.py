"""Mails in hand, for tests that need no database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from invokeai_saas.mail.repository import ClaimedMail


def claimed(**changes: Any) -> ClaimedMail:
    """A mail that has just been claimed."""
    values: dict[str, Any] = {
        "id": UUID(int=7),
        "user_id": UUID(int=1),
        "kind": "welcome",
        "data": {},
        "attempt": 1,
        "created_at": datetime(2026, 11, 24, 9, 30, tzinfo=UTC),
        "email": "ada@example.com",
        "name": "Ada",
        "language": "en",
        "verified": True,
    }
    return ClaimedMail(**(values | changes))
