"""Where files lie in the bucket. One prefix per person: a key says whose file it is."""

from __future__ import annotations

from pathlib import PurePosixPath
from uuid import UUID


def image_key(user_id: UUID | str, image_name: str) -> str:
    """Key of a picture, e.g. users/{user_id}/images/{name}.png."""
    return f"users/{user_id}/images/{image_name}"


def download_key(user_id: UUID | str, download_id: UUID) -> str:
    """Key of an archive of many pictures that a person asked for."""
    return f"users/{user_id}/downloads/{download_id}.zip"


def thumbnail_key(user_id: UUID | str, image_name: str) -> str:
    """Key of a picture's thumbnail: WebP, under the same person's prefix."""
    return f"users/{user_id}/images/thumbnails/{PurePosixPath(image_name).stem}.webp"
