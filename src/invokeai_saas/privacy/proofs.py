"""What an operator looks up about deletions, with the owner role."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import psycopg

from invokeai_saas.errors import SetupError


class Proof(NamedTuple):
    """A proof of deletion.

    Parameters:
        intact: whether its hash, and those of all before it back to the first, are of what stands there.
        finished_at: when the address itself went; None until the mail with the proof is out.
    """

    report: dict[str, Any]
    hash: str
    finished_at: datetime | None
    intact: bool


def proof(owner_url: str, proof_id: str) -> Proof:
    """Checks a proof again.

    Parameters:
        owner_url: libpq URL of the owner role.

    Raises:
        SetupError: there is no such proof.
    """
    query = """
        WITH chain AS (
            SELECT id, number, hash = _privacy_hash(id, report, previous_hash)
                AND previous_hash = coalesce(lag(hash) OVER (ORDER BY number), '') AS fits
            FROM deletion_proofs
        )
        SELECT p.report, encode(p.hash, 'hex'), p.finished_at,
            (SELECT bool_and(c.fits) FROM chain c WHERE c.number <= p.number)
        FROM deletion_proofs p WHERE p.id = %s
    """
    remedy = "The mail about the deletion has the number of its proof."
    try:
        wanted = UUID(proof_id)
    except ValueError as error:
        raise SetupError(f"{proof_id!r} is no number of a proof.", remedy) from error
    with psycopg.connect(owner_url, connect_timeout=5) as connection:
        row = connection.execute(query, [wanted]).fetchone()
    if row is None:
        raise SetupError(f"There is no proof {proof_id}.", remedy)
    return Proof(*row)


def under_way(owner_url: str) -> list[tuple[str, ...]]:
    """(person, why, when, stage) of those who are going to be deleted, the next first."""
    query = """
        SELECT user_id::text, reason, to_char(delete_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
            CASE WHEN started_at IS NULL THEN 'waits' ELSE stage END
        FROM account_deletions ORDER BY delete_at
    """
    with psycopg.connect(owner_url, connect_timeout=5) as connection:
        return connection.execute(query).fetchall()
