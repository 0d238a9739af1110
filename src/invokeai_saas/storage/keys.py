"""Where files lie in the bucket. One prefix per person: a key says whose file it is."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Literal
from uuid import UUID, uuid4


def image_key(user_id: UUID | str, image_name: str) -> str:
    """Key of a picture, e.g. users/{user_id}/images/{name}.png."""
    return f"users/{user_id}/images/{image_name}"


def download_key(user_id: UUID | str, download_id: UUID) -> str:
    """Key of an archive of many pictures that a person asked for."""
    return f"users/{user_id}/downloads/{download_id}.zip"


def export_key(user_id: UUID | str, export_id: UUID) -> str:
    """Key of an archive of everything that a person has."""
    return f"users/{user_id}/exports/{export_id}.zip"


def person_prefixes(user_id: UUID | str) -> tuple[str, str]:
    """Below these lies every file of a person, and no other."""
    return f"users/{user_id}/", f"models/users/{user_id}/"


def thumbnail_key(user_id: UUID | str, image_name: str) -> str:
    """Key of a picture's thumbnail: WebP, under the same person's prefix."""
    return f"users/{user_id}/images/thumbnails/{PurePosixPath(image_name).stem}.webp"


def kept_picture_key(user_id: UUID | str, kind: Literal["workflows", "style_presets"]) -> str:
    """A new key for the picture of a workflow or a preset. Files never change: another picture has another key."""
    return f"users/{user_id}/{kind}/{uuid4()}.webp"


def default_workflow_key(name: str) -> str:
    """Key of the thumbnail of a workflow that InvokeAI ships."""
    return f"system/default_workflows/{name}"


def default_preset_key(name: str) -> str:
    """Key of the image of a style preset that InvokeAI ships."""
    return f"system/style_presets/{name}"


def model_prefix(owner: UUID | str | None, model_key: str) -> str:
    """Where a model's files lie, and its path as records say it: shared ones have no owner."""
    return f"models/users/{owner}/{model_key}" if owner else f"models/shared/{model_key}"


def model_cover_key(owner: UUID | str | None, name: str) -> str:
    """Key of a model's cover picture."""
    return f"models/users/{owner}/covers/{name}.webp" if owner else f"models/shared/covers/{name}.webp"
