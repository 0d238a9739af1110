"""The line that an operator's act leaves in the audit log, written in the transaction of the act."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb


def note(
    connection: psycopg.Connection[Any],
    action: str,
    kind: str,
    thing: str,
    *,
    person: UUID | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Writes that an operator did something.

    Parameters:
        connection: of the owner role, inside the act's transaction.
        kind, thing: what it was done to.
        person: whom it was about.
        details: no secrets, and nothing of people's pictures or prompts.
    """
    connection.execute(
        "SELECT audit_operator(%s, %s, %s, %s, '', %s)",
        [action, person, kind, thing, Jsonb(dict(details or {}))],
    )
