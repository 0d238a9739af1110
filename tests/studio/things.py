"""Workflows, pictures and refusals for the tests of this folder."""

from __future__ import annotations

import io
from typing import Any

import httpx
import orjson
from PIL import Image


def workflow(**changes: Any) -> dict[str, Any]:
    """A small workflow as the page writes one."""
    plain: dict[str, Any] = {
        "name": "Mine",
        "author": "Ada",
        "description": "",
        "version": "",
        "contact": "",
        "tags": "",
        "notes": "",
        "exposedFields": [{"nodeId": "n1", "fieldName": "prompt"}],
        "meta": {"category": "user", "version": "4.0.0"},
        "nodes": [{"id": "n1", "type": "invocation", "data": {"type": "compel", "inputs": {}}}],
        "edges": [],
        "form": {"elements": {}, "rootElementId": "r"},
    }
    return plain | changes


def preset_form(**changes: Any) -> dict[str, str]:
    """A style preset as the page sends one."""
    plain = {"name": "Mine", "positive_prompt": "{prompt}, oil", "negative_prompt": "blurry", "type": "user"}
    return {"data": orjson.dumps(plain | changes).decode()}


def picture(size: tuple[int, int] = (600, 300), file_format: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "red").save(out, file_format, **options)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def image_file(data: bytes, content_type: str = "image/png") -> dict[str, Any]:
    return {"image": ("a picture.png", data, content_type)}


def field(answer: httpx.Response) -> str:
    """The place that a refusal names, in one text."""
    assert answer.status_code == 422, (answer.status_code, answer.text)
    return ".".join(answer.json()["detail"][0]["loc"])
