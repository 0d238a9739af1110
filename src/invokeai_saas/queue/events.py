"""Payloads of the queue's events that are not made in the database. Free of what only one environment has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

QUEUE_ID = "default"  # InvokeAI has one queue; each of its people has theirs under that name
CANCELED = "queue_items_canceled"


def canceled(user_id: UUID, item_ids: Sequence[int]) -> dict[str, Any]:
    """Of `queue_items_canceled`: jobs are cancelled, or not in the list any more. InvokeAI has one event for both."""
    person = str(user_id)
    return {
        "queue_id": QUEUE_ID,
        "canceled_item_ids": list(item_ids),
        "user_ids": [person],
        "canceled_item_ids_by_user": {person: list(item_ids)},
    }
