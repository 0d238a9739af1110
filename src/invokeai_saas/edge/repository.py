"""SQL of files that people delete, with the API's role and in their name."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text

from invokeai_saas.db.session import WriteSession


async def removed(db: WriteSession, keys: Sequence[str]) -> None:
    """Writes down that these files of the caller's are to be forgotten everywhere."""
    await db.execute(text("SELECT edge_removed(:keys)"), {"keys": list(keys)})
