"""What InvokeAI's page is told of a download."""

from __future__ import annotations

from uuid import UUID


def payload(user_id: UUID, item_name: str) -> dict[str, str]:
    """Of bulk_download_started, _complete and _error, less the timestamp and the error."""
    return {
        "bulk_download_id": "default",
        "bulk_download_item_id": item_name.removesuffix(".zip"),
        "bulk_download_item_name": item_name,
        "user_id": str(user_id),
    }
