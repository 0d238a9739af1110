"""The wire of downloads of many pictures."""

from __future__ import annotations

from pydantic import BaseModel

from invokeai_saas.gallery.schemas import Name, Names


class DownloadRequest(BaseModel):
    """Parameters: board_id: a board's id, or "none" for what lies on no board; goes before names, as in InvokeAI."""

    image_names: Names | None = None
    board_id: Name | None = None


class DownloadStarted(BaseModel):
    """Parameters: bulk_download_item_name: what events will speak of, and what is fetched in the end."""

    response: str | None = None
    bulk_download_item_name: str
