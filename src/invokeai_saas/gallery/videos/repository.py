"""The SQL of videos alone. What they share with pictures is in the gallery's repository."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert, null

from invokeai_saas.db.session import WriteSession
from invokeai_saas.gallery.tables import Image


async def add(session: WriteSession, **values: Any) -> None:
    """Writes the row of a video that came from outside. Its place on a board is another row."""
    kept = {name: null() if value is None else value for name, value in values.items()}
    await session.execute(
        insert(Image).values(user_id=session.user_id, kind="video", image_origin="external", **kept)
    )
