"""Thumbnails of every mode and shape."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from invokeai_saas.storage.encoding import encode_thumbnail


@pytest.mark.parametrize(
    ("mode", "size", "small"),
    [
        ("RGB", (1000, 500), (256, 128)),
        ("RGBA", (300, 900), (85, 256)),
        ("L", (512, 512), (256, 256)),
        ("I;16", (512, 256), (256, 128)),
        ("P", (600, 300), (256, 128)),
        ("LA", (512, 512), (256, 256)),
        ("RGB", (20, 10), (20, 10)),
        ("RGB", (30_000, 1), (256, 1)),
    ],
)
def test_a_thumbnail_fits_and_is_never_larger(
    mode: str, size: tuple[int, int], small: tuple[int, int]
) -> None:
    with Image.open(io.BytesIO(encode_thumbnail(Image.new(mode, size)))) as image:
        assert (image.format, image.size) == ("WEBP", small)
        assert image.mode == ("RGBA" if mode in ("RGBA", "LA") else "RGB")
